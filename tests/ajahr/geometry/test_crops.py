"""Crops: golden values, coordinates and pixels that agree, the demo's antialiasing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ajahr.geometry import crops


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 100), (100, 400 / 3)), ((50, 200), (150, 200)), ((300, 200), (300, 400))]
)
def test_golden_aspect_expansion(size, expected):
    np.testing.assert_allclose(crops.expand_to_aspect(np.array(size)), expected)
    assert crops.crop_side(np.array(size)) == pytest.approx(max(expected))


def test_aspect_expansion_never_shrinks_and_reaches_the_aspect():
    size = np.random.default_rng(0).uniform(1, 500, (200, 2))
    grown = crops.expand_to_aspect(size)
    assert (grown >= size - 1e-9).all()
    np.testing.assert_allclose(grown[:, 1] / grown[:, 0], 256 / 192)


def test_golden_crop_affine():
    np.testing.assert_allclose(crops.crop_affine((100, 80), 200), [[1.28, 0, 0], [0, 1.28, 25.6]], atol=1e-12)
    turned = [[1.10851253, 0.64000001, -34.05125369], [-0.64000001, 1.10851253, 103.31899944]]
    np.testing.assert_allclose(crops.crop_affine((100, 80), 200, rotation=np.deg2rad(30)), turned, atol=1e-5)


def test_golden_body_rotation():
    np.testing.assert_allclose(
        crops.rotate_body(np.array([1.0, 0, 0]), np.deg2rad(30)), (0.8660254, -0.5, 0), atol=1e-7
    )


def test_body_and_plane_turn_together():
    point = np.array([0.4, -0.3, 2.0])
    affine = crops.crop_affine((0, 0), 256, rotation=0.7)
    np.testing.assert_allclose(
        crops.rotate_body(point, 0.7)[:2], crops.apply_affine(affine, point[:2]) - 128, atol=1e-12
    )


def test_affine_there_and_back_and_the_centre():
    rng = np.random.default_rng(1)
    affine = crops.crop_affine((31.5, 77), 93.0, rotation=-0.4)
    points = rng.uniform(-100, 300, (4, 5, 2))
    there = crops.apply_affine(affine, points)
    np.testing.assert_allclose(crops.apply_affine(crops.invert_affine(affine), there), points, atol=1e-9)
    np.testing.assert_allclose(crops.apply_affine(affine, np.array([31.5, 77])), (128, 128))


def test_normalised_points_span_the_crop():
    np.testing.assert_allclose(
        crops.normalise_points(np.array([[0.0, 128], [256, 64]])), [[-0.5, 0], [0.5, -0.25]]
    )


@pytest.mark.parametrize("side", [0.0, -3.0, np.nan, np.inf])
def test_a_crop_without_a_side_is_refused(side):
    with pytest.raises(ValueError, match="positive side"):
        crops.crop_affine((0, 0), side)


def test_box_from_points():
    centre, size = crops.box_from_points(np.array([[10, 20], [30, 80], [20, 40]]), scale=1.5)
    assert centre.tolist() == [20, 50] and size.tolist() == [30, 90]
    with pytest.raises(ValueError, match="at least one"):
        crops.box_from_points(np.zeros((0, 2)))


def centroid(image: np.ndarray) -> np.ndarray:
    """Centre of mass, continuous pixels (x, y)."""
    y, x = np.indices(image.shape) + 0.5
    return np.array([(x * image).sum(), (y * image).sum()]) / image.sum()


@pytest.mark.parametrize("side", [100.0, 256.0, 900.0])
@pytest.mark.parametrize("rotation", [0.0, 0.5])
def test_a_spot_lands_where_its_coordinates_do(side, rotation):
    y, x = np.indices((400, 500)) + 0.5
    spot = np.array([230.5, 205.25])
    image = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 6.0**2)).astype(np.float32)
    affine = crops.crop_affine((240, 200), side, rotation=rotation)
    found = centroid(crops.crop_image(image, affine))
    np.testing.assert_allclose(found, crops.apply_affine(affine, spot), atol=0.02)


def test_lineage_grid_is_the_same_affine_on_pixel_indices():
    image = np.random.default_rng(2).uniform(0, 255, (60, 60)).astype(np.float32)
    affine = crops.crop_affine((30, 30), 40.0, crop_size=80)
    crop = crops.crop_image(image, affine, 80, pixel_centres=False)
    index = crops.apply_affine(crops.invert_affine(affine), np.stack(np.meshgrid(*[np.arange(80.0)] * 2), -1))
    twin = ndimage.map_coordinates(image, [index[..., 1], index[..., 0]], order=1)
    np.testing.assert_allclose(crop, twin, atol=255 / 32)  # cv2 rounds the weights to 1/32


def test_antialiasing_is_the_demos_blur_of_the_whole_image():
    image = np.random.default_rng(3).integers(0, 256, (700, 900, 3), np.uint8)
    for centre, side in (((450, 350), 800.0), ((60, 650), 1100.0)):
        affine = crops.crop_affine(centre, side)
        factor = side / 256
        sigma = (factor / 2 - 1) / 2
        blurred = ndimage.gaussian_filter(
            image.astype(np.float32), (sigma, sigma, 0), mode="nearest", truncate=4
        )
        twin = crops.crop_image(blurred, affine, antialias=False)
        crop = crops.crop_image(image, affine)
        assert crop.dtype == np.uint8
        assert np.abs(crop - twin).max() <= 0.51 + 0.05  # rounding, and cv2's kernel is float32


def test_no_blur_below_the_threshold_and_black_outside():
    image = np.full((50, 50, 3), 200, np.uint8)
    affine = crops.crop_affine((0, 0), 100.0, crop_size=64)
    crop = crops.crop_image(image, affine, 64)
    assert (crop[:31, :31] == 0).all() and (crop[34:, 34:] == 200).all()
    checker = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    assert (crops.crop_image(checker, crops.crop_affine((128, 128), 256.0)) == checker).all()


def test_a_crop_that_misses_the_image_is_black():
    image = np.full((50, 50), 200, np.uint8)
    assert not crops.crop_image(image, crops.crop_affine((5000, 5000), 800.0)).any()
