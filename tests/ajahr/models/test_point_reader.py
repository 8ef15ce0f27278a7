"""What a backbone was taught about the 25 points is read right and reaches the decoder and BPAC-Net."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.errors import UserError
from ajahr.models.config import RegressorConfig
from ajahr.models.point_reader import NUM_POINTS, PointReader
from ajahr.models.regressor import Regressor

WIDTH = 8


class Maps(nn.Module):
    """Heat maps as given."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, detail: Tensor) -> Tensor:
        return self.maps


def reader_of(maps: Tensor) -> PointReader:
    reader = PointReader(WIDTH).eval()
    reader.head = Maps(maps)
    return reader


def test_places_and_peaks() -> None:
    maps = torch.rand(1, NUM_POINTS, 64, 48) * 0.05
    row, column = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    maps[0, 3] += 0.9 * torch.exp(-((row - 16) ** 2 + (column - 35.5) ** 2) / 8)
    with torch.inference_mode():
        read = reader_of(maps)(torch.randn(1, WIDTH, 16, 12)).view(NUM_POINTS, 4)
    places, peaks = read[:, :2], read[:, 2]
    assert peaks[3] == pytest.approx(0.9, abs=0.06) and peaks[4] < 0.06
    # centres of cells: column 35.5 lies at 36 / 48, row 16 at 16.5 / 64
    assert (places[3] / peaks[3]).tolist() == pytest.approx([36 / 48 - 0.5, 16.5 / 64 - 0.5], abs=0.006)
    assert places[4].norm() < 0.05, "a flat map says no place"


def test_an_empty_map_is_finite() -> None:
    read = reader_of(torch.zeros(2, NUM_POINTS, 64, 48))(torch.randn(2, WIDTH, 16, 12))
    assert read.isfinite().all() and not read.view(2, NUM_POINTS, 4)[..., :3].any()


def test_what_is_read_moves_pose_and_limb_status() -> None:
    torch.manual_seed(0)
    regressor = Regressor(RegressorConfig.preset("tiny"), Body(load_body())).eval()
    image, keypoints = torch.randn(1, 3, 256, 256), torch.zeros(1, 12, 3)
    assert regressor.point_reader is not None
    with torch.inference_mode():
        before = regressor(image, keypoints)
        regressor.point_reader.head = Maps(torch.rand(1, NUM_POINTS, 64, 48))
        after = regressor(image, keypoints)
    assert not torch.allclose(before.limb_logits, after.limb_logits, atol=1e-5)
    assert not torch.allclose(before.code_logits, after.code_logits, atol=1e-5)


def test_it_is_frozen_with_the_backbone() -> None:
    regressor = Regressor(RegressorConfig.preset("tiny"), Body(load_body()))
    regressor.set_trainable("heads")
    regressor.train()
    assert regressor.point_reader is not None and regressor.point_start is not None
    assert not any(p.requires_grad for p in regressor.point_reader.parameters())
    assert not regressor.point_reader.training and all(
        p.requires_grad for p in regressor.point_start.parameters()
    )
    regressor.set_trainable("all")
    assert all(p.requires_grad for p in regressor.point_reader.parameters())


def test_it_needs_a_stem() -> None:
    with pytest.raises(UserError, match=r"point_reader needs backbone\.stem"):
        RegressorConfig.preset("base", point_reader=True)


@pytest.mark.parametrize("reads, asked", [(True, True), (True, False), (False, True)])
def test_the_residual_head_hears_points_where_they_are_read_and_it_is_asked_to(
    reads: bool, asked: bool
) -> None:
    config = RegressorConfig.preset("tiny", point_reader=reads, residual_points=asked)
    regressor = Regressor(config, Body(load_body()), empty=True)
    assert regressor.residual_head is not None
    assert (regressor.residual_head.points is not None) == (reads and asked)
