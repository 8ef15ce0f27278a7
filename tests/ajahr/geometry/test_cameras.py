"""Cameras: golden values of the lineage's formulas, laws, numpy and torch alike."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ajahr.geometry import cameras
from ajahr.geometry.cameras import Camera

CAM = (0.9, 0.1, -0.05)


@pytest.fixture(params=[np.float64, torch.float64, np.float32, torch.float32], ids=str)
def make(request):
    """Arrays of one library and dtype."""
    if isinstance(request.param, torch.dtype):
        return lambda values: torch.tensor(np.asarray(values), dtype=request.param)
    return lambda values: np.asarray(values, request.param)


def test_golden_crop_camera_and_projection(make):
    translation = cameras.crop_translation(make(CAM))
    np.testing.assert_allclose(translation, (0.1, -0.05, 43.402779), rtol=1e-6)
    seen = cameras.project_crop(make((0.2, -0.5, 0.1)) + translation)
    np.testing.assert_allclose(seen, (0.134690, -0.246931), rtol=1e-5)
    assert type(seen) is type(make(0.0)) and seen.dtype == make(0.0).dtype


def test_golden_crop_to_full_and_back(make):
    focal = cameras.hmr_focal_length(1280, 720)
    assert focal == 25000
    centre, size = make((700, 300)), make((1280, 720))
    full = cameras.crop_to_full_translation(make(CAM), centre, 400.0, size, focal)
    np.testing.assert_allclose(full, (0.433333, -0.383333, 138.888889), rtol=1e-5)
    back = cameras.full_to_crop_cam(full, centre, 400.0, size, focal)
    np.testing.assert_allclose(back, CAM, rtol=1e-5)


def test_crop_and_whole_image_agree_on_a_point_seen_from_far():
    # They view along different rays, so they agree only where the person is shallow against the depth.
    points = np.random.default_rng(0).normal(size=(30, 3)) * (0.3, 0.5, 0.0)
    cam, centre, side = np.array(CAM), np.array([700.0, 300.0]), 400.0
    in_crop = cameras.project_crop(points + cameras.crop_translation(cam)) * side + centre
    camera = Camera.hmr(1280, 720)
    translation = cameras.crop_to_full_translation(
        cam, centre, side, np.array([1280, 720]), camera.focal_length
    )
    np.testing.assert_allclose(camera.project(points + translation), in_crop, atol=1e-3)


def test_batches_have_their_own_boxes_and_images(make):
    rng = np.random.default_rng(1)
    cam = rng.uniform(0.5, 1, (5, 3))
    centre, side = rng.uniform(0, 500, (5, 2)), rng.uniform(100, 400, 5)
    size, focal = rng.integers(300, 900, (5, 2)), rng.uniform(500, 9000, 5)
    together = cameras.crop_to_full_translation(make(cam), make(centre), make(side), make(size), make(focal))
    for i in range(5):
        alone = cameras.crop_to_full_translation(cam[i], centre[i], side[i], size[i], focal[i])
        np.testing.assert_allclose(together[i], alone, rtol=1e-4)


@pytest.mark.parametrize("weak_depth", [None, 3.0])
def test_project_is_undone_by_unproject(make, weak_depth):
    camera = Camera(640, 480, 700.0, (300.0, 250.0), weak_depth)
    points = make(np.random.default_rng(2).uniform((-1, -1, 2), (1, 1, 5), (4, 7, 3)))
    np.testing.assert_allclose(
        camera.unproject(camera.project(points), points[..., 2]), points, rtol=1e-4, atol=1e-5
    )


def test_project_matches_intrinsics():
    camera = Camera(640, 480, 700.0, (300.0, 250.0))
    point = np.array([0.3, -0.2, 2.5])
    homogeneous = camera.intrinsics @ point
    np.testing.assert_allclose(camera.project(point), homogeneous[:2] / homogeneous[2])


def test_weak_perspective_ignores_a_points_own_depth_and_meets_perspective_at_its_depth():
    camera = Camera.centred(640, 480, 700.0)
    near, far = np.array([0.3, -0.2, 2.5]), np.array([0.3, -0.2, 4.0])
    weak = camera.weak(2.5)
    assert (weak.project(near) == weak.project(far)).all()
    np.testing.assert_allclose(weak.project(near), camera.project(near))
    assert (camera.project(near) != camera.project(far)).any()


@given(st.floats(-50, 300), st.floats(-50, 300), st.floats(0.2, 4))
def test_cropped_camera_sees_what_the_window_shows(left, top, scale):
    camera = Camera.centred(640, 480, 700.0)
    point = np.array([0.3, -0.2, 2.5])
    expected = (camera.project(point) - (left, top)) * scale
    np.testing.assert_allclose(camera.cropped(left, top, 64, 64, scale).project(point), expected, atol=1e-6)


def test_gradients_reach_the_points():
    camera = Camera.centred(640, 480, 700.0)
    points = torch.tensor([[0.3, -0.2, 2.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(camera.project, points)


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 0},
        {"height": -1},
        {"focal_length": 0.0},
        {"focal_length": float("nan")},
        {"weak_depth": 0.0},
        {"weak_depth": float("inf")},
    ],
)
def test_a_camera_that_cannot_be_is_refused(arguments):
    good = {"width": 6, "height": 4, "focal_length": 5.0, "principal_point": (3.0, 2.0)}
    with pytest.raises(ValueError, match="positive"):
        Camera(**{**good, **arguments})


def test_the_modules_for_workers_do_not_load_torch():
    code = (
        "import sys, ajahr.geometry.cameras, ajahr.geometry.crops, numpy as np;"
        "import ajahr.geometry.rotations_np as r;"
        "ajahr.geometry.cameras.Camera.hmr(4, 4).project(np.ones((2, 3))); r.rotmat_to_rotvec(np.eye(3));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
