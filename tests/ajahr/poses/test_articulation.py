"""Clinical words move limbs the way people know: checked by forward kinematics on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import BODY_POSE_FLIP, JOINT, PARENTS
from ajahr.geometry.rotations_np import mirror_rotvec, rotvec_to_rotmat
from ajahr.poses.articulation import articulate
from ajahr.poses.draft import HEAD, PELVIS, THORAX, Draft
from ajahr.poses.penetration import LimbGeometry
from ajahr.poses.sampler import articulate as to_rotvecs

SIDES = [(0, "left", 1.0), (1, "right", -1.0)]


def draft() -> Draft:
    return Draft(np.random.default_rng(0))


def joints(d: Draft) -> dict[str, np.ndarray]:
    """Joint positions by name, metres from the pelvis."""
    local, world, position = np.empty((24, 4)), np.empty((24, 4)), np.empty((24, 3))
    articulate(
        np.array(d.trunk),
        np.array(d.arms),
        np.array(d.legs),
        LimbGeometry.default().offsets,
        local,
        world,
        position,
    )
    return {name: position[j] for name, j in JOINT.items()}


def frames(d: Draft) -> list[np.ndarray]:
    """World rotation matrices of the joints, from the rotation vectors a sample would carry."""
    rotmats = rotvec_to_rotmat(
        to_rotvecs(d, LimbGeometry.default(), np.zeros(24, bool))[0].astype(np.float64)
    )
    world: list[np.ndarray] = []
    for j, parent in enumerate(PARENTS):
        world.append(rotmats[j] if parent < 0 else world[parent] @ rotmats[j])
    return world


def moved(change) -> dict[str, np.ndarray]:
    """How joints move when ``change`` is made to a hanging, upright person."""
    d = draft()
    before = joints(d)
    change(d)
    after = joints(d)
    return {name: after[name] - before[name] for name in JOINT}


def test_a_cleared_draft_stands_with_hanging_arms():
    at = joints(draft())
    for _, side, sign in SIDES:
        assert at[f"{side}_wrist"][1] < at[f"{side}_elbow"][1] - 0.2 < at[f"{side}_shoulder"][1] - 0.4
        assert sign * at[f"{side}_wrist"][0] > 0.1
        assert at[f"{side}_ankle"][1] < -0.8


@pytest.mark.parametrize(("s", "side", "sign"), SIDES)
class TestSides:
    def test_knee_flexion_brings_the_ankle_backwards_and_up(self, s, side, sign):
        by = moved(lambda d: d.leg(s, knee=60.0))
        assert by[f"{side}_ankle"][2] < -0.3
        assert by[f"{side}_ankle"][1] > 0.15
        assert np.allclose(by[f"{side}_knee"], 0)

    def test_hip_flexion_brings_the_knee_forwards_and_up(self, s, side, sign):
        by = moved(lambda d: d.leg(s, flexion=60.0))
        assert by[f"{side}_knee"][2] > 0.3
        assert by[f"{side}_knee"][1] > 0.15

    def test_hip_abduction_brings_the_foot_outwards(self, s, side, sign):
        assert sign * moved(lambda d: d.leg(s, abduction=20.0))[f"{side}_ankle"][0] > 0.25

    def test_hip_rotation_outwards_turns_the_toes_outwards(self, s, side, sign):
        assert sign * moved(lambda d: d.leg(s, rotation=30.0))[f"{side}_foot"][0] > 0.03

    def test_dorsiflexion_lifts_the_forefoot(self, s, side, sign):
        assert moved(lambda d: d.leg(s, dorsiflexion=15.0))[f"{side}_foot"][1] > 0.02

    def test_elbow_flexion_brings_the_wrist_forwards_and_up(self, s, side, sign):
        by = moved(lambda d: d.arm(s, elbow=90.0))
        assert by[f"{side}_wrist"][2] > 0.2
        assert by[f"{side}_wrist"][1] > 0.2
        assert np.allclose(by[f"{side}_elbow"], 0)

    def test_inward_rotation_brings_a_bent_forearm_before_the_body(self, s, side, sign):
        def change(d):
            d.arm(s, elbow=90.0, rotation=45.0)

        d = draft()
        d.arm(s, elbow=90.0)
        straight = joints(d)[f"{side}_wrist"]
        change(d)
        assert sign * (joints(d)[f"{side}_wrist"] - straight)[0] < -0.1

    def test_abduction_and_flexion_of_the_arm(self, s, side, sign):
        out = moved(lambda d: d.arm(s, elevation=90.0))
        assert sign * out[f"{side}_elbow"][0] > 0.2
        ahead = moved(lambda d: d.arm_swing(s, 90.0, 0.0))
        assert ahead[f"{side}_elbow"][2] > 0.2
        assert moved(lambda d: d.arm_swing(s, -30.0, 0.0))[f"{side}_elbow"][2] < -0.1

    def test_a_shrug_lifts_the_shoulder(self, s, side, sign):
        assert moved(lambda d: d.arm(s, shrug=20.0))[f"{side}_shoulder"][1] > 0.03

    def test_supination_turns_the_palm_of_a_bent_arm_up(self, s, side, sign):
        d = draft()
        d.arm(s, elbow=90.0, pronation=-80.0)
        # at rest the palm faces down, -y of the hand's frame
        palm = frames(d)[JOINT[f"{side}_wrist"]] @ [0, -1, 0]
        assert palm[1] > 0.9
        d.arm(s, pronation=80.0)
        assert (frames(d)[JOINT[f"{side}_wrist"]] @ [0, -1, 0])[1] < -0.9

    @pytest.mark.parametrize(
        ("anchor", "target", "pole"),
        [
            (PELVIS, (0.25, 0.05, 0.2), (1, -0.2, -0.5)),
            (THORAX, (-0.05, 0.0, 0.3), (1, -0.6, 0.0)),
            (HEAD, (0.13, -0.02, 0.1), (1, -0.7, 0.2)),
        ],
    )
    def test_reach_puts_the_wrist_on_its_target(self, s, side, sign, anchor, target, pole):
        d = draft()
        d.body(flexion=25.0, turn=20.0, pitch=15.0, neck_turn=-20.0)
        d.reach(s, anchor, target, pole, 0.0)
        local, world, position = np.empty((24, 4)), np.empty((24, 4)), np.empty((24, 3))
        offsets = LimbGeometry.default().offsets
        articulate(np.array(d.trunk), np.array(d.arms), np.array(d.legs), offsets, local, world, position)
        frame = frames(d)[anchor]
        wanted = position[anchor] + frame @ (np.array(target) * (sign, 1, 1))
        # the collar's last small move comes after the arm is solved
        assert np.linalg.norm(position[JOINT[f"{side}_wrist"]] - wanted) < 0.02
        elbow, shoulder = position[JOINT[f"{side}_elbow"]], position[JOINT[f"{side}_shoulder"]]
        out = frames(d)[THORAX] @ (np.array(pole) * (sign, 1, 1))
        assert (elbow - 0.5 * (shoulder + wanted)) @ out > 0

    def test_a_target_out_of_reach_stretches_the_arm(self, s, side, sign):
        d = draft()
        d.reach(s, PELVIS, (0.3, 0.4, 2.0), (1, 0, 0), 0.0)
        at = joints(d)
        span = np.linalg.norm(at[f"{side}_wrist"] - at[f"{side}_shoulder"])
        assert 0.47 < span < 0.49
        assert at[f"{side}_wrist"][2] > 0.4

    def test_point_turns_fingers_and_palm(self, s, side, sign):
        d = draft()
        d.arm(s, elevation=20.0, plane=60.0, elbow=80.0)
        d.hand(s)
        d.point(s, (-0.2, 0.1, 1.0), (-1.0, 0.0, 0.0))
        d.arm(s, wrist=0.0, ulnar=0.0, pronation=0.0)
        world = frames(d)
        hand, thorax = world[JOINT[f"{side}_wrist"]], world[THORAX]
        fingers = hand @ [sign, 0, 0]
        wanted = thorax @ np.array([-0.2 * sign, 0.1, 1.0])
        assert fingers @ wanted / np.linalg.norm(wanted) > 0.97
        assert (hand @ [0, -1, 0]) @ (thorax @ np.array([-sign, 0, 0])) > 0.9


def test_trunk_and_head():
    assert moved(lambda d: d.body(flexion=40.0))["neck"][2] > 0.1
    assert moved(lambda d: d.body(lateral=20.0))["neck"][0] > 0.05
    assert moved(lambda d: d.body(1, lateral=20.0))["neck"][0] < -0.05
    assert moved(lambda d: d.body(turn=30.0))["left_shoulder"][2] < -0.05
    assert moved(lambda d: d.body(neck_flexion=40.0))["head"][2] > 0.02
    assert moved(lambda d: d.body(pitch=30.0))["neck"][2] > 0.2


@pytest.mark.parametrize(("pitch", "spin", "face"), [(-90, 0, (0, 1, 0)), (90, 0, (0, -1, 0))])
def test_lying_on_back_and_front(pitch, spin, face):
    d = draft()
    d.body(pitch=float(pitch), spin=float(spin))
    root = frames(d)[0]
    np.testing.assert_allclose(root @ [0, 0, 1], face, atol=1e-6)
    assert abs((root @ [0, 1, 0])[1]) < 1e-6


def test_spin_on_the_back_lies_on_the_left_side():
    d = draft()
    d.body(pitch=-90.0, spin=90.0)
    np.testing.assert_allclose(frames(d)[0] @ [1, 0, 0], [0, -1, 0], atol=1e-6)


def test_a_mirrored_draft_is_the_mirrored_pose():
    rng = np.random.default_rng(3)
    d, m = draft(), draft()
    d.trunk = rng.normal(0, 10, 9).tolist()
    for s in (0, 1):
        d.arm(
            s,
            elevation=rng.uniform(5, 90),
            plane=rng.uniform(0, 90),
            rotation=20.0,
            elbow=70.0,
            pronation=30.0,
            shrug=5.0,
        )
        d.leg(
            s,
            flexion=rng.uniform(0, 60),
            abduction=5.0,
            rotation=10.0,
            knee=rng.uniform(0, 60),
            inversion=8.0,
        )
    d.reach(0, PELVIS, (0.2, 0.1, 0.2), (1, -0.3, -0.3), 0.0)
    d.point(0, (0.0, 0.3, 1.0), (-1.0, 0.0, 0.0))
    m.trunk = [-v if k in (1, 2, 4, 5, 7, 8) else v for k, v in enumerate(d.trunk)]
    m.arms, m.legs = d.arms[::-1], d.legs[::-1]
    a, b = (to_rotvecs(x, LimbGeometry.default(), np.zeros(24, bool))[0].astype(np.float64) for x in (d, m))
    np.testing.assert_allclose(mirror_rotvec(a[1:][list(BODY_POSE_FLIP)]), b[1:], atol=1e-6)
    np.testing.assert_allclose(mirror_rotvec(a[0]), b[0], atol=1e-6)
