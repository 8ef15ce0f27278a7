from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from synth.appearance.groups import Group, skin_albedo
from synth.appearance.skin import paint_skin
from synth.appearance.wardrobe import sample_look


@pytest.mark.parametrize("monk", [1.5, 5.0, 9.5])
def test_law_the_mean_tone_is_the_albedo(atlas, monk):
    look = dataclasses.replace(sample_look(0, 3), monk=monk, freckles=0.0)
    colours = paint_skin(atlas, look).colours
    forearm = (atlas.arm > 0.99) & (atlas.weight[:, 5] < 0.01)
    expected = skin_albedo(monk, look.group)
    np.testing.assert_allclose(np.median(colours[forearm], 0), expected, rtol=0.08)


def test_law_palms_of_dark_skin_are_lighter_than_backs(atlas):
    look = dataclasses.replace(sample_look(0, 3), monk=9.5, group=Group.AFRICAN)
    colours = paint_skin(atlas, look).colours.mean(1)
    hand = atlas.weight[:, 5] > 0.95
    palm, back = hand & (atlas.normal[:, 1] < -0.8), hand & (atlas.normal[:, 1] > 0.8)
    assert colours[palm].mean() > 1.3 * colours[back].mean()


def test_law_lips_and_cheeks_are_redder(atlas):
    look = dataclasses.replace(sample_look(0, 3), monk=2.5, group=Group.WHITE, lipstick=0.0, freckles=0.0)
    colours = paint_skin(atlas, look).colours
    redness = colours[:, 0] / colours[:, 1]
    face = (atlas.weight[:, 4] > 0.9) & ~atlas.eyeball & ~atlas.inner & (atlas.regions["mouth"] < 0.1)
    plain = np.median(redness[face])
    assert redness[atlas.regions["lips"] > 0.9].mean() > 1.2 * plain
    ears = redness[(atlas.regions["ears"] > 0.9)].mean()
    assert ears > 1.03 * plain


def test_law_lipstick_nails_and_freckles_each_change_something_of_their_own(atlas):
    base = dataclasses.replace(sample_look(0, 3), monk=2.0, lipstick=0.0, nails=None, freckles=0.0)
    plain = paint_skin(atlas, base).colours
    for change, region in (
        ({"lipstick": 1.0}, atlas.regions["lips"] > 0),
        ({"nails": (30.0, 60.0, 200.0)}, atlas.regions["nails"] > 0),
        ({"freckles": 1.0}, (atlas.weight[:, 4] + atlas.arm) > 0),
    ):
        moved = (paint_skin(atlas, dataclasses.replace(base, **change)).colours != plain).any(1)
        assert moved.any() and not moved[~region].any()
