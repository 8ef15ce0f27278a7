"""One limb leaves the picture, the person does not."""

import numpy as np
import pytest

from ajahr.anatomy import LIMBS, Limb, amputation_joint
from synth.occluders.border import border_shift
from synth.occluders.limbs import CORE, joints_to_hide

SIZE = (320, 240)


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("level", range(4))
def test_the_limb_is_outside_and_what_shows_the_loss_inside(standing, limb, level):
    levels = [0, 0, 0, 0]
    levels[limb] = level
    found = border_shift(standing, SIZE, levels, [limb], 5.0)
    assert found is not None and found[0] == limb
    moved = standing + found[1]
    inside = ((moved >= 0) & (moved < SIZE)).all(axis=1)
    assert not inside[list(joints_to_hide(limb, level))].any()
    ends = moved[list(joints_to_hide(limb, level))]
    assert np.maximum(np.maximum(-ends, ends - SIZE).max(axis=1), 0).min() >= 5 - 1e-9
    assert inside.sum() >= 10 and inside[list(CORE)].sum() >= 5
    if level:
        assert inside[amputation_joint(limb, level)]
    assert found[1][1] >= 0  # nobody is lifted


def test_the_shortest_way_out_is_taken(standing):
    near_left = standing - (90, 0)
    limb, shift = border_shift(near_left, SIZE, (0, 0, 0, 0), [Limb.LEFT_ARM], 2.0)  # on the viewer's left
    assert limb == Limb.LEFT_ARM and shift[0] < 0 and shift[1] == 0


def test_the_first_limb_that_can_leave_does(standing):
    # the right hand is lost and must be seen to be: only the other limbs can go, the right arm cannot go farther
    small = (standing - 160) * 3 + 160
    assert border_shift(small, SIZE, (0, 3, 0, 3), [Limb.LEFT_ARM], 5.0) is None
    found = border_shift(standing, SIZE, (0, 0, 0, 0), [Limb.RIGHT_LEG, Limb.LEFT_ARM], 5.0)
    assert found is not None and found[0] == Limb.RIGHT_LEG
