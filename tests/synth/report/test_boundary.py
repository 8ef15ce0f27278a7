"""The ring metric on silhouettes whose blend is known."""

import cv2
import numpy as np
import pytest

from synth.report.boundary import OFFSETS, RingCounts, ring_counts

AT = OFFSETS.index(0)


def pasted(
    inner: float, outer: float, rim: float | None = None, *, shape: str = "disc"
) -> tuple[np.ndarray, np.ndarray]:
    """A body of one grey on another, blended by exact coverage; ``rim`` replaces the blended pixels' colour."""
    big = np.zeros((8 * 160, 8 * 160), np.float32)
    if shape == "disc":
        cv2.circle(big, (640, 640), 8 * 45, 1.0, -1)
    else:
        cv2.rectangle(big, (8 * 60, 8 * 30), (8 * 104 - 1, 8 * 160), 1.0, -1)
    coverage = cv2.resize(big, (160, 160), interpolation=cv2.INTER_AREA)
    grey = coverage * inner + (1 - coverage) * outer
    silhouette = coverage >= 0.5
    if rim is not None:
        wide = np.ones((3, 3), np.uint8)
        edge = cv2.dilate(silhouette.astype(np.uint8), wide) - cv2.erode(silhouette.astype(np.uint8), wide)
        grey[edge > 0] = rim
    return np.repeat(np.round(grey)[..., None], 3, axis=2).astype(np.uint8), silhouette


@pytest.mark.parametrize("shape", ["disc", "box"])
@pytest.mark.parametrize(("inner", "outer"), [(200, 60), (60, 200), (120, 120)])
def test_a_blend_by_coverage_has_no_ring(inner, outer, shape):
    counts = ring_counts(*pasted(inner, outer, shape=shape))
    assert counts.pixels[AT] > 100
    assert counts.bright[AT] == counts.dark[AT] == 0


@pytest.mark.parametrize(("rim", "bright", "dark"), [(20, 0, 1), (250, 1, 0), (130, 0, 0)])
def test_a_rim_is_told_by_its_sign(rim, bright, dark):
    shares = ring_counts(*pasted(180, 80, rim)).shares()
    assert shares[0][AT] == pytest.approx(bright, abs=0.02)
    assert shares[1][AT] == pytest.approx(dark, abs=0.02)
    excess = ring_counts(*pasted(180, 80, rim)).excess()
    assert excess == (pytest.approx(bright, abs=0.05), pytest.approx(dark, abs=0.05))


@pytest.mark.parametrize("inner_slope", [-6, 6])
@pytest.mark.parametrize("outer_slope", [-6, 0, 6])
def test_shading_that_goes_on_up_to_the_outline_is_no_ring(inner_slope, outer_slope):
    """A body that turns away from the light, before a background that is brighter next to it or darker."""
    _, silhouette = pasted(0, 0)
    y, x = np.mgrid[:160, :160] + 0.5
    depth = 45 - np.hypot(x - 80, y - 80)
    grey = 120 + np.where(silhouette, inner_slope, outer_slope) * np.clip(np.abs(depth), 0, 12)
    shaded = np.repeat(np.round(grey)[..., None], 3, axis=2).astype(np.uint8)
    counts = ring_counts(shaded, silhouette)
    assert counts.bright[AT] == counts.dark[AT] == 0
    # and a rim on it is still told
    rim = np.abs(depth) < 1.5
    shaded[rim] = 250
    assert ring_counts(shaded, silhouette).shares()[0][AT] > 0.98
    shaded[rim] = 20
    assert ring_counts(shaded, silhouette).shares()[1][AT] > 0.98


@pytest.mark.parametrize("sigma", [0.6, 1.0])
def test_a_rim_is_told_through_a_pixel_of_blur(sigma):
    image, silhouette = pasted(180, 80, 20)
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    assert ring_counts(blurred, silhouette).shares()[1][AT] > 0.9
    clean = cv2.GaussianBlur(pasted(180, 80)[0], (0, 0), sigma)
    assert not ring_counts(clean, silhouette).dark[AT]


def test_a_line_elsewhere_is_no_ring_of_the_silhouette():
    image, silhouette = pasted(180, 80)
    cv2.circle(image, (80, 80), 45 - 8, (20, 20, 20), 2)
    counts = ring_counts(image, silhouette)
    assert counts.dark[AT] == 0
    assert counts.dark[OFFSETS.index(8)] / counts.pixels[OFFSETS.index(8)] > 0.95


def test_the_window_cuts_nothing_off():
    """The same body in a larger picture gives the same counts."""
    image, silhouette = pasted(180, 80, 20)
    wide = [(100, 70), (90, 110)]
    larger = np.stack([np.pad(image[..., c], wide, constant_values=80) for c in range(3)], -1)
    one, other = ring_counts(image, silhouette), ring_counts(larger, np.pad(silhouette, wide))
    assert np.array_equal(one.pixels, other.pixels) and np.array_equal(one.dark, other.dark)


@pytest.mark.parametrize("full", [False, True])
def test_nobody_and_nothing_but_somebody_count_nothing(full):
    counts = ring_counts(np.zeros((20, 20, 3), np.uint8), np.full((20, 20), full))
    assert not counts.pixels.any()
    assert np.isnan(counts.shares()[0]).all() and np.isnan(counts.excess()[0])


def test_counts_add_up():
    total = RingCounts.none()
    one = ring_counts(*pasted(180, 80, 20))
    for _ in range(2):
        total += one
    assert np.array_equal(total.pixels, 2 * one.pixels) and np.array_equal(total.dark, 2 * one.dark)
