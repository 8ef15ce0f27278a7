import numpy as np
import pytest

from synth.photos.light import Probe, estimate_light, is_grey, probe_person

BOX = np.array([120, 60, 200, 220], np.float32)


def ramp(direction: str) -> np.ndarray:
    """Bright on one side."""
    y, x = np.mgrid[:240, :320] / [[[240]], [[320]]]
    value = {"left": 1 - x, "right": x, "top": 1 - y, "bottom": y, "none": 0 * x + 0.5}[direction]
    return np.repeat((40 + 170 * value)[..., None], 3, axis=2).astype(np.uint8)


# law


@pytest.mark.parametrize("seed", range(5))
def test_bounds_hold_for_any_picture(seed):
    rng = np.random.default_rng(seed)
    image = (rng.random((60, 90, 3)) ** rng.uniform(0.1, 6) * 255).astype(np.uint8)
    corner = rng.uniform(-20, 60, 2)
    box = np.concatenate([corner, corner + rng.uniform(1, 80, 2)]).astype(np.float32)
    light = estimate_light(image, box)
    assert np.linalg.norm(light.direction) == pytest.approx(1, abs=1e-5)
    assert light.direction[1] < 0, "from above"
    assert light.direction[2] < 0, "from the camera's side"
    for rgb in (light.ambient_rgb, light.directional_rgb):
        assert (rgb > 0.05).all() and (rgb < 1.3).all()
        assert np.ptp(rgb) / rgb.mean() < 0.3
    facing = light.ambient_rgb + 0.6 * light.directional_rgb
    assert 0.2 < facing.mean() < 1.3


def test_light_comes_from_the_bright_side():
    left, right, none = (estimate_light(ramp(side), BOX).direction for side in ("left", "right", "none"))
    assert left[0] < -0.1 and right[0] > 0.1 and abs(none[0]) < 0.02
    assert left[0] == pytest.approx(-right[0], abs=0.02)


def test_a_bright_sky_is_more_from_above_than_a_bright_floor():
    assert (
        estimate_light(ramp("top"), BOX).direction[1]
        < estimate_light(ramp("bottom"), BOX).direction[1] - 0.05
    )


def test_mirrored_picture_mirrors_the_light():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (240, 320, 3)).astype(np.uint8)
    image[:, :100] //= 3
    box = np.array([200, 60, 260, 220], np.float32)
    mirrored = np.array([60, 60, 120, 220], np.float32)
    a, b = estimate_light(image, box), estimate_light(np.ascontiguousarray(image[:, ::-1]), mirrored)
    assert a.direction == pytest.approx(b.direction * [-1, 1, 1], abs=0.02)
    assert a.ambient_rgb == pytest.approx(b.ambient_rgb, abs=0.02)


