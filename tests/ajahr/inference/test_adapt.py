"""Bodies made aware of limb loss: nearer to a rendered truth, refused with reasons, never without the intact body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from limb_loss_people import CAMERA, Truth, as_another_method_says, person
from smplx_files import write_smplx

from ajahr.anatomy import JOINT, LDPOSE25, Limb
from ajahr.body.rig import RigData, load_rig
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.adapt import AdaptOptions, adapt
from ajahr.inference.adapted import RESIDUAL_RED, Adapted
from ajahr.inference.body_params import take
from ajahr.inference.ld_points import LdPoints
from ajahr.residual_limb.segments import SEGMENT
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import cut_limbs

AS_IT_IS = AdaptOptions(refine=False)
ENDS = (
    {"left_above_knee_res": 0.4},
    {"right_below_elbow_res": 0.5, "left_below_knee_res": 0.3},
    {"right_above_elbow_res": 0.5, "left_below_elbow_res": 0.4, "right_below_knee_res": 0.6},
)


@pytest.fixture(scope="module")
def rig() -> RigData:
    return load_rig()


@pytest.fixture(scope="module")
def people(rig) -> list[Truth]:
    turns = (0.4, -0.5, 0.2)
    return [
        person(rig, ends, seed=k, turn=turn, noise_px=1.0, place=(0.9 * (k - 1), 0.1, 4.0))
        for k, (ends, turn) in enumerate(zip(ENDS, turns, strict=True))
    ]


@pytest.fixture(scope="module")
def points(people) -> LdPoints:
    return LdPoints.of(np.stack([p.keypoints for p in people]))


def true_mesh(rig: RigData, truth: Truth, ends: dict[str, float]) -> np.ndarray:
    vertices = rig.shaped(truth.betas.astype(np.float32))
    rest = (rig.J_regressor @ vertices).astype(np.float32)
    body = SkinnedMesh.build(vertices, rig.faces, rig.weights, rest, rig.parents, rig.posedirs)
    cut = cut_limbs(body, {SEGMENT[name]: fraction for name, fraction in ends.items()})
    return cut.mesh.pose(truth.rotmats, truth.translation)


def chamfer_mm(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.spatial import cKDTree

    return 500 * float(cKDTree(a).query(b)[0].mean() + cKDTree(b).query(a)[0].mean())


def test_nearer_to_the_rendered_truth_than_without(rig, people, points):
    params = as_another_method_says(people, rig, 0.06)
    whole = adapt(params, LdPoints.of(np.zeros((3, 25, 3))), body=rig, options=AS_IT_IS)
    plain, refined = (
        adapt(params, points, body=rig, options=replace(AS_IT_IS, refine=refine)) for refine in (False, True)
    )
    for k, truth in enumerate(people):
        mesh = true_mesh(rig, truth, ENDS[k])
        before, cut, better = (chamfer_mm(r.people[k].vertices_cam, mesh) for r in (whole, plain, refined))
        assert cut < before and better < 0.8 * before
        errors = {"plain": [], "refined": []}
        for limb in refined.people[k].limbs:
            if limb.segment is None:
                continue
            name = limb.segment.name
            assert limb.status == "residual" and limb.cut is not None and limb.end_cam is not None
            assert abs(limb.fraction - ENDS[k][name]) < 0.12
            errors["refined"].append(np.linalg.norm(limb.end_cam - truth.ends[name]))
            other = plain.people[k].limbs[limb.limb]
            proxy = plain.people[k].joints_cam[[limb.segment.anchor, limb.segment.upstream]].mean(0)
            errors["plain"].append(np.linalg.norm(proxy - truth.ends[name]))
            assert other.segment is limb.segment
            # the drawn end lies on the marked one
            assert limb.error_px < 6
        assert len(errors["refined"]) == len(ENDS[k])
        assert np.mean(errors["refined"]) < np.mean(errors["plain"])


def test_exact_parameters_give_the_exact_limbs(rig, people):
    exact = [person(rig, ends, seed=k, turn=0.3) for k, ends in enumerate(ENDS)]
    marked = LdPoints.of(np.stack([p.keypoints for p in exact]))
    result = adapt(
        as_another_method_says(exact, rig), marked, body=rig, options=replace(AS_IT_IS, match="index")
    )
    for k, truth in enumerate(exact):
        mesh = true_mesh(rig, truth, ENDS[k])
        assert chamfer_mm(result.people[k].vertices_cam, mesh) < 0.6
        for limb in result.people[k].limbs:
            if limb.segment is not None:
                assert limb.fraction == pytest.approx(ENDS[k][limb.segment.name], abs=0.01)
                bone = np.linalg.norm(truth.joints[limb.segment.anchor] - truth.joints[limb.segment.upstream])
                assert limb.length == pytest.approx((1 - ENDS[k][limb.segment.name]) * bone, rel=0.02)
                assert limb.length_sd == pytest.approx(limb.fraction_sd * bone, rel=0.02)


def test_meshes_are_closed_red_where_the_limb_ends_and_can_be_posed_anew(rig, people, points):
    result = adapt(as_another_method_says(people, rig), points, body=rig, options=AS_IT_IS)
    for one in result.people:
        assert topology(one.vertices_cam, one.body.faces).closed
        red = (one.colours == RESIDUAL_RED).all(1)
        tips = [limb.cut.tip for limb in one.limbs if limb.cut is not None]
        assert red[tips].all() and 0 < red.mean() < 0.4 and len(tips) == len(ENDS[one.number])
        for limb in one.limbs:  # the tip's number still holds after the cuts that followed
            if limb.cut is not None and limb.end_cam is not None:
                assert np.linalg.norm(one.vertices_cam[limb.cut.tip] - limb.end_cam) < 0.05
        straight = one.body.pose(np.tile(np.eye(3), (24, 1, 1)))
        assert topology(straight, one.body.faces).volume > 0
        document = one.document()
        absent = document["smpl"]["absent_joints"]
        assert absent and all(document["joints_3d"][JOINT[name]] is None for name in absent)


def test_people_are_found_by_their_boxes(rig, people, points):
    params = as_another_method_says(people, rig, 0.03)
    order = [2, 0, 1]
    shuffled = LdPoints.of(points.keypoints[order])
    straight = adapt(params, points, body=rig, options=AS_IT_IS)
    found = adapt(params, shuffled, body=rig, options=AS_IT_IS)
    assert [p.points_row for p in found.people] == [1, 2, 0]
    for a, b in zip(straight.people, found.people, strict=True):
        np.testing.assert_allclose(a.vertices_cam, b.vertices_cam)
    fewer = adapt(params, LdPoints.of(points.keypoints[:1]), body=rig, options=AS_IT_IS)
    assert [p.points_row for p in fewer.people] == [0, None, None]
    assert fewer.people[1].notes == ("no keypoints lie on this person",)
    assert {limb.status for limb in fewer.people[1].limbs} == {"unknown"}
    with pytest.raises(UserError, match="cannot be matched by index"):
        adapt(params, fewer.points, body=rig, options=replace(AS_IT_IS, match="index"))


# ------------------------------------------------------------------------------------------- what is refused


def one(rig: RigData, ends: dict[str, float], change=None, **options) -> Adapted:
    truth = person(rig, ends, seed=5)
    keypoints, params = truth.keypoints.copy(), as_another_method_says([truth], rig)
    if change is not None:
        changed = change(keypoints, params, truth)
        params = params if changed is None else changed
    return adapt(params, LdPoints.of(keypoints[None]), body=rig, options=replace(AS_IT_IS, **options))


def whole_again(result: Adapted, rig: RigData) -> None:
    person = result.people[0]
    assert len(person.body.vertices) == len(rig.v_template) and not person.body.absent
    assert np.isfinite(person.vertices_cam).all() and person.document()["limbs"]


END = SEGMENT["left_above_knee_res"]


def off_the_limb(keypoints, params, truth):
    a, b = CAMERA.project(truth.joints[[END.anchor, END.upstream]])
    keypoints[END.point, :2] += 0.6 * (b - a)[::-1] * (1, -1)


def outside(keypoints, params, truth):
    keypoints[END.point, :2] = (-30, 400)


def behind(keypoints, params, truth):
    params.translation[0, 2] = -4


def not_a_number(keypoints, params, truth):
    keypoints[END.point, 0] = np.nan


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (off_the_limb, "endpoint_off_the_limb"),
        (outside, "outside_the_image"),
        (behind, "body_behind_the_camera"),
        (not_a_number, "not_finite"),
    ],
)
@pytest.mark.parametrize("refine", [False, True])
def test_an_end_that_cannot_be_is_refused_and_the_body_stays_whole(rig, change, reason, refine):
    result = one(rig, {END.name: 0.4}, change, refine=refine, match="index")
    limb = result.people[0].limbs[Limb.LEFT_LEG]
    assert (limb.status, limb.reason, limb.cut) == ("refused", reason, None)
    whole_again(result, rig)
    if change is behind:
        assert "behind the camera" in result.people[0].notes[0] and not result.people[0].visible


def test_a_bone_without_length_is_refused(rig):
    # a body whose left shank has no length: its ankle sits in the knee
    regress = rig.J_regressor.copy()
    segment = SEGMENT["left_below_knee_res"]
    regress[segment.anchor] = regress[segment.upstream]
    flat = replace(rig, J_regressor=regress)
    truth = person(rig, {segment.name: 0.4}, seed=5)
    params = as_another_method_says([truth], rig)
    result = adapt(params, LdPoints.of(truth.keypoints[None]), body=flat, options=AS_IT_IS)
    limb = result.people[0].limbs[Limb.LEFT_LEG]
    assert (limb.status, limb.reason) == ("refused", "bone_without_length")
    whole_again(result, rig)


def test_both_levels_of_one_limb_and_joints_beyond_the_end(rig):
    other = SEGMENT["left_below_knee_res"]

    def both(keypoints, params, truth):
        keypoints[other.point] = (*CAMERA.project(truth.joints[other.anchor]), 0.6)

    limb = one(rig, {END.name: 0.4}, both).people[0].limbs[Limb.LEFT_LEG]
    assert limb.status == "residual" and limb.segment is END
    assert limb.reason == "other_end_on_this_limb"

    def surer_foot(keypoints, params, truth):
        keypoints[END.point, 2] = 0.5
        keypoints[LDPOSE25.index["left_ankle"]] = (*CAMERA.project(truth.joints[7]), 0.9)

    result = one(rig, {END.name: 0.4}, surer_foot)
    limb = result.people[0].limbs[Limb.LEFT_LEG]
    assert (limb.status, limb.reason) == ("intact", "joint_beyond_the_end_is_surer")
    whole_again(result, rig)


def test_levels_of_the_regressor_are_the_ends_of_the_range(rig):
    truth = person(rig, {}, seed=6)
    params = replace(as_another_method_says([truth], rig), limb_levels=np.array([[2, 0, 0, 3]]))
    points = LdPoints.of(np.zeros((1, 25, 3)))
    limbs = adapt(params, points, body=rig, options=AS_IT_IS).people[0].limbs
    assert (limbs[0].fit, limbs[0].fraction, limbs[0].status) == ("joint_level", 0.0, "residual")
    assert (limbs[3].fit, limbs[3].fraction, limbs[3].status) == ("joint_level", 1.0, "disarticulated")
    assert limbs[3].cut is not None and "disarticulation" in limbs[3].cut.flags
    assert "clamped" not in limbs[3].cut.flags
    assert limbs[1].status == limbs[2].status == "unknown"


def test_a_limb_seen_end_on_is_cut_only_if_asked(rig):
    gates = replace(AS_IT_IS.gates, least_px=1000)  # every bone counts as short in the image
    for cut in (True, False):
        limb = one(rig, {END.name: 0.4}, gates=gates, cut_low_confidence=cut).people[0].limbs[Limb.LEFT_LEG]
        assert limb.fit == "low_confidence" and limb.reason == "limb_seen_end_on"
        assert limb.status == ("residual" if cut else "refused")


def test_betas_of_another_body_and_meshes_of_another_topology_are_told(rig):
    truth = person(rig, {}, seed=8, betas=np.zeros(10))
    params = replace(
        as_another_method_says([truth], rig), body=None, num_vertices=6890, betas=np.ones((1, 10))
    )
    result = adapt(params, LdPoints.of(truth.keypoints[None]), body=rig, options=AS_IT_IS)
    assert "6890 vertices" in result.notes[0] and "mean shape" in result.notes[1]
    assert (result.people[0].betas == 0).all()
    whole_again(result, rig)


def test_nobody(rig):
    params = as_another_method_says([person(rig, {}, seed=1)], rig)
    assert adapt(take(params, np.zeros(0, int)), LdPoints.of(np.zeros((0, 25, 3))), body=rig).people == ()


def test_smplx_bodies_lose_the_fingers_with_the_hand(tmp_path):
    rig = load_rig(write_smplx(tmp_path / "SMPLX_NEUTRAL.npz"))
    truth = person(rig, {"left_below_elbow_res": 0.4}, seed=2, turn=0.2)
    params = replace(
        as_another_method_says([truth], rig), body=None,
        face_and_hands={"left_hand": np.full((1, 15, 3), 0.3), "right_hand": np.full((1, 15, 3), 0.3)},
    )  # fmt: skip
    result = adapt(params, LdPoints.of(truth.keypoints[None]), body=rig, options=AdaptOptions())
    found = result.people[0]
    assert found.limbs[0].status == "residual" and topology(found.vertices_cam, found.body.faces).closed
    assert set(range(25, 40)) < found.body.absent and not set(range(40, 55)) & found.body.absent
    np.testing.assert_allclose(found.rotmats[30], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.rotmats[45], rotvec_to_rotmat(np.full(3, 0.3)), atol=1e-9)
    assert len(found.document()["smpl"]["body_pose"]) == 54
