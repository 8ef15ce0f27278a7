"""What was learned about a keypoint model on data held out: calibration.json beside its weights. No torch.

``limbs`` turns presences into limb-status probabilities (`ajahr.keypoints.limb_status`), ``hka`` turns the spread of
heat maps into an interval of degrees (`ajahr.keypoints.hka`). A model without the file has the defaults, which are
cautious for limbs and claim nothing about angles.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ajahr.data.files import make_folder, write_atomic
from ajahr.errors import UserError

CALIBRATION = "calibration.json"
_FORMAT = "ajahr-keypoints-calibration"


@dataclass(frozen=True)
class LimbCalibration:
    """From what the four points of a limb say to how probable each level is.

    Args:
        weight: on the points' summed log likelihood. They witness the same thing, so four of them are worth fewer
            than four; 0.5 where nobody fitted it.
        bias: log odds added to each level.
    """

    weight: float = 0.5
    bias: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0 and len(self.bias) == 4):
            raise UserError("the calibration of limbs is a weight of 0 or more and four biases; fit it again")


@dataclass(frozen=True)
class HkaCalibration:
    """Of a device or a model: deviation -> slope x deviation + offset, spread -> scale x spread beside a floor.

    Args:
        slope, offset_deg: of the deviation, against radiographs or renders of known alignment.
        sd_scale: on the spread that heat maps show.
        sd_floor_deg: what heat maps do not show (labels, soft tissue), as a standard deviation of the angle.
    """

    slope: float = 1.0
    offset_deg: float = 0.0
    sd_scale: float = 1.0
    sd_floor_deg: float = 0.0

    def __post_init__(self) -> None:
        values = (self.slope, self.offset_deg, self.sd_scale, self.sd_floor_deg)
        if not (
            all(map(math.isfinite, values)) and self.slope > 0 and self.sd_scale >= 0 <= self.sd_floor_deg
        ):
            raise UserError(
                "the calibration of angles has a slope above 0, an offset, and a scale and a floor of 0 or more"
            )


@dataclass(frozen=True)
class KeypointCalibration:
    """Everything in the file."""

    limbs: LimbCalibration = field(default_factory=LimbCalibration)
    hka: HkaCalibration = field(default_factory=HkaCalibration)


def save_calibration(calibration: KeypointCalibration, folder: str | Path) -> Path:
    """Write calibration.json into a model's folder.

    Raises:
        UserError: it cannot be written.
    """
    make_folder(Path(folder))
    path = Path(folder) / CALIBRATION
    document = {"format": _FORMAT, **dataclasses.asdict(calibration)}
    write_atomic(path, (json.dumps(document, indent=1) + "\n").encode())
    return path


def load_calibration(folder: str | Path) -> KeypointCalibration:
    """Of the model in ``folder``; the defaults where it has none.

    Raises:
        UserError: a file that is no calibration.
    """
    path = Path(folder) / CALIBRATION
    if not path.exists():
        return KeypointCalibration()
    try:
        tree: Any = json.loads(path.read_text())
        if tree["format"] != _FORMAT:
            raise ValueError(f"its format is {tree['format']!r}")
        limbs = {**tree["limbs"], "bias": tuple(float(x) for x in tree["limbs"]["bias"])}
        return KeypointCalibration(LimbCalibration(**limbs), HkaCalibration(**tree["hka"]))
    except (OSError, ValueError, KeyError, TypeError, UserError) as error:
        cause = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: no calibration ({cause}); remove it or fit it again") from None