def test_darker_surroundings_give_less_light():
    image = ramp("none")
    totals = [
        float((light.ambient_rgb + light.directional_rgb).mean())
        for light in (estimate_light(image // k, BOX) for k in (1, 2, 4))
    ]
    assert totals[0] > totals[1] > totals[2]


def test_only_the_surroundings_count():
    near = ramp("none")
    near[:, 280:] = 255  # far from a small box at the left
    box = np.array([20, 100, 50, 180], np.float32)
    a, b = estimate_light(ramp("none"), box), estimate_light(near, box)
    facing = [float((light.ambient_rgb + 0.6 * light.directional_rgb).mean()) for light in (a, b)]
    assert facing[0] == pytest.approx(facing[1], rel=0.02)
    assert a.direction == pytest.approx(b.direction, abs=0.1)


def test_tint_follows_the_picture_a_little():
    image = ramp("none").astype(int)
    image[..., 0] += 60
    light = estimate_light(image.clip(0, 255).astype(np.uint8), BOX)
    assert light.ambient_rgb[0] > light.ambient_rgb[2]
    grey = estimate_light(ramp("none"), BOX)
    assert np.ptp(grey.ambient_rgb) < 1e-5


# edge


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_pictures(value):
    light = estimate_light(np.full((40, 40, 3), value, np.uint8), np.array([0, 0, 40, 40], np.float32))
    assert np.isfinite(light.ambient_rgb).all() and light.direction[0] == 0


def test_grey_pictures_are_known():
    grey = ramp("left")
    assert is_grey(grey)
    assert not is_grey(np.where(np.arange(320)[None, :, None] < 100, (200, 80, 60), grey).astype(np.uint8))


# exposure


def facing(*arguments) -> float:
    light = estimate_light(*arguments)
    return float((light.ambient_rgb + 0.6 * light.directional_rgb).mean())


def test_people_seen_in_the_photograph_say_how_bright_people_are_there():
    dark = ramp("none") // 3
    lit, alone, unlit = (
        facing(dark, BOX, None if level is None else Probe(level)) for level in (0.6, None, 0.1)
    )
    assert lit > alone > unlit


def test_a_lit_person_before_a_black_wall_is_lit():
    """A dark studio: whoever is put there is about as bright as who was."""
    studio = ramp("none") // 12
    assert facing(studio, BOX) < 0.3
    assert facing(studio, BOX, Probe(0.60)) > 0.8


def test_black_clothes_in_a_bright_place_do_not_make_it_dark():
    bright = ramp("none")
    assert facing(bright, BOX, Probe(0.2)) > 0.6 * facing(bright, BOX)
    # several people tell more than one
    assert facing(bright, BOX, Probe(0.2), [Probe(0.2)] * 3) < facing(bright, BOX, Probe(0.2)) - 0.03


def test_whoever_stood_there_counts_more_than_others():
    image = ramp("none") // 3
    assert facing(image, BOX, Probe(0.7), [Probe(0.2)]) > facing(image, BOX, Probe(0.2), [Probe(0.7)]) + 0.05


@pytest.mark.parametrize("lit", ["left", "right"])
def test_the_brighter_flank_says_where_the_light_comes_from(lit):
    """Even against surroundings that are brighter on the other side."""
    other = {"left": "right", "right": "left"}[lit]
    probe = probe_person(ramp(lit), np.pad(np.ones((80, 60), bool), [(80, 80), (130, 130)]))
    sign = 1 if lit == "right" else -1
    assert probe.side is not None and probe.side * sign > 0.05
    alone, seen = (
        estimate_light(ramp(other), BOX, own, [own] * 2 if own else []).direction for own in (None, probe)
    )
    assert alone[0] * sign < -0.1
    assert seen[0] * sign > alone[0] * sign + 0.3


def test_a_mirrored_person_is_lit_from_the_other_side():
    rng = np.random.default_rng(1)
    image, mask = rng.integers(0, 255, (60, 40, 3)).astype(np.uint8), np.pad(np.ones((40, 20), bool), 10)
    a, b = probe_person(image, mask), probe_person(np.ascontiguousarray(image[:, ::-1]), mask[:, ::-1])
    assert a.side is not None and b.side is not None
    assert a.level == pytest.approx(b.level) and a.side == pytest.approx(-b.side, abs=1e-6)


def test_somebody_a_few_pixels_wide_has_no_flanks():
    mask = np.zeros((40, 40), bool)
    mask[5:35, 10:15] = True
    probe = probe_person(ramp("left")[:40, :40], mask)
    assert probe.side is None and np.isfinite(probe.level)


def test_a_night_photograph_makes_nobody_bright():
    night = ramp("none") // 10
    night[200:, 100:110] = 255  # a lamp is none on people
    assert facing(night, BOX) < 0.45


def test_the_level_of_a_person_is_that_of_their_bright_parts():
    image = np.full((40, 40, 3), 20, np.uint8)
    image[5:10] = 200
    mask = np.zeros((40, 40), bool)
    mask[5:30] = True
    assert probe_person(image, mask).level == pytest.approx(200 / 255, abs=0.01)
    image[5:10] = 20
    assert probe_person(image, mask).level == pytest.approx(20 / 255, abs=0.01)
