"""Starts: the closed-form alignment is right, finds what it projected, offers different basins."""

from __future__ import annotations

import pytest
import torch

from ajahr.anatomy import COCO17, LDPOSE25
from ajahr.fitting.energy import Energy, State, Targets, Weights
from ajahr.fitting.keypoint_model import KeypointModel
from ajahr.fitting.pose_prior import default_library
from ajahr.fitting.starts import PoseLibrary, Starts
from ajahr.geometry.rotations import geodesic_angle, rotvec_to_rotmat

WEIGHTS = Weights()
FOCAL = 4000.0
SIGMA = torch.full((17,), 0.015, dtype=torch.float64)


@pytest.fixture(scope="module")
def library() -> PoseLibrary:
    whole = default_library()
    return PoseLibrary(whole.poses[::12], whole.roots[::12])


@pytest.fixture(scope="module")
def starts(body, library) -> Starts:
    return Starts(KeypointModel(body, COCO17), library)


def targets_of(points: torch.Tensor, weights: torch.Tensor | None = None) -> Targets:
    keypoints = points.shape[0]
    one = torch.ones(1, dtype=torch.float64)
    return Targets(
        points[None],
        torch.ones(1, keypoints, dtype=torch.float64) if weights is None else weights[None],
        FOCAL * one,
        torch.tensor([True]),
        one,
        torch.zeros(1, 23, dtype=torch.float64),
    )


def seen(body, library, pose: int, yaw: float, roll: float, size: float, corner: tuple[float, float]):
    """Orthographic keypoints (px) of a library pose and the true rotation."""
    model = KeypointModel(body, COCO17)
    turn = rotvec_to_rotmat(torch.tensor([[0, yaw, 0], [0, 0, roll]], dtype=torch.float64))
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    root = turn[1] @ facing @ turn[0] @ library.roots[pose]
    betas = torch.zeros(1, model.num_betas, dtype=torch.float64)
    keypoints = model.pose(root[None], library.poses[[pose]], betas).keypoints[0]
    return keypoints[:, :2] * size / 1.7 + torch.tensor(corner, dtype=torch.float64), root


@pytest.mark.parametrize(("pose", "view"), [(3, 0), (20, 4), (41, 7), (60, 10)])
def test_finds_what_it_projected(body, library, starts, pose, view):
    points, root = seen(body, library, pose, view * 2 * torch.pi / 12, 0.1, 350.0, (80.0, -40.0))
    found = starts.of(targets_of(points), SIGMA, WEIGHTS, 8)
    assert float(geodesic_angle(found.state.root[0], root)) < 0.02
    torch.testing.assert_close(found.state.pose[0], library.poses[pose])
    assert found.size == pytest.approx(350, rel=0.15)
    corner = found.state.place[0, :2] * found.size
    torch.testing.assert_close(corner, torch.tensor([80.0, -40.0], dtype=torch.float64), atol=0.1, rtol=0)
    depth = float(found.state.place[0, 2].exp())
    assert FOCAL / depth * 1.7 == pytest.approx(350, rel=1e-3)


def test_the_first_start_explains_the_points_as_a_state(body, library, starts, make_energy):
    energy: Energy = make_energy(COCO17)
    points, _ = seen(body, library, 20, 4 * 2 * torch.pi / 12, 0.0, 300.0, (0.0, 0.0))
    aim = targets_of(points)
    found = starts.of(aim, SIGMA, WEIGHTS, 1)
    projected = energy.project(found.state, aim._replace(size=torch.tensor([found.size])))
    assert (projected[0] - points).norm(dim=-1).max() < 0.5


def test_starts_differ_and_come_best_first(body, library, starts):
    points, _ = seen(body, library, 5, 1.0, 0.0, 300.0, (0.0, 0.0))
    found = starts.of(targets_of(points), SIGMA, WEIGHTS, 8)
    assert len(found.scores) == 8
    assert (found.scores.diff() >= 0).all()
    keypoints = starts.model.pose(*found.state[:3]).keypoints
    apart = (keypoints[:, None] - keypoints).square().sum(-1).mean(-1).sqrt()
    assert apart[~torch.eye(8, dtype=torch.bool)].min() > 0.2


def test_a_shifted_and_enlarged_person_starts_alike(body, library, starts):
    points, _ = seen(body, library, 9, 2.0, 0.0, 200.0, (0.0, 0.0))
    one = starts.of(targets_of(points), SIGMA, WEIGHTS, 4)
    two = starts.of(targets_of(3 * points + 500), SIGMA, WEIGHTS, 4)
    torch.testing.assert_close(one.state.root, two.state.root, atol=1e-4, rtol=0)
    assert torch.equal(one.state.pose, two.state.pose)
    assert two.size == pytest.approx(3 * one.size, rel=1e-4)


def test_only_the_upper_body_shown_starts_upright(body, library, starts):
    points, _ = seen(body, library, 3, 0.0, 0.0, 400.0, (0.0, 0.0))
    weights = torch.zeros(17, dtype=torch.float64)
    weights[:11] = 1
    found = starts.of(targets_of(points, weights), SIGMA, WEIGHTS, 3)
    assert (found.state.root[:, 1, 1] < -0.7).all()


def test_points_without_weight_do_not_matter(body, library, starts):
    points, _ = seen(body, library, 3, 0.0, 0.0, 400.0, (0.0, 0.0))
    weights = torch.ones(17, dtype=torch.float64)
    weights[9] = 0
    spoilt = points.clone()
    spoilt[9] = 1e6
    one = starts.of(targets_of(points, weights), SIGMA, WEIGHTS, 4)
    two = starts.of(targets_of(spoilt, weights), SIGMA, WEIGHTS, 4)
    assert all(torch.equal(a, b) for a, b in zip(one.state, two.state, strict=True))


def test_residual_limb_ends_do_not_decide_the_start(body, library):
    starts = Starts(KeypointModel(body, LDPOSE25), library)
    points, _ = seen(body, library, 3, 0.0, 0.0, 400.0, (0.0, 0.0))
    points = torch.cat([points, torch.full((8, 2), 1e4, dtype=torch.float64)])
    sigma = torch.full((25,), 0.015, dtype=torch.float64)
    found: State = starts.of(targets_of(points), sigma, WEIGHTS, 1).state
    torch.testing.assert_close(found.pose[0], library.poses[3])
