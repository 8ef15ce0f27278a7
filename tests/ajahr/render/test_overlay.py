"""Drawings: what is drawn where, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import COCO17, JOINT, JOINT_LIMB, LAYOUTS, LDPOSE25, NUM_JOINTS, Limb
from ajahr.render import overlay
from ajahr.render.rasterizer import RenderResult

BLACK = np.zeros((120, 160, 3), np.uint8)


def changed(before, after) -> np.ndarray:
    return (before != after).any(-1)


def scattered(layout, seed=0) -> np.ndarray:
    """Points on a grid coarse enough that no two discs touch."""
    cells = np.stack(np.meshgrid(np.arange(10, 155, 20), np.arange(10, 115, 15)), -1).reshape(-1, 2)
    return np.random.default_rng(seed).permutation(cells)[: len(layout)].astype(np.float64)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_layout_draws_its_present_points_and_only_those(name):
    layout = LAYOUTS[name]
    rng = np.random.default_rng(3)
    points = scattered(layout)
    absent = rng.random(len(layout)) < 0.4
    out = overlay.draw_skeleton(BLACK, points, layout, absent=absent, size=3)
    assert not BLACK.any()  # the photograph is not drawn upon
    for i, (x, y) in enumerate(points.astype(int)):
        if not absent[i]:
            assert out[y - 1 : y + 2, x - 1 : x + 2].any()
    # with all but one absent there is one disc, and no bone
    one = np.ones(len(layout), bool)
    one[0] = False
    x, y = points[0]
    rows, columns = np.nonzero(
        changed(BLACK, overlay.draw_skeleton(BLACK, points, layout, absent=one, size=3))
    )
    assert len(rows) and np.hypot(rows - y, columns - x).max() < 7
    assert not overlay.draw_skeleton(BLACK, points, layout, absent=one | True).any()


def test_an_absent_joint_breaks_the_chain():
    points = np.full((17, 2), np.nan)
    names = ["left_hip", "left_knee", "left_ankle"]
    for name, x in zip(names, (20.0, 80.0, 140.0), strict=True):
        points[COCO17.index[name]] = x, 60.0
    whole = overlay.draw_skeleton(BLACK, points, COCO17, size=4)
    absent = np.zeros(17, bool)
    absent[COCO17.index["left_knee"]] = True
    broken = overlay.draw_skeleton(BLACK, points, COCO17, absent=absent, size=4)
    assert whole[60, 30:130].any(-1).all() and not broken[60, 30:130].any()
    assert broken[60, 20].any() and broken[60, 140].any()


def test_points_that_are_not_finite_are_left_out_with_their_bones():
    points = np.full((17, 2), np.nan)
    points[COCO17.index["left_elbow"]] = 40.0, 50.0
    out = overlay.draw_skeleton(BLACK, points, COCO17, size=4)
    rows, columns = np.nonzero(changed(BLACK, out))
    assert rows.min() >= 44 and rows.max() <= 55 and columns.min() >= 34 and columns.max() <= 45
    assert out[50, 40].tolist() == list(overlay.LIMB_COLOURS[Limb.LEFT_ARM])


def test_a_disc_is_centred_on_our_continuous_coordinates():
    points = np.full((17, 2), np.nan)
    points[0] = 40.0, 50.0  # the corner between four pixels
    mask = changed(BLACK, overlay.draw_skeleton(BLACK, points, COCO17, size=5)).astype(int)
    rows, columns = np.nonzero(mask)
    assert abs(rows.mean() + 0.5 - 50) < 0.1 and abs(columns.mean() + 0.5 - 40) < 0.1


def test_hidden_points_are_rings_and_their_bones_dashed():
    points = np.full((17, 2), np.nan)
    a, b = COCO17.index["left_hip"], COCO17.index["left_knee"]
    points[a], points[b] = (20.0, 60.0), (140.0, 60.0)
    seen = np.ones(17, bool)
    solid = overlay.draw_skeleton(BLACK, points, COCO17, visible=seen, size=5)
    seen[b] = False
    dashed = overlay.draw_skeleton(BLACK, points, COCO17, visible=seen, size=5)
    assert dashed[60, 20].any() and not dashed[60, 140].any() and dashed[60, 145].any()  # disc; ring
    along = slice(30, 130)
    assert solid[60, along].any(-1).all()
    assert 0.2 < dashed[60, along].any(-1).mean() < 0.8


def test_residual_ends_are_diamonds_of_their_colour():
    points = np.full((25, 2), np.nan)
    end = LDPOSE25.residual[0]
    points[end] = 80.0, 60.0
    out = overlay.draw_skeleton(BLACK, points, LDPOSE25, size=6)
    assert out[60, 80].tolist() == list(overlay.RESIDUAL_COLOUR)
    mask = changed(BLACK, out)
    assert mask[60, 72] and mask[60, 87] and not mask[53, 73] and not mask[67, 87]


def test_points_far_outside_the_image_do_no_harm():
    points = np.tile([[1e12, -1e12]], (17, 1))
    points[::2] = (80.0, 60.0)
    hidden = np.zeros(17, bool)
    assert overlay.draw_skeleton(BLACK, points, COCO17, visible=hidden).shape == BLACK.shape


def test_the_palette_tells_all_parts_apart_and_limbs_by_hue():
    palette = overlay.part_palette().astype(int)
    assert palette.shape == (NUM_JOINTS + 1, 3) and not palette[0].any()
    gaps = np.abs(palette[:, None] - palette[None]).sum(-1) + 999 * np.eye(NUM_JOINTS + 1, dtype=int)
    assert gaps.min() > 15
    for limb in (Limb.LEFT_ARM, Limb.RIGHT_LEG):
        hue = np.argsort(overlay.LIMB_COLOURS[limb])
        for joint in np.flatnonzero(np.array(JOINT_LIMB) == limb):
            np.testing.assert_array_equal(np.argsort(palette[joint + 1]), hue)


def test_parts_are_coloured_and_the_background_is_left():
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    parts = np.zeros((8, 9), np.uint8)
    parts[2:5, 3:6] = JOINT["left_knee"] + 1
    out = overlay.draw_parts(image, parts, opacity=1.0)
    assert (out[2:5, 3:6] == overlay.part_palette()[JOINT["left_knee"] + 1]).all()
    np.testing.assert_array_equal(out[parts == 0], image[parts == 0])
    with pytest.raises(ValueError, match="24"):
        overlay.draw_parts(image, parts + np.uint8(200))


def test_a_mesh_is_laid_over_a_copy_with_its_opacity():
    image = np.full((4, 5, 3), 100, np.uint8)
    rgba = np.zeros((4, 5, 4), np.uint8)
    rgba[1, 2] = 200, 200, 200, 255
    result = RenderResult(rgba, np.full((4, 5), np.inf, np.float32), np.zeros((4, 5), np.uint8), (2, 1, 3, 2))
    assert overlay.draw_mesh(image, result)[1, 2].tolist() == [200] * 3
    assert overlay.draw_mesh(image, result, opacity=0.5)[1, 2].tolist() == [150] * 3
    assert (image == 100).all() and (overlay.draw_mesh(image, result)[0] == 100).all()


def test_a_label_stays_inside_the_image_and_a_box_marks_its_edges():
    for at in ((0, 0), (500, 500), (-50, 60)):
        out = overlay.draw_label(BLACK + np.uint8(90), "left knee\nhidden", at, size=12)
        mask = changed(BLACK + np.uint8(90), out)
        assert 400 < mask.sum() < 5000 and out.max() > 200
    assert not overlay.draw_label(BLACK, "", (3, 3)).any()
    box = overlay.draw_box(BLACK, np.array([20.0, 30.0, 100.0, 90.0]))
    assert box[60, 20].any() and box[30, 60].any() and not box[60, 60].any()


def test_a_skeleton_of_another_layout_is_an_error():
    with pytest.raises(ValueError, match="coco17 has 17"):
        overlay.draw_skeleton(BLACK, np.zeros((24, 2)), COCO17)
