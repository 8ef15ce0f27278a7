"""Each limb is looked at where its own keypoints are."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ajahr.data.hmr.detector_noise import CHAINS
from ajahr.models.bpac import BpacNet
from ajahr.models.config import BpacConfig, BpacInputs
from ajahr.models.limb_looks import LimbLooks, cell_shares, limb_places

WIDTH, GRID = 20, (16, 12)


def apart() -> Tensor:
    """Keypoints of one person; every limb on a row of its own, from the left outwards."""
    points = torch.zeros(1, 12, 2)
    for limb, chain in enumerate(CHAINS):
        points[0, chain] = torch.stack(
            (torch.tensor([-0.25, -0.05, 0.15]), torch.full((3,), -0.4 + 0.25 * limb)), 1
        )
    return points


def looks() -> LimbLooks:
    torch.manual_seed(0)
    return LimbLooks(WIDTH).eval()


@pytest.mark.parametrize("limb", range(4))
@pytest.mark.parametrize("place", range(6))
def test_a_mark_on_the_map_is_seen_by_the_limb_it_is_at(limb: int, place: int) -> None:
    net, points, drawn = looks(), apart(), torch.ones(1, 12, dtype=torch.bool)
    places, seen = limb_places(points, drawn)
    assert seen.all()
    x, y = places[0, limb, place].tolist()
    detail = torch.zeros(1, WIDTH, *GRID)
    marked = detail.clone()
    marked[:, :, int((y + 0.5) * 16), int((x / 0.75 + 0.5) * 12)] = 1
    with torch.no_grad():
        changed = (net(marked, points, drawn) - net(detail, points, drawn)).abs().amax(2)[0] > 1e-6
    assert changed.tolist() == [one == limb for one in range(4)]


def test_shares_are_bilinear() -> None:
    torch.manual_seed(0)
    places = (torch.rand(2, 30, 2) - 0.5) * torch.tensor([0.75, 1.0])
    detail = torch.randn(2, 5, *GRID)
    found = cell_shares(places, torch.ones(2, 30, dtype=torch.bool), GRID) @ detail.flatten(2).mT
    grid = places / torch.tensor([0.375, 0.5])
    twin = F.grid_sample(detail, grid[:, :, None], align_corners=False, padding_mode="border")
    torch.testing.assert_close(found, twin[..., 0].mT, atol=1e-5, rtol=1e-5)


def test_places_of_a_limb() -> None:
    points, drawn = apart(), torch.ones(1, 12, dtype=torch.bool)
    places, _ = limb_places(points, drawn)
    torch.testing.assert_close(places[0, 2, :, 0], torch.tensor([-0.25, -0.05, 0.15, -0.15, 0.05, 0.21]))
    drawn[0, CHAINS[2][1]] = False  # without a knee neither bone has a middle, and the foot no direction
    points[0, CHAINS[3][2], 0] = 0.45  # an ankle in columns that the backbone does not see
    _, seen = limb_places(points, drawn)
    assert seen[0, 2].tolist() == [True, False, True, False, False, False]
    assert seen[0, 3].tolist() == [True, True, False, True, True, False]


def test_missing_keypoints_show_nothing_and_keep_gradients_finite() -> None:
    net, points, drawn = looks().train(), apart(), torch.ones(1, 12, dtype=torch.bool)
    drawn[0, CHAINS[0]] = False
    points[0, CHAINS[0]] = torch.nan
    detail = torch.randn(1, WIDTH, *GRID, requires_grad=True)
    found = net(detail, points, drawn)
    assert torch.equal(found[0, 0], net(torch.randn(1, WIDTH, *GRID), points, drawn)[0, 0])
    found.square().sum().backward()
    grads = [detail.grad, *(p.grad for p in net.parameters())]
    assert all(grad is not None and grad.isfinite().all() and grad.any() for grad in grads)
    nobody = torch.zeros_like(drawn)
    assert net(detail, torch.full_like(points, torch.nan), nobody).isfinite().all()


@pytest.mark.parametrize(
    ("inputs", "there"), [("image+keypoints", True), ("image", False), ("keypoints", False)]
)
def test_bpac_looks_where_it_sees_both(inputs: BpacInputs, there: bool) -> None:
    config = BpacConfig(
        inputs, "features", widths=(8, 8, 16, 24), blocks=(1, 1, 1, 1), resolution=64, looks=True
    )
    torch.manual_seed(0)
    net, other = (BpacNet(config, 32, detail_width=WIDTH).eval() for _ in range(2))
    assert (net.looks is not None) is there
    other.load_state_dict(net.state_dict())
    keypoints = torch.cat((apart(), torch.ones(1, 12, 1)), -1)
    image, detail = torch.zeros(1, 3, 256, 256), torch.randn(1, WIDTH, *GRID)
    with torch.no_grad():
        status, again = (one(image, keypoints, detail) for one in (net, other))
        assert torch.equal(status.logits, again.logits) and torch.equal(status.token, again.token)
        if net.looks is not None:
            net.looks.narrow.weight.zero_()
            blind = net(image, keypoints, detail)
            assert not torch.equal(status.logits, blind.logits) and not torch.equal(status.token, blind.token)
