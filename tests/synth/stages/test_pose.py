"""Who gets which pose: shares of the mix, own poses in their own place, everything else anywhere."""

from collections import Counter

import numpy as np
import pytest
from pose_files import SCALE, captured, stander, write_amass, write_background, write_hmr2

from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.background_bank import BackgroundBank
from synth.config import GenerateConfig
from synth.pose_sources.bank import PoseBank
from synth.pose_sources.build import build_poses
from synth.pose_sources.config import PoseConfig, PoseSourceConfig
from synth.progress import Progress
from synth.record import Person, Record
from synth.stages.pose import Pose

INTACT = (0, 0, 0, 0)
LEFT, ELSEWHERE = stander(150, 240, 140, seed=1), stander(300, seed=3)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("poses")
    write_background(folder / "backgrounds", 0, "a", [LEFT])
    write_background(folder / "backgrounds", 1, "b", [ELSEWHERE])
    fits = write_hmr2(folder / "f.npz", [LEFT, ELSEWHERE], ["a.jpg", "c.jpg"])
    write_amass(folder / "amass" / "walk_poses.npz", captured(200, z_up=True))
    sources = [
        PoseSourceConfig("hmr2", fits, 2.0, name="fits"),
        PoseSourceConfig("amass", folder / "amass", 1.0),
        PoseSourceConfig("smplify", None, 5.0),  # nobody has such a fit: it takes no part
        PoseSourceConfig("sampled", None, 1.0),
    ]
    config = PoseConfig(sources=sources)
    job = GenerateConfig(output=folder, poses=config)
    build_poses(job, folder / "backgrounds", folder / "poses", 1, Progress(quiet=True))
    return Pose(config, BackgroundBank(folder / "backgrounds"), PoseBank(folder / "poses"), own_shape=True)


def people(stage: Pose, background: int, count: int) -> list[Person]:
    found = []
    for i in range(count):
        record = Record(i, i, False, np.random.default_rng(i), background=stage.bank.backgrounds[background])
        record.people = [Person(record.background.slots[0], INTACT, INTACT)]
        found += stage(record).people
    return found


def test_shares_are_those_of_the_weights(stage):
    kinds = Counter(person.pose_source for person in people(stage, 0, 400))
    assert {kind: n / 400 for kind, n in kinds.items()} == pytest.approx(
        {"fitted": 0.5, "captured": 0.25, "sampled": 0.25}, abs=0.08
    )


def test_whoever_stood_here_is_put_in_place_with_their_pose_and_shape(stage):
    for person in people(stage, 0, 60):
        if person.pose_source == "fitted":
            assert person.pose_family == "fits" and person.keeps_betas
            assert person.pose_rotvec == pytest.approx(LEFT.pose, abs=1e-5)
            assert person.betas == pytest.approx([0.5] * 10)
            assert person.slot.px_per_m == pytest.approx(SCALE * LEFT.px_per_m, rel=0.01)
            assert person.slot.pelvis_px == pytest.approx(tuple(SCALE * np.array(LEFT.pelvis_px)), abs=0.5)


def test_where_no_fit_was_made_any_pose_stands_on_the_ground(stage):
    slot = stage.bank.backgrounds[1].slots[0]
    fitted = [person for person in people(stage, 1, 80) if person.pose_source == "fitted"]
    assert len({person.pose_rotvec.tobytes() for person in fitted}) == 2
    for person in fitted:
        assert not person.keeps_betas and person.slot.pelvis_px is None and person.slot.pose is None
        assert (person.slot.px_per_m, person.slot.ground_y) == (slot.px_per_m, slot.ground_y)


def test_captured_people_stand_upright_before_the_camera_at_any_heading(stage):
    found = [person for person in people(stage, 1, 300) if person.pose_source == "captured"]
    roots = rotvec_to_rotmat(np.array([person.pose_rotvec[0] for person in found], np.float64))
    assert roots[:, 1, 1].max() < -0.7  # the camera's y points down
    headings = np.arctan2(roots[:, 0, 2], roots[:, 2, 2])
    assert np.histogram(headings, 4, (-np.pi, np.pi))[0].min() > len(found) / 16


def test_a_mix_without_any_pose_is_sampled(stage):
    bare = Pose(PoseConfig(fitted_share=1.0), stage.bank)
    assert {person.pose_source for person in people(bare, 0, 5)} == {"sampled"}


def test_nobody_stands_before_themselves(stage):
    poses = set()
    for i in range(60):
        record = Record(i, i, False, np.random.default_rng(i), background=stage.bank.backgrounds[0])
        behind = Person(stage.bank.backgrounds[0].slots[0], INTACT, INTACT)
        record.people = [behind, Person(behind.slot, INTACT, INTACT, in_front_of=behind)]
        front = stage(record).people[1]
        if front.pose_source == "fitted":
            poses.add(front.pose_rotvec.tobytes())
            assert not front.keeps_betas and front.slot.pelvis_px is None
    assert len(poses) == 2
