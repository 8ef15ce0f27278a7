"""A dataset in A3D's layout: written, read back, and resumed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_dataset import DEMO_LEVELS, HEIGHT, INTACT, WIDTH, draw, make_person, make_record, run_stamp

from ajahr.anatomy import LDPOSE25, to_ajahr_index
from ajahr.data.dataset import claim_folder, finish_dataset, open_dataset
from ajahr.data.readers.a3d import find_a3d, parse_picture_name, read_a3d
from ajahr.data.readers.npz_file import read_columns
from ajahr.data.record import VISIBLE
from ajahr.data.shards import ShardWriter
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth import export_a3d as exporter
from synth.cli.main import main
from synth.export_a3d import export_a3d
from synth.progress import Progress

QUIET = Progress(quiet=True)
PHOTOS = (
    "coco/000000000785",
    "mpii/051423444",
    "h36m/S5_Walking.54138969_000001",
    "h36m/S11_Eating.60457274_000001",
)


def dataset(folder: Path, split: str = "train", photos=PHOTOS) -> Path:
    """Two shards: a picture of each photograph, the second of two people; one has lost two limbs."""
    stamp = claim_folder(folder, run_stamp())
    for shard in range(2):
        with ShardWriter(folder, shard) as writer:
            for i, photo in enumerate(photos):
                levels = (1, 0, 2, 0) if shard else DEMO_LEVELS[i]
                people = [make_person(levels, seed=10 * shard + i, weak=True)]
                if i == 1:
                    people.append(make_person(INTACT, seed=50 + shard, centre=(0.4, -0.1, 3.0), weak=True))
                record = make_record(f"{10 * shard + i:06d}", *people, photo=photo)
                record = type(record)(**{**vars(record), "split": split})
                writer.add(record, *draw(record))
    finish_dataset(folder, stamp, 2)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a3d")
    rows = export_a3d(dataset(folder / "set"), folder / "A3D", {}, progress=QUIET)
    assert dict(rows) == {"COCO_train": 2, "MPII": 4, "H36M/S5": 2, "H36M/S11": 2}
    return folder


def originals(folder: Path, source: str):
    return [
        (sample, person)
        for sample in open_dataset(folder / "set")
        if sample.record.photo.id == source
        for person in sample.record.people
    ]


@pytest.mark.parametrize(
    ("part", "source"), list(zip(("COCO_train", "MPII", "H36M/S5", "H36M/S11"), PHOTOS, strict=True))
)
def test_what_is_read_is_what_was_written(made, part, source):
    table = read_a3d(made / "A3D", [part])[part]
    expected = originals(made, source)
    assert len(table) == len(expected)
    for i, (sample, person) in enumerate(expected):
        found = table.sample(i)
        assert tuple(found.limb_levels) == person.limb_levels
        kept = found.has_pose
        rotmat = rotvec_to_rotmat(person.pose_rotvec)
        assert rotvec_to_rotmat(found.pose_rotvec)[kept] == pytest.approx(rotmat[kept], abs=1e-5)
        assert kept[0] and found.betas == pytest.approx(person.betas, abs=1e-5) and found.has_betas
        seen = person.keypoints_2d[:, 2] == VISIBLE
        assert found.keypoints_2d[seen] == pytest.approx(
            np.concatenate([person.keypoints_2d[seen, :2], np.ones((seen.sum(), 1))], 1), abs=1e-3
        )
        assert not found.keypoints_2d[~seen, 2].any()
        assert found.keypoints_3d[:, :3] == pytest.approx(person.keypoints_3d, abs=1e-5)
        x0, y0, x1, y1 = person.bbox_xyxy
        assert found.center == pytest.approx([(x0 + x1) / 2, (y0 + y1) / 2], abs=1e-3)
        # HMR2's square box, grown to 192:256
        assert found.side == pytest.approx(4 / 3 * 1.2 * max(x1 - x0, y1 - y0), rel=1e-4)
        index, rest = parse_picture_name(table.rows[i]["image"].decode())
        assert index == person.ajahr_index[0] and rest.startswith(sample.key)
        pixels = read_png(found.picture)
        assert np.array_equal(pixels, sample.image())  # lossless


def read_png(data: bytes) -> np.ndarray:
    import cv2

    assert data.startswith(b"\x89PNG")
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


COCO_KEYS = {
    "center": ((2, 1, 2), "<f8"), "scale": ((2, 1), "<f8"), "global_orient": ((2, 1, 3, 3), "<f4"),
    "body_pose": ((2, 72), "<f4"), "has_body_pose": ((2,), "<f4"), "betas": ((2, 10), "<f4"),
    "has_betas": ((2,), "<f4"), "body_keypoints_2d": ((2, 25, 3), "<f8"),
    "extra_keypoints_2d": ((2, 19, 3), "<f8"), "body_keypoints_3d": ((2, 25, 4), "<f8"),
    "extra_keypoints_3d": ((2, 19, 4), "<f8"), "body_opt_3d_joints": ((2, 25, 1), "<f8"),
    "extra_opt_3d_joints": ((2, 19, 1), "<f8"), "ajahr_conf": ((2, 12), "<i8"), "imgname": ((2,), "|O"),
}  # fmt: skip
H36M_KEYS = {
    "imgname": ((2,), "<U44"), "gt_2d_kpts": ((2, 1, 44, 3), "<f8"), "scale": ((2, 1), "<f8"),
    "gt_3d_kpts": ((2, 1, 44, 5), "<f8"), "center": ((2, 1, 2), "<f8"), "smpl_pose": ((2, 1, 23, 3, 3), "<f8"),
    "ajahr_conf": ((2, 12), "<i8"), "smpl_shape": ((2, 1, 10), "<f8"),
    "global_orient": ((2, 1, 1, 3, 3), "<f8"), "cam_t": ((2, 1, 3), "<f8"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "keys"),
    [("COCO_train/annotation/COCO_train.npz", COCO_KEYS), ("H36M/annotation/H36M_S5.npz", H36M_KEYS)],
)
def test_keys_shapes_and_dtypes_are_those_of_the_release(made, path, keys):
    with np.load(made / "A3D" / path, allow_pickle=True) as arrays:  # written a moment ago by this test
        assert {name: (arrays[name].shape, arrays[name].dtype.str) for name in arrays.files} == keys


def test_where_limbs_end_inside_bones_is_kept_aside(tmp_path):
    stamp = claim_folder(tmp_path / "set", run_stamp(residual={"share": 0.5}))
    people = (
        make_person((1, 0, 2, 0), weak=True, fractions=(0.4, 0, 0, 0)),
        make_person(INTACT, seed=1, weak=True),
    )
    for shard, person in enumerate(people):
        with ShardWriter(tmp_path / "set", shard) as writer:
            record = make_record(f"{shard:06d}", person, photo="coco/000000000785")
            writer.add(record, *draw(record))
    finish_dataset(tmp_path / "set", stamp, 2)
    export_a3d(tmp_path / "set", tmp_path / "A3D", {}, progress=QUIET)
    path = tmp_path / "A3D/COCO_train/annotation/COCO_train.npz"
    ends, places, conf = read_columns(path, ("residual_lambda", "residual_3d", "ajahr_conf")).values()
    assert np.flatnonzero(conf[0]).tolist() == [to_ajahr_index(0, 1), to_ajahr_index(2, 2)]
    names = LDPOSE25.names[17:]
    found = {name: value for name, value in zip(names, ends[0], strict=True) if np.isfinite(value)}
    assert found == {"left_below_elbow_res": np.float32(0.4), "left_above_knee_res": 0}
    assert np.isnan(ends[1]).all() and not places[1].any()
    tip = places[0, names.index("left_below_elbow_res")]
    assert tip == pytest.approx([*people[0].residual_limbs[0].end_3d, 1], abs=1e-5)
    assert read_a3d(tmp_path / "A3D")["COCO_train"].sample(0).limb_levels.tolist() == [1, 0, 2, 0]


def test_file_names_carry_one_index_and_ajahr_conf_all(made):
    arrays = read_columns(made / "A3D/COCO_train/annotation/COCO_train.npz", ("imgname", "ajahr_conf"))
    _, both = (person for _, person in originals(made, PHOTOS[0]))
    assert len(both.ajahr_index) == 2
    assert arrays["imgname"][1] == f"amp_{both.ajahr_index[0]}_000010.png"
    assert tuple(np.flatnonzero(arrays["ajahr_conf"][1])) == both.ajahr_index
    names = {path.name for path in (made / "A3D/MPII/Images").iterdir()}
    indices = [person.ajahr_index[0] for _, person in originals(made, PHOTOS[1])]
    assert names == {
        f"amp_{index}_{rest}.png"
        for index, rest in zip(indices, ("000001_0", "000001_1", "000011_0", "000011_1"), strict=True)
    }
    assert (made / "A3D/H36M/Images/S11").is_dir() and not (made / "A3D/.parts").exists()


def test_the_crop_camera_of_h36m_projects_as_the_dataset_does(made):
    arrays = read_columns(made / "A3D/H36M/annotation/H36M_S5.npz", ("cam_t",))
    for row, (_, person) in zip(arrays["cam_t"][:, 0], originals(made, PHOTOS[2]), strict=True):
        root = person.joints_3d[0] - person.transl + row
        pixel = 5000 * root[:2] / root[2] + np.array([WIDTH, HEIGHT]) / 2
        assert pixel == pytest.approx(person.camera.project(person.joints_3d[0]), abs=0.01)
        assert 5000 / root[2] == pytest.approx(person.camera.focal_length / person.camera.weak_depth)


def test_other_splits_of_coco_are_its_evaluation_part(tmp_path):
    rows = export_a3d(dataset(tmp_path / "set", "test", PHOTOS[:1]), tmp_path / "A3D", {}, progress=QUIET)
    assert set(rows) == {"COCO_val"}
    assert [file.evaluation for file in find_a3d(tmp_path / "A3D")] == [True]


def test_a_killed_export_goes_on_to_the_same_files(made, tmp_path, monkeypatch):
    calls = []
    original = exporter._export_shard

    def killed(*task):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        original(*task)

    monkeypatch.setattr(exporter, "_export_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        export_a3d(made / "set", tmp_path / "A3D", {}, progress=QUIET)
    assert not list((tmp_path / "A3D").rglob("annotation"))
    monkeypatch.setattr(exporter, "_export_shard", original)
    export_a3d(made / "set", tmp_path / "A3D", {}, progress=QUIET)

    def contents(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert contents(tmp_path / "A3D") == contents(made / "A3D")


def test_sources_that_a3d_does_not_know_are_named_by_the_user(tmp_path, capsys):
    folder = dataset(tmp_path / "set", photos=("demo/bus", "h36m/54138969_000001"))
    out = ["--output", str(tmp_path / "A3D"), "--workers", "1"]
    assert main(["export-a3d", str(folder), *out]) == 2
    error = capsys.readouterr().err
    assert "demo/bus" in error and "--parts" in error and error.count("\n") == 1
    assert not (tmp_path / "A3D").exists()
    assert main(["export-a3d", str(folder), *out, "--parts", "{demo: COCO, h36m: H36M/S1}"]) == 2
    assert "'COCO' is no part of A3D" in capsys.readouterr().err
    assert main(["export-a3d", str(folder), *out, "--parts", "{demo: COCO_train, h36m: H36M/S1}"]) == 0
    assert set(read_a3d(tmp_path / "A3D")) == {"COCO_train", "H36M/S1"}


def test_a_folder_of_other_things_is_left_alone(made, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        export_a3d(made / "set", tmp_path, {}, progress=QUIET)
    shutil.copytree(made / "A3D", tmp_path / "A3D")
    with pytest.raises(UserError, match="another dataset"):
        export_a3d(dataset(tmp_path / "set", photos=PHOTOS[:1]), tmp_path / "A3D", {}, progress=QUIET)
