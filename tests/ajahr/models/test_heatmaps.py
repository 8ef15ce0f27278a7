from __future__ import annotations

import math

import torch

from ajahr.models.heatmaps import keypoint_heatmaps


def test_values_of_the_released_generator() -> None:
    """Facts, section 12: an interior point, the corner blob of a point at zero, a point off the canvas."""
    points = torch.tensor([[[100.0, 60.0], [0.0, 0.0], [700.0, 400.0]]])
    maps = keypoint_heatmaps(points, torch.ones(1, 3, dtype=torch.bool), 256, pixel_centres=False)[0]
    assert maps[0, 60, 100] == 1 and maps[1, 0, 0] == 1
    torch.testing.assert_close(maps.sum((1, 2)), torch.tensor([25.1327, 9.03981, 0.0]), atol=1e-4, rtol=0)


def test_equals_a_loop_over_pixels() -> None:
    torch.manual_seed(0)
    points, drawn = torch.rand(2, 3, 2) * 20 - 2, torch.tensor([[True, False, True], [True, True, True]])
    maps = keypoint_heatmaps(points, drawn, 16, 1.5)
    for i in range(2):
        for k in range(3):
            for row in range(16):
                for column in range(16):
                    x, y = points[i, k].tolist()
                    d2 = (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2
                    value = math.exp(-d2 / (2 * 1.5**2)) if drawn[i, k] else 0.0
                    assert abs(float(maps[i, k, row, column]) - value) < 1e-6


def test_nan_that_is_not_drawn_leaves_the_map_empty() -> None:
    points = torch.tensor([[[math.nan, 3.0], [4.0, math.inf]]])
    assert not keypoint_heatmaps(points, torch.zeros(1, 2, dtype=torch.bool), 8).any()
