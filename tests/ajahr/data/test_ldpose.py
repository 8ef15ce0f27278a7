"""The 25-point schema: which points a limb has, what they exclude, what labels say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ajahr.anatomy import LDPOSE25, LIMB_FLIP, LIMBS, residual_end
from ajahr.data.ldpose import (
    ABOVE,
    BELOW,
    EXCLUDES,
    LIMB_POINTS,
    PAIRS,
    SIGMAS,
    UPPER_BODY,
    LimbState,
    check_sigmas,
    coco_to_25,
    limb_states,
    presence_of_levels,
    presence_targets,
)
from ajahr.errors import UserError

FLIP = list(LDPOSE25.flip)


def person(*labelled: int) -> np.ndarray:
    visibility = np.zeros(25)
    visibility[list(labelled)] = 2
    return visibility


def test_the_tables_are_the_page_s() -> None:
    assert PAIRS == ((7, 17), (9, 19), (8, 18), (10, 20), (13, 21), (15, 23), (14, 22), (16, 24))
    assert LIMB_POINTS.tolist() == [[7, 9, 17, 19], [8, 10, 18, 20], [13, 15, 21, 23], [14, 16, 22, 24]]
    assert FLIP == [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23]
    assert set(np.flatnonzero(EXCLUDES[21])) == {13, 15, 23}  # the paper's example
    assert set(np.flatnonzero(EXCLUDES[23])) == {15, 21}
    assert SIGMAS[17:].tolist() == [0.072, 0.072, 0.062, 0.062, 0.087, 0.087, 0.089, 0.089]
    assert "".join("UL"[not up] for up in UPPER_BODY) == "U" * 11 + "L" * 6 + "UUUU" + "LLLL"


def test_exclusion_is_mutual_and_keeps_sides_apart() -> None:
    assert np.array_equal(EXCLUDES, EXCLUDES.T) and not EXCLUDES.diagonal().any()
    assert np.array_equal(EXCLUDES[FLIP][:, FLIP], EXCLUDES)
    assert not EXCLUDES[:7].any() and not EXCLUDES[[11, 12]].any()


@pytest.mark.parametrize("bits", list(itertools.product((0, 1), repeat=4)))
def test_state_of_every_pattern(bits: tuple[int, ...]) -> None:
    j1, j2, above, below = bits
    if (above and below) or (above and (j1 or j2)) or (below and j2):
        expected = LimbState.CONFLICT
    elif above:
        expected = LimbState.ABOVE
    elif below:
        expected = LimbState.BELOW
    elif j2:
        expected = LimbState.INTACT
    else:
        expected = LimbState.DISTAL_UNKNOWN if j1 else LimbState.UNKNOWN
    for limb in LIMBS:
        states = limb_states(person(*LIMB_POINTS[limb][np.array(bits, bool)]))
        assert states[limb] == expected
        assert not np.delete(states, limb).any()


def test_targets_never_hold_two_points_that_exclude_each_other() -> None:
    for bits in itertools.product((0, 1), repeat=4):
        targets = presence_targets(person(*LIMB_POINTS[2][np.array(bits, bool)]))
        there = targets == 1
        if limb_states(person(*LIMB_POINTS[2][np.array(bits, bool)]))[2] != LimbState.CONFLICT:
            assert not (EXCLUDES & np.outer(there, there)).any()


def test_a_below_end_implies_the_joint_above_it_even_unlabelled() -> None:
    assert presence_targets(person(23))[LIMB_POINTS[2]].tolist() == [1, 0, 0, 1]
    assert presence_targets(person(13))[LIMB_POINTS[2]].tolist() == [1, -1, 0, -1]
    assert (presence_targets(person(9, 17))[LIMB_POINTS[0]] == -1).all()


def test_annotated_presence_wins_where_it_knows() -> None:
    given = np.full(25, -1)
    given[[13, 15]] = (0, -1)
    targets = presence_targets(person(13, 15), given)
    assert targets[LIMB_POINTS[2]].tolist() == [0, 1, 0, 0]


def test_mirroring_commutes() -> None:
    rng = np.random.default_rng(0)
    visibility = rng.integers(0, 3, (200, 25))
    assert np.array_equal(limb_states(visibility[:, FLIP]), limb_states(visibility)[:, list(LIMB_FLIP)])
    assert np.array_equal(presence_targets(visibility[:, FLIP]), presence_targets(visibility)[:, FLIP])


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("level", range(4))
def test_presence_of_levels_agrees_with_what_labels_say(limb: int, level: int) -> None:
    levels = np.zeros(4, np.int64)
    levels[limb] = level
    presence = presence_of_levels(levels)
    if level == 3:  # no residual limb, which labels cannot say
        assert not presence[LIMB_POINTS[limb]].any()
        return
    assert np.array_equal(presence, presence_targets(presence))
    end = residual_end(limb, level)
    ends = LIMB_POINTS[:, [ABOVE, BELOW]]
    assert presence[ends].sum() == (end is not None)


def test_unjudged_limbs_are_unknown() -> None:
    presence = presence_of_levels(np.array([[0, -1, 2, 0]]))
    assert (presence[0, LIMB_POINTS[1]] == -1).all() and presence[0, 21] == 1 and presence[0, 0] == 1


def test_coco_has_unlabelled_ends() -> None:
    points = np.random.default_rng(1).random((3, 17, 3))
    found = coco_to_25(points)
    assert np.array_equal(found[:, :17], points) and not found[:, 17:].any()


@pytest.mark.parametrize("sigmas", [[0.1] * 17, [0.1] * 24 + [0.0], [0.1] * 24 + [float("nan")]])
def test_bad_sigmas(sigmas: list[float]) -> None:
    with pytest.raises(UserError, match="25 numbers above 0"):
        check_sigmas(sigmas)
