from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from synth.appearance.atlas import build_atlas
from synth.appearance.canvas import Canvas
from synth.appearance.groups import EYE_COLOURS
from synth.appearance.head import paint_face, paint_hair
from synth.appearance.wardrobe import sample_look

SKIN = (200.0, 150.0, 120.0)


@pytest.fixture(scope="module")
def fine(body):
    """Large enough for an iris of several texels."""
    return build_atlas(body, 1024)


def wearing(**hair):
    look = sample_look(0, 3)
    style = {
        "style": "bald",
        "beard": "none",
        "colour": (20.0, 16.0, 14.0),
        "curl": 0.2,
        "recession": 0.0,
    } | hair
    return dataclasses.replace(look, age=30.0, hair=dataclasses.replace(look.hair, **style))


def painted(atlas, paint, look):
    canvas = Canvas(atlas, SKIN)
    paint(canvas, look)
    return canvas.colours


@pytest.mark.parametrize("name", EYE_COLOURS)
def test_law_iris_and_white_of_the_eye(fine, name):
    atlas = fine
    colours = painted(atlas, paint_face, dataclasses.replace(wearing(), eye_colour=name))
    lm = atlas.landmarks
    side = (atlas.xyz[:, 0] < 0).astype(int)
    d = atlas.xyz - lm.eyes[side]
    from_axis = np.degrees(np.arctan2(np.hypot(d[:, 0], d[:, 1]), d[:, 2]))
    below = atlas.eyeball & (d[:, 1] < 0)  # away from the lid's shadow and the glint
    iris = colours[below & (np.abs(from_axis - 16.5) < 4)]
    white = colours[below & (np.abs(from_axis - 36) < 6)]
    assert len(iris) and len(white)
    np.testing.assert_allclose(np.median(iris, 0), EYE_COLOURS[name], atol=25)
    assert np.median(white, 0).min() > 180


def test_law_brows_lie_above_the_eyes_on_both_sides(atlas):
    colours = painted(atlas, paint_face, wearing())
    lm = atlas.landmarks
    for eye in lm.eyes:
        strip = (np.abs(atlas.xyz[:, 0] - eye[0]) < 0.006) & (atlas.normal[:, 2] > 0.3) & ~atlas.eyeball
        y = atlas.xyz[:, 1] - eye[1]
        brow, forehead = strip & (np.abs(y - 0.024) < 0.003), strip & (np.abs(y - 0.045) < 0.005)
        assert colours[brow].min() < 110 and (colours[forehead] == SKIN).all()


@pytest.mark.parametrize("style", ["buzz", "short", "medium", "long", "tied"])
def test_law_hair_covers_the_crown_and_not_the_face_or_hands(atlas, style):
    colours = painted(atlas, paint_hair, wearing(style=style))
    lm = atlas.landmarks
    crown = (atlas.xyz[:, 1] > lm.crown - 0.03) & ~atlas.eyeball
    face = (
        (atlas.xyz[:, 2] > lm.eyes[0, 2])
        & (atlas.xyz[:, 1] < lm.eyes[0, 1] + 0.03)
        & (atlas.weight[:, 4] > 0.9)
    )
    assert colours[crown].mean() < 110
    assert (colours[face & (np.abs(atlas.xyz[:, 0]) < 0.04)] == SKIN).all()
    assert (colours[atlas.arm > 0.5] == SKIN).all()
    ears = atlas.regions["ears"] > 0.9
    assert (colours[ears].mean() < 120) == (style in ("medium", "long"))
    back = (atlas.xyz[:, 2] < 0) & (np.abs(atlas.xyz[:, 0]) < 0.04) & (np.abs(atlas.xyz[:, 1] - 0.42) < 0.03)
    assert (colours[back].mean() < 110) == (style == "long")


def test_law_receding_temples_bare_skin_and_never_cover_more(atlas):
    full = painted(atlas, paint_hair, wearing(style="short", recession=0.0)).mean(1)
    back = painted(atlas, paint_hair, wearing(style="short", recession=1.0)).mean(1)
    assert (back - full).max() > 60 and (back - full).min() > -20


@pytest.mark.parametrize("beard", ["stubble", "moustache", "goatee", "full"])
def test_law_beards_lie_on_the_lower_face(atlas, beard):
    plain = painted(atlas, paint_hair, wearing())
    changed = (painted(atlas, paint_hair, wearing(beard=beard)) != plain).any(1)
    lm = atlas.landmarks
    assert changed.any()
    assert atlas.xyz[changed, 1].max() < lm.ear[1] + 0.002 and atlas.weight[changed, 4].min() > 0.5
    chin = np.linalg.norm(atlas.xyz - lm.chin - (0, 0.012, 0), axis=1) < 0.01
    assert changed[chin].any() == (beard != "moustache")


@pytest.mark.parametrize("style", ["headscarf", "beanie"])
def test_law_headwear_spares_the_face(atlas, style):
    colours = painted(atlas, paint_hair, wearing(style=style))
    lm = atlas.landmarks
    crown = atlas.xyz[:, 1] > lm.crown - 0.02
    assert not (colours[crown] == SKIN).all(1).any()
    middle = (
        (np.abs(atlas.xyz[:, 0]) < 0.035) & (atlas.xyz[:, 2] > lm.eyes[0, 2]) & (atlas.weight[:, 4] > 0.9)
    )
    middle &= (atlas.xyz[:, 1] < lm.eyes[0, 1] + 0.01) & (atlas.xyz[:, 1] > lm.mouth[1] - 0.01)
    assert (colours[middle] == SKIN).all()
    if style == "headscarf":
        assert not (colours[atlas.regions["ears"] > 0.9] == SKIN).all(1).any()
