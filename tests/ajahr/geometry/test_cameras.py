"""Camera: golden values of the upstream formulas, laws, numpy and torch alike."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from ajahr.geometry import cameras
from ajahr.geometry.cameras import Camera

CAM = np.array([0.9, 0.1, -0.05])


def both(value):
    return [np.asarray(value, np.float64), torch.tensor(np.asarray(value), dtype=torch.float64)]


@pytest.mark.parametrize("cam", both(CAM))
def test_golden_crop_camera(cam):
    translation = cameras.crop_translation(cam)
    assert type(translation) is type(cam)
    np.testing.assert_allclose(translation, (0.1, -0.05, 43.402779), atol=1e-6)
    point = cam * 0 + cam.__class__.__call__(cam) if False else translation * 0
    point[0], point[1], point[2] = 0.2, -0.5, 0.1
    np.testing.assert_allclose(cameras.project_crop(point + translation), (0.134690, -0.246931), atol=1e-6)


@pytest.mark.parametrize("cam", both(CAM))
def test_golden_crop_to_full(cam):
    focal = cameras.hmr_focal_length(1280, 720)
    assert focal == 25000
    translation = cameras.crop_to_full_translation(cam, cam[:2] * 0 + 300, 400.0, cam[:2] * 0 + 1280, focal)
    del translation
    size, centre = np.array([1280, 720]), np.array([700, 300])
    full = cameras.crop_to_full_translation(cam, centre, 400.0, size, focal)
    np.testing.assert_allclose(full, (0.433333, -0.383333, 138.888889), atol=1e-6)
    np.testing.assert_allclose(cameras.full_to_crop_cam(full, centre, 400.0, size, focal), CAM, atol=1e-9)
