"""UDP's crop: where points of the picture land."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ajahr.geometry.crops import apply_affine
from ajahr.keypoints.crops import Place, cut_person

BOX = np.array([100.0, 50.0, 220.0, 330.0])


def test_the_grown_box_s_edges_fall_on_the_outermost_pixel_centres() -> None:
    place = Place.of_box(BOX)
    assert place.size == pytest.approx([280 * 0.75 * 1.25, 280 * 1.25])
    low, high = place.centre - place.size / 2, place.centre + place.size / 2
    corners = apply_affine(place.affine(), np.array([low, high]))
    assert corners == pytest.approx(np.array([[0.5, 0.5], [191.5, 255.5]]))


def test_it_is_udp_s_matrix() -> None:
    """UDP's warp in pixel indices: rotation about the centre, then size - 1 over scale; here against its formula."""
    place = Place(np.array([210.0, 340.0]), np.array([180.0, 240.0]), rotation=0.4)
    theta = -0.4
    sx, sy = 191 / 180, 255 / 240
    cx, cy = 210.0 - 0.5, 340.0 - 0.5  # their centre, an index
    c, s = np.cos(theta), np.sin(theta)
    linear = np.array([[c * sx, -s * sx], [s * sy, c * sy]])
    offset = np.array([
        sx * (-0.5 * 2 * cx * c + 0.5 * 2 * cy * s + 0.5 * 180), sy * (-0.5 * 2 * cx * s - 0.5 * 2 * cy * c + 0.5 * 240)
    ])  # fmt: skip
    points = np.random.default_rng(0).uniform(0, 500, (20, 2))
    theirs = (points - 0.5) @ linear.T + offset + 0.5
    assert apply_affine(place.affine(), points) == pytest.approx(theirs)


def test_a_flipped_crop_is_the_crop_mirrored() -> None:
    rng = np.random.default_rng(1)
    image = cv2.GaussianBlur(rng.integers(0, 255, (400, 300, 3), np.uint8), (0, 0), 6)
    place = Place.of_box(BOX)
    mirrored = cut_person(image, Place(place.centre, place.size, flip=True))
    difference = mirrored.astype(int) - cut_person(image, place)[:, ::-1]
    assert mirrored.shape == (256, 192, 3) and np.abs(difference).mean() < 0.3
    points = rng.uniform(0, 300, (10, 2))
    flipped = apply_affine(Place(place.centre, place.size, flip=True).affine(), points)
    plain = apply_affine(place.affine(), points)
    assert flipped[:, 0] == pytest.approx(192 - plain[:, 0]) and flipped[:, 1] == pytest.approx(plain[:, 1])


@pytest.mark.parametrize("scale", [0.4, 1.0, 5.0])
def test_pixels_land_where_points_do(scale: float) -> None:
    size = (int(300 * scale), int(400 * scale))
    image = np.zeros((size[1], size[0], 3), np.uint8)
    spot = np.array([160.25, 210.75]) * scale
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    image[:] = (250 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * (6 * scale) ** 2)))[..., None]
    place = Place.of_box(BOX * scale, 1.25)
    place = Place(place.centre, place.size, rotation=0.3)
    crop = cut_person(image, place)[..., 0].astype(float)
    rows, columns = np.indices(crop.shape)
    centroid = np.array([((columns + 0.5) * crop).sum(), ((rows + 0.5) * crop).sum()]) / crop.sum()
    assert centroid == pytest.approx(apply_affine(place.affine(), spot[None])[0], abs=0.1)
