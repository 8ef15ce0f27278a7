"""Sampled poses: inside the limits, nothing through the body, plausible for who lost a limb, varied."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ajahr.anatomy import BODY_POSE_FLIP, JOINT, LIMBS, PARENTS, Limb, absent_joint_mask
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import mirror_rotvec, rotvec_to_rotmat
from ajahr.poses.limits import violation
from ajahr.poses.penetration import REST_JOINTS, TOUCH, LimbGeometry, penetration
from ajahr.poses.sampler import ARCHETYPES, FAMILIES, FAMILY_SHARES, SampledPose, pose_library, sample_pose

BY_NAME = {(a.family, a.name): a for a in ARCHETYPES}


def draws(family: str, count: int, levels=(0, 0, 0, 0), seed: int = 0, **kwargs) -> list[SampledPose]:
    rng = np.random.default_rng(seed)
    return [sample_pose(rng, family, levels, **kwargs) for _ in range(count)]


def joints(pose: SampledPose) -> np.ndarray:
    """Joint positions (24, 3) in the upright world, from the rotation vectors alone."""
    rotmats = rotvec_to_rotmat(np.concatenate([pose.root_rotvec[None], pose.body_pose]).astype(np.float64))
    world, position = [rotmats[0]], [np.zeros(3)]
    for j in range(1, 24):
        p = PARENTS[j]
        position.append(position[p] + world[p] @ (REST_JOINTS[j] - REST_JOINTS[p]))
        world.append(world[p] @ rotmats[j])
    return np.stack(position)


def bone(pose: SampledPose, a: str, b: str) -> np.ndarray:
    at = joints(pose)
    d = at[JOINT[b]] - at[JOINT[a]]
    return d / np.linalg.norm(d)


@pytest.mark.parametrize("family", FAMILIES)
def test_poses_are_inside_the_limits_and_penetrate_nothing(family):
    poses = draws(family, 150)
    assert violation(np.stack([p.body_pose for p in poses])).max() <= 1e-6
    assert max(penetration(p.body_pose)[0] for p in poses) <= TOUCH + 1e-6
    assert all(p.body_pose.dtype == p.root_rotvec.dtype == np.float32 and p.family == family for p in poses)


@pytest.mark.parametrize("archetype", ARCHETYPES, ids=lambda a: f"{a.family}-{a.name}")
def test_every_archetype_can_be_drawn(archetype):
    """Twice, within the tries: an archetype that its own limits refuse would never appear."""
    for pose in draws(archetype.family, 2, archetype=archetype.name):
        assert pose.archetype == archetype.name


def test_names_are_unique_within_a_family():
    assert len(BY_NAME) == len(ARCHETYPES)


@pytest.mark.parametrize("family", FAMILIES)
def test_deterministic(family):
    first, again = draws(family, 20, seed=7), draws(family, 20, seed=7)
    other = draws(family, 20, seed=8)
    for a, b in zip(first, again, strict=True):
        assert (
            a.body_pose.tobytes() == b.body_pose.tobytes()
            and a.root_rotvec.tobytes() == b.root_rotvec.tobytes()
        )
    assert any(a.body_pose.tobytes() != b.body_pose.tobytes() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_varied(family):
    poses = draws(family, 120)
    kinds = {p.archetype for p in poses}
    assert len(kinds) >= 8
    positions = np.stack([joints(p) for p in poses])
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1).mean(-1)
    apart = apart[~np.eye(len(poses), dtype=bool)]
    assert apart.min() > 0.01  # no pose twice
    assert np.median(apart) > 0.1


@pytest.mark.parametrize(
    ("family", "name", "least"),
    [("everyday", "walking", 0.05), ("sport", "throwing", 0.05), ("wheelchair", "pushing", 0.02)],
)
def test_varied_within_one_archetype(family, name, least):
    positions = np.stack([joints(p) for p in draws(family, 60, archetype=name)])
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1).mean(-1)
    assert np.median(apart[~np.eye(60, dtype=bool)]) > least


def test_both_sides_act():
    raised = [joints(p) for p in draws("everyday", 60, archetype="raising_hand")]
    left = sum(x[JOINT["left_wrist"], 1] > x[JOINT["right_wrist"], 1] for x in raised)
    assert 15 < left < 45


def test_the_sampler_prefers_no_side():
    """Means over many poses are symmetric, within their errors."""
    poses = np.stack([p.body_pose for p in draws("everyday", 400)]).astype(np.float64)
    difference = poses - mirror_rotvec(poses[:, list(BODY_POSE_FLIP)])
    error = difference.std(0) / np.sqrt(len(poses)) + 1e-3
    assert np.abs(difference.mean(0) / error).max() < 4.5


# ---------------------------------------------------------------------------------- what families look like


def test_everyday_people_are_upright():
    assert all(bone(p, "pelvis", "spine1")[1] > 0.5 for p in draws("everyday", 100))


@pytest.mark.parametrize(
    "name", ["hands_on_thighs", "at_desk", "talking", "reading_phone", "hands_on_seat", "raising_hand"]
)
def test_seated_thighs_are_level_and_shins_hang(name):
    for pose in draws("seated", 15, archetype=name):
        for side in ("left", "right"):
            thigh, shin = (
                bone(pose, f"{side}_hip", f"{side}_knee"),
                bone(pose, f"{side}_knee", f"{side}_ankle"),
            )
            assert thigh[2] > 0.85 and abs(np.rad2deg(np.arcsin(thigh[1]))) < 20
            assert shin[1] < -0.7


def test_wheelchair_thighs_are_level():
    for pose in draws("wheelchair", 80):
        for side in ("left", "right"):
            assert abs(np.rad2deg(np.arcsin(bone(pose, f"{side}_hip", f"{side}_knee")[1]))) < 30


def test_pushing_hands_are_beside_the_hips_on_the_wheel():
    for pose in draws("wheelchair", 30, archetype="pushing"):
        at = joints(pose)
        for side, sign in (("left", 1), ("right", -1)):
            x, y, z = at[JOINT[f"{side}_wrist"]]
            assert 0.22 < sign * x < 0.36
            assert -0.15 < y < 0.30
            assert -0.30 < z < 0.40
            assert bone(pose, f"{side}_shoulder", f"{side}_elbow")[1] < 0


def test_lying_people_lie():
    for pose in draws("lying", 80):
        if pose.archetype == "prone_on_elbows":
            continue
        at = joints(pose)
        trunk = at[JOINT["neck"]] - at[JOINT["pelvis"]]
        assert abs(trunk[1]) / np.linalg.norm(trunk) < 0.45
        # nothing far below the trunk
        assert at[:, 1].min() > at[[JOINT["pelvis"], JOINT["spine2"], JOINT["spine3"]], 1].min() - 0.32


@pytest.mark.parametrize(("name", "up"), [("supine", 1), ("knees_up", 1), ("prone_arms_up", -1)])
def test_lying_faces_the_right_way(name, up):
    for pose in draws("lying", 5, archetype=name):
        assert up * (rotvec_to_rotmat(pose.root_rotvec) @ np.array([0, 0, 1], np.float32))[1] > 0.9


def test_a_walker_swings_the_other_arm():
    """Arm and leg of one side swing against each other."""
    legs, arms = [], []
    for pose in draws("everyday", 60, archetype="walking"):
        at = joints(pose)
        legs.append(at[JOINT["left_ankle"], 2] - at[JOINT["right_ankle"], 2])
        arms.append(at[JOINT["left_wrist"], 2] - at[JOINT["right_wrist"], 2])
    assert np.corrcoef(legs, arms)[0, 1] < -0.7


# -------------------------------------------------------------------------------------------- missing limbs


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_archetypes_do_without_the_lost_limb(limb, level):
    levels = [0, 0, 0, 0]
    levels[limb] = level
    absent = absent_joint_mask(levels)
    for family in FAMILIES:
        for pose in draws(family, 15, tuple(levels), seed=int(limb)):
            archetype = BY_NAME[family, pose.archetype]
            assert (archetype.hands if limb.is_arm else archetype.legs) < 2
            assert violation(pose.body_pose).max() <= 1e-6
            assert penetration(pose.body_pose, absent_joints=absent)[0] <= TOUCH + 1e-6


@pytest.mark.parametrize("lost", [Limb.LEFT_LEG, Limb.RIGHT_LEG])
def test_who_lost_a_leg_stands_on_the_other(lost):
    levels = [0, 0, 0, 0]
    levels[lost] = 2
    carrying = lost.mirrored.side
    seen = set()
    for pose in draws("everyday", 80, tuple(levels)):
        if not BY_NAME["everyday", pose.archetype].one_legged:
            continue
        seen.add(pose.archetype)
        at = joints(pose)
        lowest = np.where(absent_joint_mask(levels), np.inf, at[:, 1]).argmin()
        assert lowest in (JOINT[f"{carrying}_foot"], JOINT[f"{carrying}_ankle"])
    assert {"crutch_stance", "one_leg_support"} <= seen


@pytest.mark.parametrize("lost", [Limb.LEFT_ARM, Limb.RIGHT_ARM])
def test_who_lost_a_hand_acts_with_the_other(lost):
    levels = [0, 0, 0, 0]
    levels[lost] = 1
    acting = JOINT[f"{lost.mirrored.side}_wrist"]
    for pose in draws("everyday", 10, tuple(levels), archetype="raising_hand"):
        assert joints(pose)[acting, 1] > joints(pose)[JOINT["head"], 1]


def test_without_legs_everyday_life_is_seated():
    for pose in draws("everyday", 40, (0, 0, 2, 3)):
        assert bone(pose, "left_hip", "left_knee")[1] > -0.5


def test_any_loss_in_any_family_has_poses():
    rng = np.random.default_rng(0)
    for levels in itertools.product((0, 1, 3), repeat=4):
        for family in FAMILIES:
            assert np.isfinite(sample_pose(rng, family, levels).body_pose).all()


def test_people_with_two_legs_rarely_stand_on_one():
    share = np.mean([BY_NAME["everyday", p.archetype].one_legged for p in draws("everyday", 300)])
    assert 0 < share < 0.1


# ------------------------------------------------------------------------------------------------ the rest


def test_another_body_gets_its_own_test():
    broad = REST_JOINTS.copy()
    broad[:, 0] *= 1.25
    geometry = LimbGeometry.from_joints(broad)
    for pose in draws("everyday", 40, geometry=geometry):
        assert penetration(pose.body_pose, geometry)[0] <= TOUCH + 1e-6


def test_user_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="no pose family 'swimming'; there are everyday"):
        sample_pose(rng, "swimming")
    with pytest.raises(UserError, match="no archetype 'nap'"):
        sample_pose(rng, "lying", archetype="nap")
    with pytest.raises(UserError, match="needs a limb that is lost"):
        sample_pose(rng, "wheelchair", (1, 0, 0, 0), archetype="pushing")
    with pytest.raises(ValueError, match=r"limb levels are 0\.\.3"):
        sample_pose(rng, "lying", (0, 0, 0, 4))


def test_pose_library():
    library = pose_library(30, seed=4)
    assert library.shape == (30, 23, 3) and library.dtype == np.float32
    np.testing.assert_array_equal(library, pose_library(30, seed=4))
    assert pose_library(0).shape == (0, 23, 3)
    assert sum(FAMILY_SHARES.values()) == pytest.approx(1)
    assert set(FAMILY_SHARES) == set(FAMILIES)
