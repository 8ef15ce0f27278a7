"""Where limbs end inside bones, and that what is drawn ends there."""

from dataclasses import replace

import numpy as np
import pytest

from ajahr.anatomy import LDPOSE25, LIMBS, Limb
from ajahr.body.data import load_body
from ajahr.data.record import VISIBLE
from ajahr.data.residual_mesh import residual_mesh
from ajahr.errors import UserError
from ajahr.render.rasterizer import Rasterizer
from synth import label_checks
from synth.appearance.shapes import sample_betas
from synth.background_bank import Slot
from synth.label_checks import check_mask, check_person, check_surface
from synth.record import Drop, Person, Record
from synth.residual_config import CLINICAL, HIGHEST, ResidualConfig
from synth.stages.place import person_camera
from synth.stages.residual import CutLimbs, DrawEnds, bone_of

LEVELS, ENDS = (1, 0, 0, 2), (0.55, 0.0, 0.0, 0.3)


def drawn(config: ResidualConfig, levels=(1, 2, 1, 2), seed=0, people=1, is_twin=False) -> Record:
    record = Record(0, 0, is_twin, np.random.default_rng([seed, 1]))
    slot = Slot((0, 0, 1, 1), 100.0, 160.0, 220.0)
    record.people = [Person(slot, levels, (0, 0, 0, 0) if is_twin else levels) for _ in range(people)]
    return DrawEnds(config)(record)


# the draw


def test_off_draws_nothing_and_leaves_every_later_draw_as_it_was():
    off, on = drawn(ResidualConfig()), drawn(ResidualConfig(share=1.0))
    assert off.people[0].fractions == (0.0,) * 4 and min(on.people[0].fractions) >= 0.1
    assert off.rng.random() == on.rng.random()
    assert off.rng.spawn(1)[0].random() == on.rng.spawn(1)[0].random()


@pytest.mark.parametrize("distribution", ["uniform", "clinical"])
def test_the_share_and_the_range_are_those_asked_for(distribution):
    config = ResidualConfig(0.5, [0.2, 0.9], distribution)
    found = np.array([p.fractions for seed in range(10) for p in drawn(config, seed=seed, people=60).people])
    assert abs((found > 0).mean() - 0.5) < 0.05
    for limb in LIMBS:
        some = found[found[:, limb] > 0, limb]
        bone = bone_of(limb, (1, 2, 1, 2)[limb])
        assert bone is not None
        high = min(0.9, HIGHEST.get(bone.bone, 1.0))
        assert some.min() >= 0.2 and some.max() <= high
        if distribution == "uniform":
            assert some.min() < 0.25 and some.max() > high - 0.05
        else:
            assert abs(np.median(some) - min(CLINICAL[bone.bone][0], high)) < 0.05


def test_only_what_is_lost_below_shoulder_and_hip_ends_in_a_bone_and_twins_agree():
    config = ResidualConfig(share=1.0)
    one = drawn(config, (3, 0, 1, 2)).people[0]
    assert one.fractions[0] == one.fractions[1] == 0 and min(one.fractions[2:]) > 0
    assert one.rendered_fractions == one.fractions
    twin = drawn(config, (3, 0, 1, 2), is_twin=True).people[0]
    assert twin.fractions == one.fractions and twin.rendered_fractions == (0.0,) * 4


@pytest.mark.parametrize(
    "config, message",
    [
        (ResidualConfig(share=1.1), "residual.share"),
        (ResidualConfig(lambda_range=[0.5]), "two numbers"),
        (ResidualConfig(lambda_range=[0.6, 0.5]), "two numbers"),
        (ResidualConfig(lambda_range=[0.0, 0.5]), "0.02 <= least"),
        (ResidualConfig(lambda_range=[0.75, 0.8]), "the highest a thigh"),
    ],
)
def test_a_wrong_configuration_is_named(config, message):
    assert any(wrong and message in text for wrong, text in config.problems())


# the cut


def test_the_record_gives_the_rendered_surface_back(scene, labelled, fast):
    record = scene(LEVELS, fractions=ENDS)
    drawn = record.people[0].cut
    (person,) = labelled(record)
    made = residual_mesh(person, load_body())  # 62 m away: float32 ends at 0.004 mm
    np.testing.assert_array_equal(made.faces, drawn.shape.faces)
    assert np.abs(made.vertices - drawn.vertices).max() < 5e-5
    for one, tip in zip([person.residual_limbs[limb] for limb in (0, 3)], made.tips, strict=True):
        assert np.abs(one.end_3d - tip).max() < 5e-5
    assert list(check_person(person, fast)) == [] and list(check_mask(record.mask, record.annotation)) == []


def test_a_limb_beside_one_lost_at_its_joint_is_cut_and_the_other_shrinks(scene, labelled, fast):
    record = scene((0, 2, 1, 0), fractions=(0.0, 0.0, 0.5, 0.0))
    (person,) = labelled(record)
    made = residual_mesh(person, load_body())
    assert np.abs(made.vertices - record.people[0].cut.vertices).max() < 5e-5
    elbow = person.joints_3d[19]
    near = np.linalg.norm(made.vertices - elbow, axis=1) < 1e-4
    assert near.sum() > 100  # forearm and hand
    assert list(check_person(person, fast)) == []
    assert person.residual_lambda[LDPOSE25.index["right_above_elbow_res"] - 17] == 0


