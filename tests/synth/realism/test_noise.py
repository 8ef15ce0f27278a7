"""Grain: what is measured on a picture is what is added to rendered pixels."""

import cv2
import numpy as np
import pytest

from synth.realism.noise import (
    GRAINS,
    LEVELS,
    MIN_SIGMA,
    NO_GRAIN,
    TILE,
    Grain,
    estimate_grain,
    grain_offset,
    grain_tile,
)
from synth.realism.paste import paste


def clean(textured: bool = False) -> np.ndarray:
    """All brightnesses, smoothly; a half of it textured if asked for."""
    image = np.repeat(np.linspace(15, 240, 512)[None, :, None], 3, axis=2).repeat(256, axis=0)
    if textured:
        rng = np.random.default_rng(1)
        rough = cv2.resize(rng.normal(0, 25, (64, 128)).astype(np.float32), (512, 128))
        image[128:] += rough[..., None] + rng.normal(0, 12, (128, 512, 1))
    return np.clip(image, 0, 255)


def noisy(image: np.ndarray, sigma, size: float, chroma: float = 0.0) -> np.ndarray:
    """Grain put on by a plain formula, another one than the code's."""
    tile = np.tile(grain_tile(size), (1, 2, 1))[: image.shape[0], : image.shape[1]]
    strength = np.interp(image[..., :1], LEVELS, sigma) if np.ndim(sigma) else sigma
    luma, red, blue = np.moveaxis(tile, 2, 0) * np.array([1, chroma, chroma])[:, None, None]
    grain = np.stack([luma + 1.402 * red, luma - 0.714 * red - 0.344 * blue, luma + 1.772 * blue], axis=2)
    return np.clip(image + strength * grain + 0.5, 0, 255).astype(np.uint8)


# law


@pytest.mark.parametrize("size", [0.0, 0.45, 0.75])
@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_strength_and_size_are_found(sigma, size):
    grain = estimate_grain(noisy(clean(), sigma, size))
    assert np.mean(grain.sigma) == pytest.approx(sigma, rel=0.2)
    assert abs(GRAINS.index(grain.size) - GRAINS.index(size)) <= 1


def test_texture_is_not_taken_for_grain():
    bare, textured = (estimate_grain(noisy(clean(rough), 3.0, 0.45)) for rough in (False, True))
    assert np.mean(textured.sigma) == pytest.approx(np.mean(bare.sigma), rel=0.25)


def test_strength_follows_brightness():
    sigma = (1.6, 2.2, 2.6, 3.0, 3.4)
    found = estimate_grain(noisy(clean(), sigma, 0.3)).sigma
    assert found[0] < found[1] < found[3]
    assert found == pytest.approx(sigma, rel=0.35)


def test_coloured_grain_is_told_from_grey():
    grey, coloured = (estimate_grain(noisy(clean(), 5.0, 0.45, chroma)).chroma for chroma in (0.0, 0.5))
    assert grey < 0.1 and coloured == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("size", [0.3, 0.6])
@pytest.mark.parametrize("sigma", [2.0, 4.5])
def test_rendered_pixels_get_the_photographs_own_statistics(sigma, size):
    photo = noisy(clean(), sigma, size)
    layer = np.dstack([clean().astype(np.uint8), np.full((256, 512), 255, np.uint8)])
    rendered = np.zeros_like(photo)
    paste(rendered, layer, (0, 0), grain=estimate_grain(photo), offset=(17, 91))
    ours, theirs = estimate_grain(rendered), estimate_grain(photo)
    assert ours.sigma == pytest.approx(theirs.sigma, rel=0.25)
    assert abs(GRAINS.index(ours.size) - GRAINS.index(theirs.size)) <= 1


def test_where_the_photograph_is_not_its_own_does_not_count():
    image = noisy(clean(), 2.0, 0.3)
    own = np.ones(image.shape[:2], bool)
    own[:, 256:] = False
    image[:, 256:] = 128  # filled flat
    whole, part = estimate_grain(image), estimate_grain(image, own)
    assert part.sigma[1] == pytest.approx(2.0, rel=0.25)
    assert whole.sigma[2] < part.sigma[2]


@pytest.mark.parametrize("size", GRAINS)
def test_the_tile_is_of_unit_strength_and_has_no_seam(size):
    tile = grain_tile(size)
    assert tile.shape == (TILE, TILE, 3) and tile.std(axis=(0, 1)) == pytest.approx(np.ones(3), abs=1e-3)
    inside = np.abs(np.diff(tile[..., 0], axis=0)).mean()
    assert np.abs(tile[0, :, 0] - tile[-1, :, 0]).mean() == pytest.approx(inside, rel=0.2)


# edge


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_flat_photograph_has_no_grain(value):
    assert estimate_grain(np.full((128, 128, 3), value, np.uint8)) == NO_GRAIN


@pytest.mark.parametrize("shape", [(3, 3), (15, 200), (16, 16)])
def test_a_picture_too_small_to_tell_has_no_grain(shape):
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    assert estimate_grain(image) == NO_GRAIN


def test_a_black_half_does_not_hide_the_grain_of_the_other():
    image = noisy(clean(), 3.0, 0.3)
    image[:, :300] = 0
    assert max(estimate_grain(image).sigma) > 2


def test_compressed_away_grain_is_not_added():
    faint = noisy(clean(), 1.0, 0.3)
    _, data = cv2.imencode(".jpg", faint, [cv2.IMWRITE_JPEG_QUALITY, 40])
    assert max(estimate_grain(cv2.imdecode(data, cv2.IMREAD_COLOR)).sigma) < 2 * MIN_SIGMA


def test_twins_draw_the_same_piece():
    one, other = (grain_offset(np.random.default_rng([1, 2])) for _ in range(2))
    assert one == other and all(0 <= value < TILE for value in one)


def test_the_table_runs_through_the_levels():
    grain = Grain((1.0, 2.0, 3.0, 2.0, 0.0), 0.3, 0.0)
    assert grain.table()[np.array(LEVELS).astype(int)] == pytest.approx(grain.sigma, abs=0.05)
    assert not grain.none and NO_GRAIN.none
