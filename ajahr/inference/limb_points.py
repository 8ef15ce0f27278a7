"""The 25 keypoints of people in boxes, by a model of this project: residual-limb ends and limb status with them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int, UInt8

from ajahr.anatomy import LDPOSE25
from ajahr.data.ldpose import NUM_INTACT_POINTS, NUM_POINTS
from ajahr.errors import UserError

_NUMBERS = ("xy", "sd_px")


@dataclass(frozen=True, eq=False)
class LimbPoints:
    """LDPose's 25 points of people in one picture, and what they say of the limbs."""

    xy: Float32[np.ndarray, "people 25 xy=2"]
    """px of the picture."""
    scores: Float32[np.ndarray, "people 25"]
    """0..1: that the point exists and is there."""
    presence: Float32[np.ndarray, "people 25"]
    """Probability that the point exists; NaN without a presence head."""
    sd_px: Float32[np.ndarray, "people 25"]
    """Standard deviation per coordinate, as the model's own map shows it."""
    limb_probabilities: Float32[np.ndarray, "people limbs=4 levels=4"]

    def __len__(self) -> int:
        return len(self.xy)

    def take(self, index: Int[np.ndarray, " chosen"]) -> LimbPoints:
        """Those of ``index``, in its order."""
        return LimbPoints(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def scaled(self, factor: float) -> LimbPoints:
        """The same in a picture ``factor`` times as large."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return LimbPoints(**{k: v * np.float32(factor) if k in _NUMBERS else v for k, v in values.items()})

    @property
    def end_peaks(self) -> Float32[np.ndarray, "people 8"]:
        """How sure each residual end's place is, given that there is one: scores without the chance that there is."""
        ends = list(LDPOSE25.residual)
        scores, presence = self.scores[:, ends], self.presence[:, ends]
        with np.errstate(invalid="ignore"):
            peaks = np.where(presence > 0, scores / np.maximum(presence, 1e-6), scores)
        return np.minimum(peaks, 1).astype(np.float32)

    @property
    def coco(self) -> Float32[np.ndarray, "people coco17=17 3"]:
        """COCO's 17: x, y, score."""
        both = np.concatenate([self.xy, self.scores[..., None]], -1)
        return both[:, :NUM_INTACT_POINTS]


@runtime_checkable
class LimbPointFinder(Protocol):
    """Finds the 25 points of people in boxes."""

    def limb_points(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "people 4"]
    ) -> LimbPoints:
        """In px of the array given."""
        ...


class Keypoints25:
    """A folder of `ajahr.keypoints.model.save_keypoints`, with its calibration where it has one.

    Args:
        folder: of a model of 25 points.
        device: ``cpu`` or ``cuda``.
        flip_test: average with the mirrored crop, at twice the time.
        batch_size: boxes at a time.

    Raises:
        UserError: no such model, or one of 17 points.
    """

    def __init__(
        self, folder: Path, *, device: str = "cpu", flip_test: bool = True, batch_size: int = 16
    ) -> None:
        from ajahr.keypoints.calibration import load_calibration
        from ajahr.keypoints.model import load_keypoints
        from ajahr.keypoints.predictor import KeypointPredictor

        model = load_keypoints(folder)
        if model.config.points != NUM_POINTS:
            raise UserError(
                f"{folder}: has {model.config.points} points and no residual-limb ends; give a model of {NUM_POINTS}"
            )
        self.calibration = load_calibration(folder)
        self._predictor = KeypointPredictor(model, device=device, flip_test=flip_test, batch_size=batch_size)

    def limb_points(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "people 4"]
    ) -> LimbPoints:
        """In px of the array given."""
        from ajahr.keypoints.limb_status import from_presence, from_scores

        found = self._predictor(image, boxes_xyxy)
        if found.presence is None:
            presence = np.full(found.scores.shape, np.nan, np.float32)
            status = from_scores(found.scores)
        else:
            presence = found.presence
            status = from_presence(presence, self.calibration.limbs)
        return LimbPoints(found.points, found.scores, presence, found.sd_px, status.astype(np.float32))

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Float32[np.ndarray, "people 4"]
    ) -> Float32[np.ndarray, "people 17 3"]:
        """COCO's 17 alone, as `ajahr.inference.people.KeypointFinder` has them."""
        return self.limb_points(image, boxes_xyxy).coco


def is_keypoints25(folder: Path) -> bool:
    """Whether a folder holds a keypoint model of this project."""
    from ajahr.keypoints.model import CONFIG, FORMAT

    try:
        stamp = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(stamp, dict) and stamp.get("format") == FORMAT