def test_the_end_is_labelled_where_the_drawn_limb_ends(scene, labelled):
    whole, cut = scene((0, 0, 0, 0)), scene((1, 0, 0, 0), fractions=(0.5, 0, 0, 0))
    (person,) = labelled(cut)
    labelled(whole)
    x, y, visibility = person.ldpose_2d[LDPOSE25.index["left_below_elbow_res"]]
    assert visibility == VISIBLE
    gone = (whole.people[0].render.alpha > 127) & (cut.people[0].render.alpha <= 127)
    rows, columns = np.nonzero(gone)
    # the arm points away from the body: what is gone begins at the end, and is half a forearm and a hand long
    side = np.sign(columns.mean() - 160)
    assert abs((columns * side).min() - x * side) < 3 and abs(rows.mean() - y) < 6
    assert person.bbox_xyxy[2 if side > 0 else 0] == pytest.approx(x, abs=1.0)
    # and the mask shows a forearm and no hand
    parts = np.unique(cut.mask[cut.mask > 0] - 1)
    assert 18 in parts and not {20, 22} & set(parts.tolist())


def test_an_intact_twin_has_nothing_cut(scene, labelled):
    record = scene(LEVELS, fractions=ENDS, is_twin=True)
    (person,) = labelled(record)
    assert record.people[0].cut is None and person.residual_limbs == (None,) * 4
    assert np.isnan(person.residual_lambda).all()


def test_a_limb_cut_too_high_is_a_drop(scene):
    with pytest.raises(Drop) as drop:
        scene((0, 0, 2, 0), fractions=(0, 0, 0.95, 0))
    assert drop.value.reason == "limb_cut_too_high"


def test_highest_ends_are_clear_of_the_trunk(fast):
    """Nobody of any shape is dropped for a draw inside the range."""
    cutter = CutLimbs(fast).cutter
    rng = np.random.default_rng(0)
    for k in range(12):
        betas = sample_betas(rng, "male" if k % 2 else "female", fast.data)
        for limb in (Limb.LEFT_ARM, Limb.RIGHT_LEG):
            bone = bone_of(limb, 2)
            assert bone is not None
            (end,) = cutter(betas.astype(float), {bone: HIGHEST[bone.bone]}).ends
            assert not end.clamped


# the colours


def test_what_is_cut_is_lit_and_coloured_like_the_limb(scene, labelled):
    record = scene((0, 0, 1, 0), fractions=(0, 0, 0.5, 0))
    (person,) = labelled(record)
    x, y = person.ldpose_2d[LDPOSE25.index["left_below_knee_res"], :2].astype(int)
    drawn = record.people[0].render.rgba_premultiplied[y - 6 : y + 1, x - 2 : x + 3].astype(int)
    assert (drawn[..., 3] == 255).mean() > 0.8
    solid = drawn[drawn[..., 3] == 255][:, :3]
    assert solid.min() > 40  # grey 150, lit from nowhere blacker than half


# wrong labels


def test_a_wrong_lambda_is_found_with_and_without_the_body(scene, labelled, fast):
    (person,) = labelled(scene(LEVELS, fractions=ENDS))
    one = person.residual_limbs[0]
    wrong = replace(person, residual_limbs=(replace(one, fraction=0.5), *person.residual_limbs[1:]))
    found = list(check_person(wrong))
    assert any("by its lambda" in line for line in found) and any("residual length" in line for line in found)
    # somebody who changed the lengths with it is found by the surface
    scale = 0.5 / 0.45
    told = replace(one, fraction=0.5, length_mm=one.length_mm * scale)
    lengths = (person.residual_length[0] * scale, *person.residual_length[1:])
    clever = replace(person, residual_limbs=(told, *person.residual_limbs[1:]), residual_length=lengths)
    assert list(check_person(clever)) == []
    assert any("from where its surface does" in line for line in check_surface(clever, fast))
    fat = replace(one, volume_ml=2 * one.volume_ml)
    wrong = replace(person, residual_limbs=(fat, *person.residual_limbs[1:]))
    assert list(check_surface(wrong, fast)) == ["left_arm measures otherwise than its surface does"]
    moved = replace(one, segment="left_above_elbow_res")
    wrong = replace(person, residual_limbs=(moved, *person.residual_limbs[1:]))
    assert any("is said to end at" in line for line in check_person(wrong))


def test_a_body_that_cannot_be_cut_so_is_a_problem_and_no_exception(scene, labelled, fast, monkeypatch):
    (person,) = labelled(scene(LEVELS, fractions=ENDS))

    def refuse(*_args):
        raise UserError("no")

    monkeypatch.setitem(label_checks._cutters, fast.data, refuse)
    assert list(check_surface(person, fast)) == ["its limbs cannot be cut as they are said to end: no"]


def test_the_camera_sees_the_mesh_that_was_cut(scene, labelled):
    """The picture of the surface made again is the picture."""
    record = scene(LEVELS, fractions=ENDS)
    (person,) = labelled(record)
    made = residual_mesh(person, load_body())
    again = Rasterizer(made.faces).render(made.vertices, person_camera(record, record.people[0], "weak"))
    assert np.mean(again.alpha != record.people[0].render.alpha) < 1e-4
