from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from synth.appearance import clothes
from synth.appearance.canvas import Canvas
from synth.appearance.look import FOOTWEAR, NECKLINES, Feet
from synth.appearance.wardrobe import sample_look

MAGENTA = (255.0, 0.0, 255.0)


def is_bare(canvas):
    """Texels nothing was laid on: shadows darken magenta but keep its hue."""
    red, green, blue = canvas.colours.T
    return (green < 0.02 * red + 1e-3) & (np.abs(red - blue) < 1e-2)


def dressed(seed):
    """Looks with a top, so many as to meet every neckline."""
    return [look for look in (sample_look(seed, i) for i in range(30)) if look.top is not None]


@pytest.mark.parametrize("neckline", NECKLINES)
def test_law_shoulders_are_covered_whatever_the_neckline(atlas, neckline):
    opening = clothes.neck_opening(atlas, neckline)
    x, y = np.abs(atlas.xyz[:, 0]), atlas.xyz[:, 1]
    neck = atlas.landmarks.joint("neck")
    deltoids = (x > 0.115) & (x < clothes.arm_reach(atlas, 0.3)) & (y > neck[1] - 0.15)
    assert (opening[deltoids] > 0).all()
    head = atlas.weight[:, 4] > 0.9
    assert (opening[head] < 0).all()
    chest = (y < neck[1] - 0.25) & (y > 0) & (x < 0.1)
    assert (opening[chest] > 0).all()


def test_law_no_gap_between_top_and_trousers(atlas):
    x, y = np.abs(atlas.xyz[:, 0]), atlas.xyz[:, 1]
    lm = atlas.landmarks
    belly = (y < lm.joint("spine2")[1]) & (y > clothes.leg_height(atlas, 0.15)) & (atlas.arm < 0.1)
    chest = (y < lm.joint("spine3")[1] - 0.06) & (y > 0) & (x < 0.1)
    for look in dressed(0):
        canvas = Canvas(atlas, MAGENTA)
        clothes.paint_bottom(canvas, look.bottom)
        clothes.paint_top(canvas, look)
        bare = is_bare(canvas)
        assert not bare[belly].any() and not bare[chest].any(), look.summary()


@pytest.mark.parametrize("sleeve", [0.25, 0.5, 0.8, 1.0])
def test_law_sleeves_end_where_the_label_says(atlas, sleeve):
    look = dressed(1)[0]
    assert look.top is not None
    look = dataclasses.replace(look, top=dataclasses.replace(look.top, sleeve=sleeve, open_front=None))
    canvas = Canvas(atlas, MAGENTA)
    clothes.paint_top(canvas, look)
    bare, x = is_bare(canvas), np.abs(atlas.xyz[:, 0])
    arm, end = atlas.arm > 0.9, clothes.arm_reach(atlas, sleeve)
    assert bare[arm & (x > end + 0.03)].all()
    assert not bare[arm & (x < end - 0.03)].any()
    shoulder, wrist = atlas.landmarks.joint("left_shoulder")[0], atlas.landmarks.joint("left_wrist")[0]
    assert shoulder < end <= wrist + 1e-6


@pytest.mark.parametrize("length", [0.25, 0.5, 1.0])
def test_law_trousers_end_where_the_label_says(atlas, length):
    bottom = dataclasses.replace(sample_look(0, 0).bottom, length=length)
    canvas = Canvas(atlas, MAGENTA)
    clothes.paint_bottom(canvas, bottom)
    bare, y = is_bare(canvas), atlas.xyz[:, 1]
    end = clothes.leg_height(atlas, length)
    assert bare[y < end - 0.035].all() and not bare[(atlas.leg > 0.9) & (y > end + 0.03)].any()
    assert atlas.landmarks.ground < end < atlas.landmarks.joint("left_hip")[1]
    assert bare[atlas.arm > 0.9].all()


def test_law_hems_lie_between_waist_and_knee(atlas):
    for look in dressed(2):
        assert look.top is not None
        hem = clothes.top_hem_height(atlas, look.top)
        assert clothes.leg_height(atlas, 0.4) < hem < atlas.landmarks.joint("spine2")[1]
        assert hem < clothes.waist_height(atlas)


@pytest.mark.parametrize("kind", FOOTWEAR)
def test_law_footwear_covers_feet_and_nothing_above(atlas, kind):
    canvas = Canvas(atlas, MAGENTA)
    clothes.paint_feet(
        canvas, Feet(kind, (60.0, 120.0, 60.0), (200.0, 190.0, 180.0), (90.0, 90.0, 80.0), 0.0)
    )
    bare, y = is_bare(canvas), atlas.xyz[:, 1]
    ankle = atlas.landmarks.joint("left_ankle")[1]
    assert bare[y > ankle + 0.2].all()
    low = y < ankle - 0.03
    least, most = {"barefoot": (1, 1), "sandals": (0.2, 0.85)}.get(kind, (0, 0))
    assert least <= bare[low].mean() <= most


def test_law_a_jersey_number_is_not_mirrored(atlas):
    """x grows to the reader's right: the stem of a 4 stands there, below its open top."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(-0.05, 0.05, 60), np.linspace(-0.07, 0.07, 80)))
    inside = clothes._number(x, y, "4", 1.0) > 0
    below, above = inside & (y < -0.015), inside & (y > 0.015)
    assert x[below].min() > 0 and x[above].min() < -0.02 and x[above].max() > 0.02
    assert not (above & (np.abs(x) < 0.005)).any()
