"""The crop's pixels: upstream's within a tolerance, exact averages, mirrors, borders, extremes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fake_people import jpeg, photo

from ajahr.data.hmr.augmentation import Placements
from ajahr.data.hmr.crops import TOLERANCE, cut, reduction_for, rows_seen
from ajahr.data.hmr.pictures import decode_reduced
from ajahr.geometry.crops import crop_affine, crop_image


def rms(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a.astype(float) - b) ** 2)))


def averaged(image: np.ndarray, side: float, centre: tuple[float, float], samples: int = 5) -> np.ndarray:
    """Exact area averaging, by many samples per pixel."""
    large = crop_image(image, crop_affine(centre, side, 256 * samples), 256 * samples, antialias=False)
    return cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("side", [90.0, 256.0, 400.0, 511.0, 600.0, 900.0, 1300.0])
@pytest.mark.parametrize("rotation", [0.0, 0.5])
def test_equals_upstreams_recipe_within_the_tolerance(side, rotation):
    data = jpeg(photo(1300, 1000, seed=3), 92)
    affine = crop_affine((610.3, 520.7), side, rotation=rotation)
    whole, _ = decode_reduced(data, 1, "x")
    upstream = crop_image(whole, affine)
    image, reduction = decode_reduced(data, reduction_for(side / 256), "x")
    ours = cut(image, affine, reduction=reduction)
    if side < 512:
        assert reduction == 1 and rms(ours, upstream) < 0.5, "only rounding"
    else:
        assert reduction > 1 and rms(ours, upstream) < TOLERANCE


@pytest.mark.parametrize("side", [600.0, 900.0, 1150.0])
def test_strong_reductions_are_area_averages(side):
    """Closer to the exact average than upstream's weak blur, and in the same place."""
    grain = np.random.default_rng(0).normal(0, 12, (1300, 1300, 1))
    data = jpeg(np.clip(photo(1300, 1300, seed=4) + grain, 0, 255).astype(np.uint8), 92)
    centre = (650.3, 640.7)
    whole, _ = decode_reduced(data, 1, "x")
    exact = averaged(whole, side, centre)
    image, reduction = decode_reduced(data, reduction_for(side / 256), "x")
    affine = crop_affine(centre, side)
    ours = cut(image, affine, reduction=reduction)
    assert rms(ours, exact) < rms(crop_image(whole, affine), exact)
    shifted = [rms(np.roll(ours, step, 1), exact) for step in (-1, 1)]
    assert rms(ours, exact) < 0.7 * min(shifted)


@pytest.mark.parametrize("shrink", [2.5, 5.0, 20.0])
def test_formats_without_reduced_decoding_are_averaged_too(shrink):
    image = photo(1800, 1500, seed=5)
    side = 256 * shrink
    centre = (900.2, 700.9)
    assert rms(cut(image, crop_affine(centre, side)), averaged(image, side, centre)) < 5


def test_reductions():
    found = [reduction_for(shrink) for shrink in (0.1, 1.0, 1.99, 2.0, 3.99, 4.0, 7.9, 8.0, 500.0)]
    assert found == [1, 1, 1, 2, 2, 4, 4, 8, 8]


def test_mirror_in_the_map_is_a_mirrored_picture():
    image = photo(300, 200, seed=6)
    place = Placements(np.array([[120.0, 90.0]]), np.array([150.0]), np.array([0.3]), np.array([True]))
    by_hand = cut(np.ascontiguousarray(image[:, ::-1]), crop_affine((300 - 120, 90), 150, rotation=0.3))
    assert np.abs(cut(image, place.affine()[0]).astype(int) - by_hand).max() <= 1


def test_black_outside_and_nothing_in_sight():
    image = np.full((100, 100, 3), 200, np.uint8)
    crop = cut(image, crop_affine((50, 50), 200))
    assert (crop[70:186, 70:186] == 200).all() and not crop[:60].any() and not crop[:, 196:].any()
    for centre in ((-500.0, 50.0), (50.0, 9000.0)):
        assert not cut(image, crop_affine(centre, 100)).any()
        assert not cut(image, crop_affine(centre, 1000)).any()


@pytest.mark.parametrize("pixel_centres", [True, False])
@pytest.mark.parametrize("reduction", [1, 2, 4])
def test_rows_below_those_seen_are_of_no_matter(reduction, pixel_centres):
    rng = np.random.default_rng(reduction)
    image = photo(300, 400, seed=9)
    for _ in range(40):
        centre, side = rng.uniform(-50, 350, 2) * reduction, rng.uniform(20, 700) * reduction
        affine = crop_affine((float(centre[0]), float(centre[1])), side, rotation=rng.uniform(-1, 1))
        rows = rows_seen(affine, 400 * reduction, reduction=reduction)
        other = image.copy()
        other[-(-rows // reduction) :] = 255
        wanted, found = (
            cut(one, affine, reduction=reduction, pixel_centres=pixel_centres) for one in (image, other)
        )
        np.testing.assert_array_equal(found, wanted)
        shorter = np.ascontiguousarray(image[: -(-rows // reduction)])
        np.testing.assert_array_equal(
            cut(shorter, affine, reduction=reduction, pixel_centres=pixel_centres), wanted
        )


def test_half_pixel_shift_of_the_lineage():
    """Against OpenCV given the affine itself, which takes indices for coordinates."""
    image = photo(400, 300, seed=7)
    affine = crop_affine((200, 150), 250, rotation=0.2)
    expected = cv2.warpAffine(image, affine, (256, 256), flags=cv2.INTER_LINEAR)
    assert np.abs(cut(image, affine, pixel_centres=False).astype(int) - expected).max() <= 1
    data = jpeg(cv2.GaussianBlur(photo(1200, 900, seed=7), (0, 0), 6), 97)
    affine = crop_affine((600, 450), 800)
    whole, reduced = decode_reduced(data, 1, "x")[0], decode_reduced(data, 2, "x")[0]
    expected = cv2.warpAffine(whole, affine, (256, 256), flags=cv2.INTER_LINEAR)
    assert rms(cut(reduced, affine, reduction=2, pixel_centres=False), expected) < 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (3, 40_000), (40_000, 2)])
def test_odd_pictures(shape):
    image = np.full((*shape, 3), 77, np.uint8)
    crop = cut(image, crop_affine((shape[1] / 2, shape[0] / 2), 1.2 * max(shape)))
    assert crop.shape == (256, 256, 3) and crop.max() <= 77
    near = cut(image, crop_affine((shape[1] / 2, shape[0] / 2), 3 * min(shape)))
    assert near[128, 128, 0] in (76, 77)


def test_into_a_given_array():
    image, affine = photo(200, 200), crop_affine((100, 100), 150)
    out = np.zeros((2, 256, 256, 3), np.uint8)
    cut(image, affine, out=out[1])
    np.testing.assert_array_equal(out[1], cut(image, affine))
    assert not out[0].any()
