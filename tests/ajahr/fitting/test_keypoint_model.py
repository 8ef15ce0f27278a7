"""The folded keypoint model against the whole mesh posed naively, and its derivatives against differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ajahr.anatomy import (
    BODY25,
    COCO17,
    J44,
    J44_FROM_COCO17,
    J44_FROM_SMPL45,
    LDPOSE25,
    PARENTS,
    SMPL24,
    KeypointLayout,
)
from ajahr.body.keypoints import LDPOSE_RESIDUAL_JOINTS
from ajahr.body.regressors import VERTEX_KEYS
from ajahr.fitting.keypoint_model import KeypointModel, rotvec_jacobian
from ajahr.geometry.rotations import rotvec_to_rotmat

LAYOUTS = [SMPL24, COCO17, LDPOSE25, BODY25, J44]


def draw(batch: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    root = rotvec_to_rotmat(torch.randn(batch, 3, generator=generator, dtype=torch.float64))
    pose = 0.5 * torch.randn(batch, 23, 3, generator=generator, dtype=torch.float64)
    return root, pose, torch.randn(batch, 10, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def bent_body(body):
    """The body with pose-dependent offsets as large as a real file's."""
    posedirs = np.random.default_rng(0).normal(size=(207, 3 * len(body.v_template))) * 5e-3
    return replace(body, posedirs=posedirs.astype(np.float32))


def naive(body, layout: KeypointLayout, root, pose, betas) -> np.ndarray:
    """The layout's keypoints of one person, by posing every vertex, float64; the pelvis at rest stays put."""
    rotations = [root.numpy(), *rotvec_to_rotmat(pose).numpy()]
    vertices = body.v_template + body.shapedirs.astype(np.float64) @ betas.numpy()
    joints = body.J_regressor.astype(np.float64) @ vertices
    if body.posedirs is not None:
        feature = np.concatenate([(r - np.eye(3)).ravel() for r in rotations[1:]])
        vertices = vertices + (feature @ body.posedirs.astype(np.float64)).reshape(-1, 3)
    turns, places = [rotations[0]], [joints[0]]
    for j, parent in enumerate(PARENTS[1:], start=1):
        turns.append(turns[parent] @ rotations[j])
        places.append(places[parent] + turns[parent] @ (joints[j] - joints[parent]))
    posed = sum(
        body.weights[:, j : j + 1].astype(np.float64) * ((vertices - joints[j]) @ turns[j].T + places[j])
        for j in range(24)
    )
    places = np.stack(places)
    named = np.concatenate([places, posed[[body.vertex_ids[k] for k in VERTEX_KEYS]]])
    j44 = np.concatenate([named[list(J44_FROM_SMPL45)], body.J19_regressor.astype(np.float64) @ posed])
    coco = j44[list(J44_FROM_COCO17)]
    return {
        "smpl24": places,
        "coco17": coco,
        "ldpose25": np.concatenate([coco, places[list(LDPOSE_RESIDUAL_JOINTS)]]),
        "body25": j44[:25],
        "j44": j44,
    }[layout.name]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
@pytest.mark.parametrize("posedirs", [False, True])
def test_same_as_the_whole_mesh(body, bent_body, layout, posedirs):
    body = bent_body if posedirs else body
    model = KeypointModel(body, layout)
    root, pose, betas = draw(2)
    found = model.pose(root, pose, betas).keypoints + model.rest_joints(betas)[:, None]
    expected = np.stack([naive(body, layout, root[i], pose[i], betas[i]) for i in range(2)])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
def test_jacobian_matches_differences(body, layout):
    model = KeypointModel(body, layout)
    root, pose, betas = draw(3, seed=1)
    pose[0] = 0  # the exponential map at zero
    jacobian = model.jacobian(model.pose(root, pose, betas), pose)
    step = 1e-5
    for i in (*range(12), *range(39, 82)):
        turn, bend, grow = (torch.zeros(82, dtype=torch.float64).index_fill_(0, torch.tensor(i), step)).split(
            [3, 69, 10]
        )

        def at(sign, turn=turn, bend=bend, grow=grow):
            turned = rotvec_to_rotmat(sign * turn) @ root
            return model.pose(turned, pose + sign * bend.reshape(23, 3), betas + sign * grow).keypoints

        torch.testing.assert_close(jacobian[..., i], (at(1) - at(-1)) / (2 * step), atol=1e-8, rtol=0)


def test_a_keypoint_turns_only_with_joints_above_it(body):
    model = KeypointModel(body, COCO17)
    root, pose, betas = draw(1)
    jacobian = model.jacobian(model.pose(root, pose, betas), pose)
    left_wrist = jacobian[0, COCO17.index["left_wrist"], :, : 3 * 24].reshape(3, 24, 3)
    moved = left_wrist.abs().amax((0, 2)) > 1e-9
    # above the wrist: pelvis, spine, left collar, shoulder, elbow; its own turn does not move it
    assert moved.nonzero()[:, 0].tolist() == [0, 3, 6, 9, 13, 16, 18]


@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-3, 0.7, 3.0])
def test_rotvec_jacobian_is_the_exponential_maps(size):
    v = size * torch.nn.functional.normalize(torch.tensor([0.3, -1.0, 0.5], dtype=torch.float64), dim=0)
    jacobian, step = rotvec_jacobian(v), 1e-6
    for i in range(3):
        d = torch.zeros(3, dtype=torch.float64).index_fill_(0, torch.tensor(i), step)
        change = rotvec_to_rotmat(v + d) @ rotvec_to_rotmat(v - d).mT  # exp(2 J d)
        turn = torch.stack(
            [change[2, 1] - change[1, 2], change[0, 2] - change[2, 0], change[1, 0] - change[0, 1]]
        )
        torch.testing.assert_close(jacobian[:, i], turn / (4 * step), atol=1e-8, rtol=0)
