"""The fused blend against plain float64."""

import numpy as np
import pytest

from synth.realism.colour import IDENTITY
from synth.realism.noise import Grain, grain_tile
from synth.realism.paste import paste

GRAIN = Grain((2.0, 4.0, 5.0, 4.0, 3.0), 0.45, 0.3)


def layer(seed: int = 0, size: tuple[int, int] = (30, 40)) -> np.ndarray:
    """Premultiplied, with empty, full and half covered pixels."""
    rng = np.random.default_rng(seed)
    alpha = rng.choice([0, 64, 128, 255], size)
    colour = rng.integers(0, 256, (*size, 3)) * alpha[..., None] // 255
    return np.dstack([colour, alpha]).astype(np.uint8)


def below(size: tuple[int, int] = (60, 70)) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (*size, 3)).astype(np.uint8)


def naive(image, rgba, corner, colour, grain, offset):
    """Pixel by pixel."""
    out = image.copy()
    x0, y0 = corner
    tile = None if grain is None else grain_tile(grain.size)
    for i, j in np.ndindex(rgba.shape[:2]):
        alpha = rgba[i, j, 3] / 255
        if alpha == 0:
            continue
        premultiplied = np.minimum(colour.astype(np.float64) @ rgba[i, j].astype(np.float64), rgba[i, j, 3])
        value = premultiplied + (1 - alpha) * image[y0 + i, x0 + j]
        if tile is not None:
            level = int(np.clip(value @ [0.299, 0.587, 0.114], 0, 255))
            luma, red, blue = tile[(y0 + i + offset[0]) % 256, (x0 + j + offset[1]) % 256] * (
                grain.table()[level] * np.sqrt(1 - (1 - alpha) ** 2)
            )
            red, blue = grain.chroma * red, grain.chroma * blue
            value += np.array([luma + 1.402 * red, luma - 0.714 * red - 0.344 * blue, luma + 1.772 * blue])
        out[y0 + i, x0 + j] = np.floor(np.clip(value, 0, 255) + 0.5)
    return out


@pytest.mark.parametrize("grain", [None, GRAIN])
@pytest.mark.parametrize("lift", [0.0, 30 / 255])
def test_equal_to_the_naive_blend(grain, lift):
    colour = IDENTITY * np.float32(0.85)
    colour[:, 3] = lift
    image, rgba = below(), layer()
    wanted = naive(image, rgba, (7, 11), colour, grain, (250, 3))
    paste(image, rgba, (7, 11), colour=colour, grain=grain, offset=(250, 3))
    # a level of luma on a boundary of the table may round either way in 32 bits
    assert np.abs(image.astype(int) - wanted).max() <= 1
    assert (image != wanted).mean() < 0.01


def test_nothing_changes_where_nothing_covers():
    image, rgba = below(), layer()
    before = image.copy()
    paste(image, rgba, (7, 11), grain=GRAIN)
    empty = np.ones(image.shape[:2], bool)
    empty[11:41, 7:47] = rgba[..., 3] == 0
    assert np.array_equal(image[empty], before[empty])


def test_grain_belongs_to_the_place_in_the_picture():
    """However a layer is cut, the same pixels get the same grain: twins have other windows."""
    whole, part = below(), below()
    rgba = layer()
    rgba[:, :10] = 0
    paste(whole, rgba, (7, 11), grain=GRAIN, offset=(5, 6))
    paste(part, rgba[:, 10:], (17, 11), grain=GRAIN, offset=(5, 6))
    assert np.array_equal(whole, part)


def test_a_half_covered_pixel_keeps_the_whole_variance():
    """The photograph's grain comes through in part, and ours fills it up."""
    flat = Grain((5.0,) * 5, 0.0, 0.0)
    noise = np.random.default_rng(3).normal(0, 5, (256, 256, 1))
    image = np.clip(128 + noise + np.zeros(3) + 0.5, 0, 255).astype(np.uint8)
    rgba = np.full((256, 256, 4), 64, np.uint8)
    rgba[..., 3] = 128
    paste(image, rgba, (0, 0), grain=flat)
    assert image[..., 0].std() == pytest.approx(5.0, rel=0.05)


def test_without_grain_a_flat_layer_stays_flat():
    image = below()
    rgba = np.full((30, 40, 4), 255, np.uint8)
    rgba[..., :3] = (90, 120, 30)
    paste(image, rgba, (0, 0), grain=Grain((0.0,) * 5, 0.0, 0.0))
    assert (image[:30, :40] == (90, 120, 30)).all()
