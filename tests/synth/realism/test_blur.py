"""The width of a blur, found on edges whose blur is known."""

import cv2
import numpy as np
import pytest

from synth.realism.blur import (
    MAX_BLUR_PX,
    RENDERED_BLUR_PX,
    blur_layer,
    blur_reach,
    blur_to_add,
    estimate_blur,
)


def shapes(sigma: float, noise: float = 0.0) -> np.ndarray:
    """A disc and a box on grey, blended by exact coverage, blurred, with noise."""
    big = np.zeros((8 * 240, 8 * 240), np.float32)
    cv2.circle(big, (960, 1100), 8 * 70, 1.0, -1)
    cv2.rectangle(big, (90, 70), (700, 400), 1.0, -1)
    coverage = cv2.resize(big, (240, 240), interpolation=cv2.INTER_AREA)
    if sigma:
        coverage = cv2.GaussianBlur(coverage, (0, 0), sigma)
    grain = np.random.default_rng(0).normal(0, noise, (240, 240, 3))
    return np.clip(60 + 130 * coverage[..., None] + grain + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 2.6])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_the_width_is_found(sigma, noise):
    assert estimate_blur(shapes(sigma, noise)) == pytest.approx(sigma, rel=0.12, abs=0.05)


def test_a_rendered_edge_has_the_width_that_is_taken_off():
    assert estimate_blur(shapes(0.0)) == pytest.approx(RENDERED_BLUR_PX, abs=0.08)


@pytest.mark.parametrize("photo", [1.0, 1.4, 2.0])
def test_a_layer_ends_as_unsharp_as_the_photograph(photo):
    sharp = shapes(0.0)
    layer = np.dstack([sharp, np.full(sharp.shape[:2], 255, np.uint8)])
    assert estimate_blur(blur_layer(layer, blur_to_add(photo))[..., :3]) == pytest.approx(photo, rel=0.12)


def test_a_sharp_or_unknown_photograph_adds_nothing():
    assert blur_to_add(None) == blur_to_add(0.0) == blur_to_add(RENDERED_BLUR_PX) == 0.0
    layer = np.random.default_rng(0).integers(0, 255, (20, 20, 4)).astype(np.uint8)
    assert blur_layer(layer, 0.0) is layer


def test_a_blurred_layer_stays_premultiplied_and_within_its_reach():
    layer = np.zeros((80, 80, 4), np.uint8)
    layer[30:50, 30:50] = (200, 100, 0, 255)
    sigma = blur_to_add(2.0)
    blurred = blur_layer(layer, sigma)
    assert (blurred[..., :3].max(axis=2).astype(int) <= blurred[..., 3].astype(int) + 1).all()
    reach = blur_reach(sigma)
    blurred[30 - reach : 50 + reach, 30 - reach : 50 + reach] = 0
    assert not blurred.any()


def test_only_the_edges_asked_for_count():
    image = np.concatenate([shapes(1.0), shapes(2.4)], axis=1)
    left = np.zeros(image.shape[:2], bool)
    left[:, :235] = True
    assert estimate_blur(image, left) == pytest.approx(1.0, abs=0.1)
    assert estimate_blur(image, ~left) == pytest.approx(2.4, rel=0.15)


def test_without_edges_nothing_can_be_told():
    assert estimate_blur(np.full((60, 60, 3), 90, np.uint8)) is None
    soft = np.repeat(np.linspace(40, 200, 200).astype(np.uint8)[None, :, None], 3, 2).repeat(200, 0)
    assert estimate_blur(soft) is None


def test_a_very_soft_picture_is_bounded():
    found = estimate_blur(shapes(6.0))
    assert found is None or found <= MAX_BLUR_PX
