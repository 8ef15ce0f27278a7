import numpy as np
import pytest

from synth.realism.colour import IDENTITY, LUMA, Tone, estimate_tone

BOX = np.array([60.0, 40.0, 110.0, 140.0])


def scene(seed: int = 0, low: float = 5, high: float = 250, fresh: float = 1.0) -> np.ndarray:
    """Coloured patches between two brightnesses."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(0, 255, (12, 16, 3))
    patches[0, :8], patches[0, 8:] = 0, 255
    grey = (patches @ LUMA)[..., None]
    patches = low + (grey + fresh * (patches - grey)).clip(0, 255) * (high - low) / 255
    return patches.repeat(15, axis=0).repeat(15, axis=1).astype(np.uint8)


def mapped(tone: Tone, rgb) -> np.ndarray:
    return tone.transfer() @ np.array([*rgb, 255.0])


def test_an_ordinary_photograph_changes_little():
    moved = [np.abs(mapped(estimate_tone(scene(seed), BOX), rgb) - rgb) for seed in range(3)
             for rgb in ((20, 20, 20), (200, 150, 120), (240, 240, 240))]  # fmt: skip
    assert np.max(moved) < 16


def test_haze_lifts_black_and_dimness_holds_white_down():
    clear, hazy, dim = (estimate_tone(scene(0, *ends), BOX) for ends in ((5, 250), (45, 250), (5, 190)))
    assert mapped(hazy, (0, 0, 0)).mean() > mapped(clear, (0, 0, 0)).mean() + 15
    assert mapped(dim, (255, 255, 255)).mean() < mapped(clear, (255, 255, 255)).mean() - 15
    assert mapped(dim, (0, 0, 0)) == pytest.approx(mapped(clear, (0, 0, 0)), abs=4)


def test_a_dull_photograph_dulls_and_never_greys():
    skin = np.array([210.0, 150.0, 120.0])
    spread = [np.ptp(mapped(estimate_tone(scene(0, fresh=f), BOX), skin)) for f in (1.0, 0.3, 0.05)]
    assert spread[0] > spread[1] > spread[2] > 0.6 * np.ptp(skin)


def test_brightness_order_is_kept():
    """Whatever the photograph, no colour map turns light into dark."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        tone = estimate_tone((rng.random((90, 120, 3)) ** rng.uniform(0.2, 5) * 255).astype(np.uint8), BOX)
        greys = [mapped(tone, (v, v, v)) @ LUMA for v in (0, 60, 120, 180, 255)]
        assert np.diff(greys).min() > 15


def test_a_lawn_is_not_green_light():
    """Colours of surfaces do not count, the light's colour on every edge does."""
    grass = scene(1)
    grass[40:] = np.random.default_rng(0).integers(-4, 4, grass[40:].shape) + np.array([60, 140, 50])
    lit = (scene(1) * np.array([1.0, 0.85, 0.6])).astype(np.uint8)
    assert abs(estimate_tone(grass, BOX).tint[1] - 1) < 0.06
    red, _, blue = estimate_tone(lit, BOX).tint
    assert red > 1.1 and blue < 0.85


def test_one_dark_ski_shows_where_black_is():
    snow = np.full((200, 300, 3), 225, np.uint8)
    assert estimate_tone(snow, BOX).black > 200
    snow[60:140, 150:156] = 12
    assert estimate_tone(snow, BOX).black < 20


@pytest.mark.parametrize("value", [0, 128, 255])
def test_one_colour_gives_finite_and_bounded_maps(value):
    tone = estimate_tone(np.full((40, 50, 3), value, np.uint8), np.array([0.0, 0, 1, 1]))
    assert tone.tint == (1.0, 1.0, 1.0)
    for rgb in ((0, 0, 0), (255, 255, 255)):
        assert np.abs(mapped(tone, rgb) - rgb).max() < 70


def test_the_identity_changes_nothing():
    assert (IDENTITY @ np.array([1.0, 2.0, 3.0, 255.0])).tolist() == [1.0, 2.0, 3.0]
