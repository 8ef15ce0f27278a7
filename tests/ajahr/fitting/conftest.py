"""A pose prior simple enough to check by hand, and the body, for the tests of the fit's parts."""

from __future__ import annotations

import pytest
import torch

from ajahr.anatomy import COCO17
from ajahr.body.data import BodyData, load_body
from ajahr.fitting.energy import Energy, State, Targets, UprightPrior
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.geometry.rotations import rotvec_to_rotmat


@pytest.fixture(scope="session")
def body() -> BodyData:
    return load_body()


@pytest.fixture(scope="session")
def simple_prior() -> UprightPrior:
    """Two Gaussians: arms hanging, and arms hanging with the thighs raised."""
    generator = torch.Generator().manual_seed(0)
    means = torch.zeros(2, 23, 3, dtype=torch.float64)
    means[:, 15, 2], means[:, 16, 2] = -1.2, 1.2  # shoulders
    means[1, :2, 0], means[1, 3:5, 0] = -1.5, 1.5  # hips, knees
    mixing = torch.randn(2, 69, 69, generator=generator, dtype=torch.float64) * 0.02
    precisions = torch.eye(69, dtype=torch.float64) / 0.25**2 + mixing @ mixing.mT
    offsets = torch.tensor([0.0, 1.0], dtype=torch.float64)
    up = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.98, -0.2]], dtype=torch.float64)
    spread = torch.tensor([0.1, 0.3], dtype=torch.float64)
    return UprightPrior(means.flatten(1), precisions, offsets, up, spread)


@pytest.fixture(scope="session")
def relaxed(simple_prior: UprightPrior) -> torch.Tensor:
    return simple_prior.means[0].reshape(23, 3)


@pytest.fixture(scope="session")
def make_energy(body, simple_prior, relaxed):
    def make(layout=COCO17) -> Energy:
        sigma = torch.full((len(layout),), 0.015, dtype=torch.float64)
        return Energy(KeypointModel(body, layout), simple_prior, sigma, relaxed)

    return make


@pytest.fixture
def problem():
    """Random states and targets: ``problem(batch, keypoints, seed)``."""

    def make(batch: int, keypoints: int, seed: int = 0) -> tuple[State, Targets]:
        generator = torch.Generator().manual_seed(seed)

        def randn(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        def rand(*shape: int) -> torch.Tensor:
            return torch.rand(shape, generator=generator, dtype=torch.float64)

        place = torch.cat([randn(batch, 2), 1.2 + 0.2 * randn(batch, 1)], 1)
        root = rotvec_to_rotmat(randn(batch, 3))
        state = State(root, 0.5 * randn(batch, 23, 3), randn(batch, 10), place)
        weak = torch.arange(batch) % 2 == 0
        targets = Targets(
            200 * randn(batch, keypoints, 2),
            rand(batch, keypoints),
            600 + 300 * rand(batch),
            weak,
            300 + 100 * rand(batch),
            (rand(batch, 23) > 0.8).double(),
        )
        return state, targets

    return make
