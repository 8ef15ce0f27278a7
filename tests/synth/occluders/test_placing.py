"""Objects cover what they are to cover."""

import numpy as np
import pytest

from synth.occluders.placing import Target, covered, covering_corners, place_object

DISC = (np.hypot(*np.meshgrid(np.arange(60) - 29.5, np.arange(60) - 29.5)) < 28) * np.uint8(255)
POINTS = np.array([[100.2, 80.7], [112.9, 95.1], [106.0, 88.0]])


def target(**changes) -> Target:
    values = {
        "hide": POINTS,
        "spare": np.array([[70.0, 60.0]]),
        "core": np.array([[90.0 + i, 40.0] for i in range(9)]),
        "min_core": 5,
        "px_per_m": 100.0,
        "ground_y": 118.0,
        "size": (320, 240),
    }
    return Target(**{**values, **changes})


# twin


def test_the_places_are_all_those_at_which_every_point_is_covered():
    mask = DISC > 0
    mask[20:30, 20:30] = False
    found = {tuple(corner) for corner in covering_corners(mask, POINTS).tolist()}
    pixels = np.floor(POINTS).astype(int)
    expected = set()
    for x in range(30, 130):
        for y in range(20, 110):
            inside = pixels - (x, y)
            if (inside >= 0).all() and (inside < 60).all() and mask[inside[:, 1], inside[:, 0]].all():
                expected.add((x, y))
    assert found == expected and len(expected) > 100


@pytest.mark.parametrize("rows", [(50, 60), (58.5, 59.5), (-500, 500), (10, 12)])
def test_rows_limit_the_places(rows):
    every = covering_corners(DISC > 0, POINTS)
    wanted = {tuple(c) for c in every.tolist() if rows[0] <= c[1] <= rows[1]}
    assert {tuple(c) for c in covering_corners(DISC > 0, POINTS, rows).tolist()} == wanted


def test_covered_points_are_those_on_the_mask():
    corners = np.array([[80, 60], [85, 70], [300, 300]])
    hit = covered(DISC > 0, corners, POINTS)
    for (x, y), row in zip(corners.tolist(), hit, strict=True):
        for (px, py), found in zip(np.floor(POINTS).astype(int).tolist(), row, strict=True):
            inside = 0 <= px - x < 60 and 0 <= py - y < 60 and DISC[py - y, px - x] > 0
            assert found == inside


# law


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.7])
def test_what_is_to_be_hidden_is_and_what_is_to_be_spared_is(scale):
    place = place_object(np.random.default_rng(0), DISC, scale, 1.0, target())
    assert place is not None
    centre = np.array(place) + 30 * scale
    assert (np.linalg.norm(POINTS - centre, axis=1) < 28 * scale).all()
    assert np.linalg.norm(np.array([70.0, 60.0]) - centre) > 27 * scale
    assert abs(place[1] + 60 * scale - 118) <= 31  # on the ground, within 0.3 m


# edge


def test_no_place_is_none():
    rng = np.random.default_rng(0)
    assert place_object(rng, DISC, 0.1, 1.0, target()) is None  # too small
    assert place_object(rng, DISC, 1.0, 1.0, target(ground_y=300.0)) is None  # would have to float
    assert place_object(rng, DISC, 1.0, 1.0, target(spare=POINTS[:1])) is None
    assert place_object(rng, DISC, 1.0, 1.0, target(core=np.tile(POINTS[0], (9, 1)))) is None
    assert place_object(rng, np.zeros_like(DISC), 1.0, 1.0, target()) is None


def test_what_is_nearer_stands_lower():
    lower = target(ground_y=60.0)  # 1.4 times nearer: 48 px further down
    place = place_object(np.random.default_rng(0), DISC, 1.0, 1.4, lower)
    assert place is not None and abs(place[1] + 60 - 108) <= 31
    assert place_object(np.random.default_rng(0), DISC, 1.0, 1.0, lower) is None
