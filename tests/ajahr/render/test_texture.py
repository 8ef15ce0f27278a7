"""Packing of a texture and its mip levels."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.render.texture import MAX_LEVELS, Texture


def level(texture: Texture, k: int) -> np.ndarray:
    """RGB of a level, rim included, read back by its row of ``mips``."""
    start, pitch, width, height = texture.mips[k]
    at = start + np.arange(-1, height + 1)[:, None] * pitch + np.arange(-1, width + 1)
    packed = texture.texels[at]
    return np.stack([packed & 255, packed >> 8 & 255, packed >> 16 & 255], -1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (64, 48), (37, 50)])
def test_every_level_halves_the_one_above_and_repeats_its_edge(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    texture = Texture.from_image(image)
    assert texture.size == (shape[1], shape[0])
    np.testing.assert_array_equal(level(texture, 0)[1:-1, 1:-1], image)
    for k in range(len(texture.mips)):
        rgb = level(texture, k)
        np.testing.assert_array_equal(rgb, np.pad(rgb[1:-1, 1:-1], ((1, 1), (1, 1), (0, 0)), mode="edge"))
        if k:
            assert rgb.shape[0] - 2 == (level(texture, k - 1).shape[0] - 2) // 2
            assert abs(rgb[1:-1, 1:-1].mean() - image.mean()) < 12
    assert len(texture.mips) <= MAX_LEVELS


def test_even_sizes_are_averaged_exactly():
    image = np.random.default_rng(1).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    mean = image.reshape(4, 2, 6, 2, 3).mean((1, 3))
    np.testing.assert_allclose(level(Texture.from_image(image), 1)[1:-1, 1:-1], mean, atol=0.51)


def test_what_is_not_an_rgb_image_is_an_error():
    with pytest.raises(ValueError, match="uint8 RGB"):
        Texture.from_image(np.zeros((0, 4, 3), np.uint8))
