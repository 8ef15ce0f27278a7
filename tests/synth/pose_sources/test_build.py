"""The pose bank: the same bytes always, nobody twice, everything left out is counted."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from pose_files import (
    SCALE,
    captured,
    prediction,
    stander,
    write_amass,
    write_background,
    write_hmr2,
    write_predictions,
    write_scorehmr,
)

from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.config import GenerateConfig
from synth.pose_sources import build
from synth.pose_sources.bank import PoseBank
from synth.pose_sources.build import build_poses, make_part, plausible, sources_sha256
from synth.pose_sources.config import PoseConfig, PoseSourceConfig
from synth.progress import Progress

QUIET = Progress(quiet=True)
LEFT, RIGHT, OTHER = stander(150, 240, 140, seed=1), stander(450, 260, 170, seed=2), stander(300, seed=3)


@pytest.fixture
def backgrounds(tmp_path) -> Path:
    folder = tmp_path / "backgrounds"
    write_background(folder, 0, "a", [LEFT, RIGHT], ids=["11", "12"])
    write_background(folder, 3, "S1_Walking.54138969_000001", [OTHER])
    return folder


def job(*sources: PoseSourceConfig) -> GenerateConfig:
    return GenerateConfig(output=Path("out"), poses=PoseConfig(sources=list(sources)))


def made(tmp_path, backgrounds, *sources, name="poses") -> PoseBank:
    build_poses(job(*sources), backgrounds, tmp_path / name, 1, QUIET)
    return PoseBank(tmp_path / name)


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_fits_are_a_pool_and_put_their_own_people_in_place(tmp_path, backgrounds):
    path = write_hmr2(tmp_path / "fits.npz", [OTHER, RIGHT, LEFT], ["elsewhere.jpg", "x/a.jpg", "x/a.jpg"])
    bank = made(tmp_path, backgrounds, PoseSourceConfig("hmr2", path))
    rng = np.random.default_rng(0)
    drawn = {tuple(np.round(bank.draw(rng, "hmr2").pose_rotvec[4], 4)) for _ in range(60)}
    assert len(drawn) == 3
    for slot, person in enumerate((LEFT, RIGHT)):
        own = bank.own(rng, "hmr2", "000000", slot)
        assert own is not None and own.pose_rotvec == pytest.approx(person.pose, abs=1e-5)
        assert own.px_per_m == pytest.approx(SCALE * person.px_per_m, rel=0.01)
        assert own.pelvis_px == pytest.approx(tuple(SCALE * np.array(person.pelvis_px)), abs=0.5)
        assert own.betas == pytest.approx([0.5] * 10)
    assert bank.own(rng, "hmr2", "000003", 0) is None
    assert bank.drops == {}


def test_any_frame_of_a_camera_of_human36m_belongs_to_its_background(tmp_path, backgrounds):
    people = [stander(200, 250, 150, seed=s) for s in range(4)]
    images = [f"S{1 + s}/S{1 + s}_Eating.54138969_{6 * s:06d}.jpg" for s in range(4)]
    images[3] = images[3].replace("54138969", "55011271")
    bank = made(
        tmp_path, backgrounds, PoseSourceConfig("hmr2", write_hmr2(tmp_path / "f.npz", people, images))
    )
    rng = np.random.default_rng(0)
    knees = {round(float(bank.own(rng, "hmr2", "000003", 0).pose_rotvec[4, 0]), 4) for _ in range(40)}
    assert knees == {round(float(person.pose[4, 0]), 4) for person in people[:3]}


def test_of_two_fits_of_one_person_the_nearer_is_theirs(tmp_path, backgrounds):
    off = stander(165, 250, 140, seed=5)
    people = [prediction(off, "a.jpg"), prediction(LEFT, "a.jpg")]
    bank = made(
        tmp_path, backgrounds, PoseSourceConfig("predictions", write_predictions(tmp_path / "p.json", people))
    )
    own = bank.own(np.random.default_rng(0), "predictions", "000000", 0)
    assert own is not None and own.pose_rotvec == pytest.approx(LEFT.pose, abs=1e-5)
    assert bank.drops == {"pose_predictions_unplaced_someone_nearer": 1}


def test_motion_capture_is_upright_and_knows_no_place(tmp_path, backgrounds):
    write_amass(tmp_path / "amass" / "walk_poses.npz", captured(300, z_up=True))
    bank = made(tmp_path, backgrounds, PoseSourceConfig("amass", tmp_path / "amass"))
    rng = np.random.default_rng(0)
    roots = np.array([bank.draw(rng, "amass").pose_rotvec[0] for _ in range(20)], np.float64)
    assert rotvec_to_rotmat(roots)[:, 1, 1].min() > 0.8
    assert bank.sources["amass"].captured and bank.draw(rng, "amass").betas is None


def test_what_is_no_pose_is_left_out_and_counted(tmp_path, backgrounds):
    broken, folded, twisted = (stander(200, seed=s) for s in range(3))
    broken.pose[5] = np.nan
    folded.pose[[16, 17], 2], folded.pose[[16, 17], 0] = [-1.3, 1.3], [0.0, 0.0]
    folded.pose[[18, 19]] = [[0, -2.4, 0], [0, 2.4, 0]]
    folded.pose[[1, 2], 2] = [-0.45, 0.45]  # thighs through each other
    twisted.pose[4, 0] = -2.0  # a knee bent forwards
    images = ["a.jpg"] * 4
    columns = {
        "center": np.zeros((4, 2)), "scale": np.ones(4),
        "body_keypoints_2d": np.zeros((4, 25, 3)), "extra_keypoints_2d": np.zeros((4, 19, 3)),
    }  # fmt: skip
    good = stander(200, seed=9)
    people = [broken, folded, twisted, good]
    write_hmr2(
        tmp_path / "f.npz",
        [good] * 4,
        images,
        **columns | {"body_pose": np.array([p.pose.ravel() for p in people])},
    )
    bank = made(tmp_path, backgrounds, PoseSourceConfig("hmr2", tmp_path / "f.npz", name="fits"))
    assert bank.sources["fits"].count == 1
    assert {k: v for k, v in bank.drops.items() if "unplaced" not in k} == {
        "pose_fits_not_finite": 1, "pose_fits_penetrates": 1, "pose_fits_out_of_range": 1,
    }  # fmt: skip


def test_thresholds_are_the_sources_own():
    folded = stander(seed=1).pose[None].astype(np.float32)
    folded[0, [1, 2], 2] = [-0.45, 0.45]
    assert plausible(folded, PoseSourceConfig("hmr2"))[1] == {"penetrates": 1}
    assert plausible(folded, PoseSourceConfig("hmr2", max_penetration=0.5))[0].all()


def test_a_source_without_a_single_pose_is_an_error(tmp_path, backgrounds):
    path = write_hmr2(tmp_path / "f.npz", [LEFT], ["a.jpg"], has_body_pose=np.zeros(1))
    with pytest.raises(UserError, match=r"no pose of hmr2 can be used \(pose_hmr2_no_fit 1\)"):
        made(tmp_path, backgrounds, PoseSourceConfig("hmr2", path))
    assert not (tmp_path / "poses" / "bank.json").exists()


def test_limits_keep_evenly_spaced_poses_and_their_places(tmp_path, backgrounds, monkeypatch):
    monkeypatch.setattr(build, "_ROWS", 2)
    people = [LEFT, *(stander(200, seed=s) for s in range(10, 18)), RIGHT]
    images = ["a.jpg", *["b.jpg"] * 8, "a.jpg"]
    path = write_hmr2(tmp_path / "f.npz", people, images)
    bank = made(tmp_path, backgrounds, PoseSourceConfig("hmr2", path, limit=4))
    rng = np.random.default_rng(0)
    assert bank.sources["hmr2"].count == 4
    for slot, person in enumerate((LEFT, RIGHT)):
        assert bank.own(rng, "hmr2", "000000", slot).pose_rotvec == pytest.approx(person.pose, abs=1e-5)


def test_a_killed_build_goes_on_to_the_same_bytes(tmp_path, backgrounds, monkeypatch):
    monkeypatch.setattr(build, "_ROWS", 1)
    annotations = write_hmr2(tmp_path / "f.npz", [LEFT, RIGHT], ["a.jpg", "a.jpg"])
    sources = [
        PoseSourceConfig("hmr2", annotations),
        PoseSourceConfig(
            "scorehmr", write_scorehmr(tmp_path / "s.npz", [LEFT, RIGHT]), annotations=annotations
        ),
    ]
    made(tmp_path, backgrounds, *sources, name="whole")
    done = []

    def killed(config, folder, poses, task, tick):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(task.index)
        make_part(config, folder, poses, task, tick)

    monkeypatch.setattr(build, "make_part", killed)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, backgrounds, *sources, name="part")
    assert not (tmp_path / "part" / "bank.json").exists()
    monkeypatch.setattr(build, "make_part", lambda *a: (done.append(a[3].index), make_part(*a)))
    made(tmp_path, backgrounds, *sources, name="part")
    assert done == [0, 1, 2]
    assert digest(tmp_path / "part") == digest(tmp_path / "whole")
    made(tmp_path, backgrounds, *sources, name="part")
    assert done == [0, 1, 2]


def test_other_files_have_another_fingerprint(tmp_path):
    path = write_hmr2(tmp_path / "f.npz", [LEFT], ["a.jpg"])
    before = sources_sha256(job(PoseSourceConfig("hmr2", path)))
    write_hmr2(path, [RIGHT], ["a.jpg"])
    assert sources_sha256(job(PoseSourceConfig("hmr2", path))) != before
    with pytest.raises(UserError, match="no such file"):
        sources_sha256(job(PoseSourceConfig("hmr2", tmp_path / "gone.npz")))


@pytest.mark.parametrize("damage", ["bank.json", "poses.npy", "places.npy"])
def test_a_damaged_bank_is_told(tmp_path, backgrounds, damage):
    made(tmp_path, backgrounds, PoseSourceConfig("hmr2", write_hmr2(tmp_path / "f.npz", [LEFT], ["a.jpg"])))
    (tmp_path / "poses" / damage).write_bytes(b"{")
    with pytest.raises(UserError, match="pose bank cannot be read"):
        PoseBank(tmp_path / "poses")
