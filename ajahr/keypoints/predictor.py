"""People in boxes to keypoints in the picture: crop, model, flip test, decoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Num, UInt8
from torch import Tensor

from ajahr.anatomy import COCO17, LDPOSE25
from ajahr.geometry.crops import apply_affine, invert_affine
from ajahr.keypoints.codec import decode_heatmaps, decode_simcc, position_sd
from ajahr.keypoints.crops import Place, cut_person
from ajahr.keypoints.heads import SimCC
from ajahr.keypoints.model import MEAN, STD, KeypointModel
from ajahr.keypoints.output import KeypointOutput

_FLIPS = {len(layout): list(layout.flip) for layout in (COCO17, LDPOSE25)}


@dataclass(frozen=True, eq=False)
class FoundKeypoints:
    """Of the people of one picture, px of the picture, continuous."""

    points: Float32[np.ndarray, "people points xy=2"]
    scores: Float32[np.ndarray, "people points"]
    """0..1: the peak, times the presence where the model has it."""
    sd_px: Float32[np.ndarray, "people points"]
    """Standard deviation per coordinate, as the model's own map shows it; NaN for a SimCC head."""
    presence: Float32[np.ndarray, "people points"] | None
    """Probability that the point exists; None without a presence head."""

    def __len__(self) -> int:
        return len(self.points)


class KeypointPredictor:
    """A keypoint model on photographs.

    Args:
        model: put into evaluation mode and moved to the device.
        device: ``cpu`` or ``cuda``.
        flip_test: average with the mirrored crop, at twice the time.
        batch_size: people at once.
    """

    def __init__(
        self, model: KeypointModel, *, device: str = "cpu", flip_test: bool = True, batch_size: int = 16
    ) -> None:
        self.model = model.eval().to(device)
        self.device, self.flip_test, self.batch_size = device, flip_test, batch_size

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], boxes_xyxy: Num[np.ndarray, "people 4"]
    ) -> FoundKeypoints:
        """Keypoints of the person in each box."""
        places = [Place.of_box(box) for box in boxes_xyxy]
        parts = [
            self._batch(image, places[start : start + self.batch_size])
            for start in range(0, len(places), self.batch_size)
        ]
        points = self.model.config.points
        if not parts:
            none = np.zeros((0, points), np.float32)
            has_head = self.model.presence_head is not None
            return FoundKeypoints(
                np.zeros((0, points, 2), np.float32), none, none, none if has_head else None
            )
        joined = [np.concatenate(column) for column in zip(*(part[:3] for part in parts), strict=True)]
        presence = [part[3] for part in parts if part[3] is not None]
        return FoundKeypoints(joined[0], joined[1], joined[2], np.concatenate(presence) if presence else None)

    @torch.inference_mode()
    def _batch(
        self, image: np.ndarray, places: list[Place]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
        crops = np.stack([cut_person(image, place) for place in places])
        output = predict(self.model, normalise(torch.from_numpy(crops).to(self.device)), self.flip_test)
        if output.heatmaps is not None:
            decoded, sd = decode_heatmaps(output.heatmaps), position_sd(output.heatmaps)
        else:
            assert output.simcc is not None
            decoded = decode_simcc(output.simcc, self.model.config.split_ratio)
            sd = torch.full_like(decoded.scores, torch.nan)
        presence = None if output.presence is None else output.presence.cpu().numpy()
        scores = output.scores.float().clamp(0, 1).cpu().numpy()
        in_crop = decoded.points.cpu().numpy().astype(np.float64)
        points = np.stack(
            [apply_affine(invert_affine(p.affine()), xy) for p, xy in zip(places, in_crop, strict=True)]
        )
        zoom = np.array([place.zoom.mean() for place in places])[:, None]
        return (
            points.astype(np.float32),
            scores,
            (sd.cpu().numpy() / zoom).astype(np.float32),
            presence,
        )


def normalise(pixels: UInt8[Tensor, "batch height width 3"]) -> Float32[Tensor, "batch 3 height width"]:
    """uint8 crops to what the models want."""
    mean, std = (torch.tensor(v, device=pixels.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std


def predict(
    model: KeypointModel, image: Float32[Tensor, "batch 3 height width"], flip_test: bool
) -> KeypointOutput:
    """The model's output, averaged with that of the mirrored crop if asked for."""
    output = model(image)
    return flip_average(output, model(image.flip(-1))) if flip_test else output


def flip_average(output: KeypointOutput, mirrored: KeypointOutput) -> KeypointOutput:
    """Mean of an output and of one of the mirrored crop, put back. UDP's maps need no shift."""

    def back(values: Tensor, flipped: bool = False) -> Tensor:
        values = values[:, _FLIPS[values.shape[1]]]
        return values.flip(-1) if flipped else values

    heatmaps = simcc = presence = None
    if output.heatmaps is not None and mirrored.heatmaps is not None:
        heatmaps = (output.heatmaps + back(mirrored.heatmaps, True)) / 2
    if output.simcc is not None and mirrored.simcc is not None:
        along_x = back(mirrored.simcc.x, True)
        # bin k is the place k / ratio + 0.5, so reversing the bins is off by ratio - 1 of them
        pixels = output.simcc.x.shape[-1]
        ratio = max(1, round(pixels / 192))
        along_x = along_x.roll(-(ratio - 1), -1)
        simcc = SimCC((output.simcc.x + along_x) / 2, (output.simcc.y + back(mirrored.simcc.y)) / 2)
    if output.presence_logits is not None and mirrored.presence_logits is not None:
        presence = (output.presence_logits + back(mirrored.presence_logits)) / 2
    return KeypointOutput(heatmaps, simcc, presence)
