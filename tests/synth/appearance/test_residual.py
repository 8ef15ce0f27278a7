from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ajahr.anatomy import ABSENT_TABLE, LIMBS, absent_joint_mask
from ajahr.errors import UserError
from ajahr.render.texture import Texture
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.segments import SEGMENT
from synth.appearance import residual
from synth.appearance.residual import ResidualTint

CLASSES = [(limb, level) for limb in LIMBS for level in (1, 2, 3)]


@pytest.fixture(scope="module")
def tint(body):
    return ResidualTint(body)


@pytest.fixture(scope="module")
def texture():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def absent(*cuts):
    levels = [0, 0, 0, 0]
    for limb, level in cuts:
        levels[limb] = level
    return absent_joint_mask(np.array(levels))


def lost_weight(body, mask):
    return body.weights[:, mask].sum(1)


@pytest.mark.parametrize(("limb", "level"), CLASSES)
def test_law_opacity_follows_the_lost_weight(body, tint, texture, limb, level):
    mask = absent((limb, level))
    alpha, lost = tint(texture, mask)[:, 3], lost_weight(body, mask)
    assert (alpha[lost == 0] == 0).all() and (alpha[lost > 0.999] == 1).all()
    order = np.argsort(lost)
    assert (np.diff(alpha[order]) >= -1e-5).all()  # rises with the weight
    assert ((alpha > 0.05) & (alpha < 0.95)).any()  # and smoothly


@pytest.mark.parametrize(("limb", "level"), CLASSES)
def test_law_colours_are_mixed_from_the_ring_just_above(body, tint, texture, limb, level):
    mask = absent((limb, level))
    ring = tint.ring(limb, level)
    lost = lost_weight(body, mask)
    assert len(ring) > 10 and lost[ring].max() < 0.3
    uv_of = np.zeros(len(body.v_template), int)
    uv_of[body.faces.ravel()] = body.uv_faces.ravel()
    x, y = (body.uv[uv_of[ring]] * 64).astype(int).clip(0, 63).T
    colours = texture[y, x].astype(float)
    found = tint(texture, mask)
    inside = found[found[:, 3] > 0, :3]
    assert (inside >= colours.min(0) - 1e-3).all() and (inside <= colours.max(0) + 1e-3).all()
    assert not found[found[:, 3] == 0, 3].any()
    # everything lost meets in one point and has one colour there
    assert np.ptp(found[lost > 0.9999, :3], axis=0).max() < 1


@pytest.mark.parametrize(("limb", "level"), CLASSES)
def test_law_one_colour_stays_that_colour(tint, limb, level):
    plain = np.full((16, 16, 3), (10, 120, 230), np.uint8)
    found = tint(plain, absent((limb, level)))
    shown = found[found[:, 3] > 0, :3]
    np.testing.assert_allclose(shown, np.broadcast_to((10, 120, 230), shown.shape), rtol=1e-4)


def test_law_a_shin_end_takes_no_colour_of_the_foot(body, tint):
    """The fault this mends: painted blue from the ankle down, the end above it shows none of it."""
    texture = np.zeros((512, 512, 3), np.uint8)
    foot = body.weights[:, ABSENT_TABLE[2, 1] | ABSENT_TABLE[3, 1]].sum(1) > 0.5
    faces = foot[body.faces].any(1)
    for triangle in (body.uv[body.uv_faces[faces]] * 512).astype(int):
        (x0, y0), (x1, y1) = triangle.min(0), triangle.max(0)
        texture[y0 : y1 + 1, x0 : x1 + 1] = (0, 0, 255)
    found = tint(texture, absent((2, 1)))
    assert found[found[:, 3] > 0, 2].max() < 60


@pytest.mark.parametrize("cuts", [[(0, 1), (2, 3)], [(0, 3), (1, 2), (2, 2), (3, 1)], [(2, 3), (3, 3)]])
def test_law_several_limbs_are_each_as_alone(body, tint, texture, cuts):
    together = tint(texture, absent(*cuts))
    others = np.stack([lost_weight(body, absent(cut)) for cut in cuts])
    for k, cut in enumerate(cuts):
        only = (others[k] > 0) & (np.delete(others, k, 0).max(0, initial=0) < 1e-6)
        assert only.any()
        np.testing.assert_allclose(together[only], tint(texture, absent(cut))[only], atol=1e-3)
    assert together[:, 3].max() == 1 and np.isfinite(together).all()


def test_twin_texture_with_mips_and_plain_image_agree(tint, texture):
    mask = absent((1, 2))
    np.testing.assert_array_equal(tint(texture, mask), tint(Texture.from_image(texture), mask))


def test_edge_nobody_lost_anything(tint, texture):
    assert not tint(texture, absent()).any()


def test_edge_hard_weights_still_have_a_ring(body, texture):
    hard = np.eye(24, dtype=np.float32)[body.weights.argmax(1)]
    found = ResidualTint(dataclasses.replace(body, weights=hard))(texture, absent((0, 2)))
    assert set(np.unique(found[:, 3])) == {0, 1} and np.isfinite(found).all()


def test_edge_a_body_without_uv_is_the_users_error(body):
    with pytest.raises(UserError, match="no UV coordinates"):
        residual.ResidualTint(dataclasses.replace(body, uv=None))


def test_law_a_closed_end_takes_the_colours_of_its_rim(body):
    shape = LimbCutter(body)(
        np.zeros(10), {SEGMENT["left_below_knee_res"]: 0.5, SEGMENT["right_above_elbow_res"]: 0.3}
    )
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    found = residual.dome_tint(red, shape)
    assert found.shape == (len(shape.added), 4)
    tinted = found[found[:, 3] > 0]
    assert tinted[:, :3] == pytest.approx(np.tile([200, 0, 0], (len(tinted), 1)), abs=0.5)
    for k, end in enumerate(shape.ends):
        first, second = (found[ring - shape.num_kept, 3] for ring in shape.rings(k))
        assert found[end.tip - shape.num_kept, 3] == 1  # nothing of what the lost part wore
        assert (first > 0).all() and (first < second).all() and not found[end.rim - shape.num_kept, 3].any()


def test_law_the_dome_keeps_the_side_of_a_colour(body):
    shape = LimbCutter(body)(np.zeros(10), {SEGMENT["left_below_knee_res"]: 0.5})
    (uv,) = shape.rim_uv
    texture = np.zeros((256, 256, 3), np.uint8)
    half = len(uv) // 2
    x, y = (uv[:half] * 256).astype(int).clip(0, 255).T
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            texture[(y + dy).clip(0, 255), (x + dx).clip(0, 255)] = 255
    found = residual.dome_tint(texture, shape)[shape.rings(0)[0] - shape.num_kept, 0]
    middle = half // 2
    assert found[middle] > 180 and found[(middle + half) % len(uv)] < 75
