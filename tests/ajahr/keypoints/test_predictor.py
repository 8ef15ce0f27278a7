"""From boxes in a picture to keypoints in it; the flip test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ajahr.anatomy import LDPOSE25
from ajahr.geometry.crops import apply_affine
from ajahr.keypoints.codec import heatmap_targets, simcc_targets
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.crops import Place
from ajahr.keypoints.heads import SimCC
from ajahr.keypoints.model import KeypointModel
from ajahr.keypoints.output import KeypointOutput
from ajahr.keypoints.predictor import KeypointPredictor, flip_average, normalise

FLIP = list(LDPOSE25.flip)
IN_CROP = torch.from_numpy(np.random.default_rng(0).uniform(40, 150, (1, 25, 2))).float()
ALL = torch.ones(1, 25, dtype=torch.bool)


class Oracle(KeypointModel):
    """Sees the same points in every crop, and their mirror image in a mirrored one: asked in turn."""

    def __init__(self) -> None:
        super().__init__(KeypointConfig("shufflenet_v2_x0_5"))
        self.calls = 0

    def forward(self, image: torch.Tensor) -> KeypointOutput:
        points = IN_CROP.clone()
        if self.calls % 2:
            points[..., 0] = 192 - points[..., 0]
            points = points[:, FLIP]
        self.calls += 1
        maps = heatmap_targets(points, ALL).heatmaps
        return KeypointOutput(maps.expand(len(image), -1, -1, -1))


@pytest.mark.parametrize("flip_test", [True, False])
def test_points_come_back_into_the_picture(flip_test: bool) -> None:
    boxes = np.array([[10.0, 20.0, 110.0, 250.0], [200.0, 100.0, 900.0, 800.0]])
    predictor = KeypointPredictor(Oracle(), flip_test=flip_test)
    found = predictor(np.zeros((1000, 1200, 3), np.uint8), boxes)
    for row, box in enumerate(boxes):
        place = Place.of_box(box)
        back = apply_affine(place.affine(), found.points[row].astype(np.float64))
        assert back == pytest.approx(IN_CROP[0].numpy().astype(np.float64), abs=0.05)
    assert (found.scores > 0.93).all() and found.presence is None
    # a target's own map is certain: about a pixel of the crop, which is more in a large box
    assert (found.sd_px[1] > found.sd_px[0]).all() and (found.sd_px[0] < 2).all()


def test_nobody() -> None:
    found = KeypointPredictor(KeypointModel(KeypointConfig("vit_tiny", presence="pool")))(
        np.zeros((10, 10, 3), np.uint8), np.zeros((0, 4))
    )
    assert len(found) == 0 and found.presence is not None


def test_pixels_are_normalised() -> None:
    found = normalise(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))
    assert torch.allclose(
        found[0, :, 0, 0], (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    )


def test_flipping_back_simcc_and_presence() -> None:
    mirrored = IN_CROP.clone()
    mirrored[..., 0] = 192 - mirrored[..., 0]
    logits = torch.randn(1, 25, 2)
    plain = KeypointOutput(None, simcc_targets(IN_CROP, ALL)[0], logits)
    seen = simcc_targets(mirrored[:, FLIP], ALL)[0]
    averaged = flip_average(plain, KeypointOutput(None, SimCC(seen.x, seen.y), logits[:, FLIP]))
    assert averaged.simcc is not None and plain.simcc is not None and averaged.presence_logits is not None
    assert torch.allclose(averaged.simcc.x, plain.simcc.x, atol=1e-4)
    assert torch.allclose(averaged.simcc.y, plain.simcc.y, atol=1e-5)
    assert torch.allclose(averaged.presence_logits, logits)
