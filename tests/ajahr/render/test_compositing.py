"""Blending and the depth test."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.render.compositing import composite_over
from ajahr.render.rasterizer import RenderResult


def result(rgba: np.ndarray, window=None) -> RenderResult:
    height, width = rgba.shape[:2]
    return RenderResult(
        rgba,
        np.full((height, width), np.inf, np.float32),
        np.zeros((height, width), np.uint8),
        window or (0, 0, width, height),
    )


def random_result(rng, shape) -> RenderResult:
    alpha = rng.choice([0, 64, 128, 191, 255], shape)
    rgb = np.floor(rng.uniform(0, 1, (*shape, 3)) * alpha[..., None])
    return result(np.concatenate([rgb, alpha[..., None]], -1).astype(np.uint8))


def test_nothing_over_an_image_is_the_image_and_an_opaque_mesh_hides_it():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 7, 3)).astype(np.uint8)
    empty = result(np.zeros((9, 7, 4), np.uint8))
    np.testing.assert_array_equal(composite_over(image.copy(), [empty, empty]), image)
    np.testing.assert_array_equal(composite_over(image.copy(), []), image)
    opaque = result(np.full((9, 7, 4), 255, np.uint8))
    assert (composite_over(image.copy(), opaque) == 255).all()


def test_twin_every_pair_of_values_is_rounded_to_the_nearest():
    below, alpha = np.meshgrid(np.arange(256), np.arange(256))
    image = below.astype(np.uint8)[..., None].repeat(3, 2)
    colour = alpha // 2
    rgba = np.stack([colour, colour, colour, alpha], -1).astype(np.uint8)
    expected = np.rint(colour + below.astype(np.float64) * (255 - alpha) / 255)
    np.testing.assert_array_equal(composite_over(image, result(rgba))[..., 1], expected)


def test_twin_of_several_the_last_is_on_top_and_the_image_itself_is_written():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    layers = [random_result(rng, (20, 30)) for _ in range(3)]
    expected = image.astype(np.float64)
    for layer in layers:
        rgba = layer.rgba_premultiplied.astype(np.float64)
        expected = np.rint(rgba[..., :3] + expected * (1 - rgba[..., 3:] / 255))
    out = composite_over(image, layers)
    assert out is image
    np.testing.assert_array_equal(image, expected)


def test_only_the_window_is_touched():
    image = np.zeros((6, 6, 3), np.uint8)
    composite_over(image, result(np.full((6, 6, 4), 255, np.uint8), window=(1, 2, 4, 5)))
    expected = np.zeros((6, 6), bool)
    expected[2:5, 1:4] = True
    np.testing.assert_array_equal(image[..., 0] == 255, expected)


def test_images_that_do_not_fit_are_errors():
    rendering = result(np.zeros((4, 5, 4), np.uint8))
    with pytest.raises(ValueError, match="does not fit"):
        composite_over(np.zeros((5, 4, 3), np.uint8), rendering)
    frozen = np.zeros((4, 5, 3), np.uint8)
    frozen.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        composite_over(frozen, rendering)
