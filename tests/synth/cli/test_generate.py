"""`ajahr-synth generate` on bad input: a counted drop or one clear line; nothing lost, nothing half-written."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from pose_files import captured, stander, write_amass, write_hmr2

from ajahr.data import dataset as dataset_module
from ajahr.data.dataset import read_manifest
from synth.cli.main import main

WIDTH, HEIGHT = 320, 240


@pytest.fixture(autouse=True)
def code_of_one_version(monkeypatch):
    """Commits made while the tests run change nothing."""
    monkeypatch.setattr(dataset_module, "code_version", lambda: "abc")
    monkeypatch.setattr("synth.generate.code_version", lambda: "abc")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """COCO: 0 has two people and a crowd, 1 has thirty people, 2 only a crowd, 3 is cut off in the middle."""
    folder = tmp_path_factory.mktemp("photos")
    people = []

    def add(image: int, box: tuple[int, int, int, int], crowd: bool = False) -> None:
        x, y, w, h = box
        corners = [x, y, x + w, y, x + w, y + h, x, y + h]
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[y : y + h, x : x + w] = 1
        flat = mask.T.ravel()
        edges = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
        rle = {"size": [HEIGHT, WIDTH], "counts": np.diff(edges).tolist()}
        people.append(
            {"id": len(people), "image_id": image, "category_id": 1, "bbox": list(box), "iscrowd": int(crowd),
             "area": w * h, "segmentation": rle if crowd else [corners]}
        )  # fmt: skip

    for box in ((40, 40, 50, 170), (200, 50, 50, 170)):
        add(0, box)
    add(0, (100, 10, 90, 30), crowd=True)
    for i in range(30):
        add(1, (10 + 30 * (i % 10), 10 + 75 * (i // 10), 20, 70))
    add(2, (100, 10, 90, 60), crowd=True)
    add(3, (40, 40, 50, 170))
    for image in range(4):
        small = np.random.default_rng(image).integers(40, 220, (9, 12, 3), dtype=np.uint8)
        picture = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{image}.png"), picture)
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:2000])
    images = [{"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT} for i in range(4)]
    tree = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    (folder / "coco.json").write_text(json.dumps(tree))
    return folder


def job(output: Path, photos: Path, /, **changes) -> dict:
    return {
        "output": str(output),
        "num_images": 4,
        "shard_size": 2,
        "photos": [{"kind": "coco", "annotations": str(photos / "coco.json"), "images": str(photos)}],
        "backgrounds": {"inpainter": "telea", "fit": False},
        "appearance": {"per_group": 1, "size": 64},
        "render": {"samples": 1},
        "hard_cases": {"occluded_object": 0.0},
        "run": {"workers": 1, "sheet": 0},
        **changes,
    }


def run(tree: dict, command: str = "generate") -> int:
    config = Path(tree["output"]).parent / "job.yaml"
    config.write_text(yaml.safe_dump(tree))
    return main([command, "--config", str(config)])


def refused(tree: dict, capsys, command: str = "generate") -> str:
    assert run(tree, command) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("ajahr-synth: error:") and "Traceback" not in line
    assert (
        not list(Path(tree["output"]).rglob("*.tmp")) and not (Path(tree["output"]) / "dataset.json").exists()
    )
    return line


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".work" not in path.parts
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory, photos) -> Path:
    folder = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_module, "code_version", lambda: "abc")
        patch.setattr("synth.generate.code_version", lambda: "abc")
        assert run(job(folder, photos)) == 0
    return folder


# ------------------------------------------------------------------------------------------------ photographs


def test_crowds_thirty_people_and_broken_pictures_are_counted(made):
    drops = read_manifest(made).drops
    assert drops["too_many_people"] == 1  # thirty
    assert drops["no_usable_person"] == 1  # nobody but a crowd
    assert drops["unreadable"] == 1  # cut off
    assert drops["person_crowd"] == 1  # removed beside the two who are replaced
    assert main(["verify", str(made)]) == 0


# ----------------------------------------------------------------------------------------------------- shards


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("shards/000001.tar", _flip),
        ("shards/000001.tar", lambda path: path.write_bytes(path.read_bytes()[:5000])),
        ("shards/000001.tar", Path.unlink),
        ("annotations/000000.npz", _flip),
        ("shards/000000.json", lambda path: path.write_text("{")),
    ],
)
def test_a_corrupted_shard_is_named_and_made_again(made, photos, tmp_path, capsys, file, damage):
    folder = tmp_path / "out"
    shutil.copytree(made, folder)
    before = digest(folder)
    damage(folder / file)
    assert main(["verify", str(folder)]) == 1
    assert Path(file).stem in capsys.readouterr().out
    assert run(job(folder, photos)) == 0
    assert f"damaged, made again: {Path(file).stem}" in capsys.readouterr().err
    assert digest(folder) == before
    assert main(["verify", str(folder)]) == 0


def test_a_whole_dataset_is_left_alone(made, photos, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(made, folder)
    shutil.rmtree(folder / ".work")
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert run(job(folder, photos)) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times


def test_a_broken_dataset_json_is_written_again(made, photos, tmp_path, capsys):
    folder = tmp_path / "out"
    shutil.copytree(made, folder)
    before = digest(folder)
    (folder / "dataset.json").write_text("{")
    assert run(job(folder, photos)) == 0
    assert "dataset.json" in capsys.readouterr().err.replace("\n", "")
    assert digest(folder) == before


# ------------------------------------------------------------------------------------------------------ poses


def poses(*sources: dict) -> dict:
    return {"sources": list(sources)}


def test_fits_of_others_and_nan_are_counted_and_the_rest_is_used(photos, tmp_path):
    # somebody where the first person of photograph 0 stands, a fit of nobody, NaN, a frame of NaN
    there, broken = stander(65, 120, 100, seed=1), stander(seed=2)
    broken.pose[3] = np.nan
    path = tmp_path / "fits.npz"
    boxes = {"center": np.array([[65, 125], [900, 900], [65, 125]]), "scale": np.full((3, 1), 204.0)}
    none = {"body_keypoints_2d": np.zeros((3, 25, 3)), "extra_keypoints_2d": np.zeros((3, 19, 3))}
    poses_of = np.array([person.pose.ravel() for person in (there, there, broken)])
    write_hmr2(path, [there] * 3, ["0.png"] * 3, body_pose=poses_of, **boxes, **none)
    frames = captured(200, z_up=True)
    frames[50] = np.nan
    write_amass(tmp_path / "amass" / "walk_poses.npz", frames)
    (tmp_path / "amass" / "cut_poses.npz").write_bytes(b"PK")
    mix = poses({"kind": "hmr2", "path": str(path)}, {"kind": "amass", "path": str(tmp_path / "amass")})
    folder = tmp_path / "out"
    assert run(job(folder, photos, poses=mix, num_images=12, shard_size=6)) == 0
    manifest = read_manifest(folder)
    drops = {key: n for key, n in manifest.drops.items() if key.startswith("pose_")}
    assert drops == {
        "pose_amass_not_finite": 1,
        "pose_amass_unreadable_sequence": 1,
        "pose_hmr2_not_finite": 1,
        "pose_hmr2_unplaced_nobody_there": 1,
    }
    kinds = {path[1] for path in manifest.counts if path[0] == "pose"}
    assert kinds == {"fitted/hmr2", "captured/amass"}
    assert set(manifest.run.inputs) == {"poses.sources hmr2", "poses.sources amass"}
    assert main(["verify", str(folder)]) == 0


@pytest.mark.parametrize(
    ("source", "content", "said"),
    [
        ({"kind": "hmr2"}, b"not a zip", "no whole .npz"),
        ({"kind": "hmr2"}, None, "no such file"),
        ({"kind": "predictions"}, b'{"images": []}', "not predictions"),
        ({"kind": "scorehmr"}, b"PK\x03\x04", "no whole .npz"),
        ({"kind": "amass"}, None, "no such folder"),
    ],
)
def test_a_pose_file_that_is_none_is_one_line(photos, tmp_path, capsys, source, content, said):
    path = tmp_path / "poses.file"
    if content is not None:
        path.write_bytes(content)
    mix = poses({**source, "path": str(path)})
    assert said in refused(job(tmp_path / "out", photos, poses=mix), capsys)


def test_keys_of_a_source_are_checked(photos, tmp_path, capsys):
    assert "needs 'path'" in refused(job(tmp_path / "out", photos, poses=poses({"kind": "hmr2"})), capsys)
    line = refused(job(tmp_path / "out", photos, poses=poses({"kind": "hmr2", "pth": "x"})), capsys)
    assert "pth" in line


# ---------------------------------------------------------------------------------------------- backgrounds.bank


@pytest.fixture(scope="module")
def bank(tmp_path_factory, photos) -> Path:
    folder = tmp_path_factory.mktemp("bank") / "bank"
    tree = {
        key: value for key, value in job(folder, photos).items() if key in ("output", "photos", "backgrounds")
    }
    assert run({**tree, "run": {"workers": 1, "sheet": 0}}, "backgrounds") == 0
    return folder


def with_bank(output: Path, photos: Path, bank: Path) -> dict:
    return job(output, photos, photos=[{"kind": "clean"}], backgrounds={"bank": str(bank)})


def test_a_banks_content_is_recorded_and_another_content_is_refused(bank, photos, tmp_path, capsys):
    own = tmp_path / "bank"
    shutil.copytree(bank, own)
    folder = tmp_path / "out"
    assert run(with_bank(folder, photos, own)) == 0
    manifest = read_manifest(folder)
    assert len(manifest.run.inputs["backgrounds.bank"]) == 64
    assert manifest.drops["too_many_people"] == 1 and manifest.drops["person_crowd"] == 1
    picture = next((own / "backgrounds").glob("*.jpg"))
    cv2.imwrite(str(picture), cv2.imread(str(picture)) // 2)
    (folder / "dataset.json").unlink()
    assert "backgrounds.bank was" in refused(with_bank(folder, photos, own), capsys)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda bank: shutil.rmtree(bank / "backgrounds"), "become empty"),
        (lambda bank: [path.unlink() for path in (bank / "backgrounds").glob("*.json")], "become empty"),
        (
            lambda bank: [path.unlink() for path in (bank / "backgrounds").glob("*.jpg")],
            "pictures are gone (000000.jpg)",
        ),
        (lambda bank: (bank / "backgrounds" / "000000.json").write_text("{"), "000000.json: damaged"),
        (lambda bank: shutil.rmtree(bank), "no such bank"),
        (lambda bank: (bank / "bank.json").unlink(), "no bank of backgrounds"),
    ],
)
def test_a_bank_that_became_empty_is_one_line(bank, photos, tmp_path, capsys, damage, said):
    own = tmp_path / "bank"
    shutil.copytree(bank, own)
    damage(own)
    assert said in refused(with_bank(tmp_path / "out", photos, own), capsys)
    assert not (tmp_path / "out" / "shards").exists()


def test_a_picture_that_vanished_from_a_jobs_own_backgrounds_is_made_again(made, photos, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(made, folder)
    before = digest(folder)
    (folder / "dataset.json").unlink()
    (folder / "shards" / "000000.tar").unlink()
    (folder / ".work" / "backgrounds" / "000000.jpg").unlink()
    assert run(job(folder, photos)) == 0
    assert digest(folder) == before


# ----------------------------------------------------------------------------------------------------- splits


def test_splits_share_nothing(photos, tmp_path, capsys):
    clean = tmp_path / "clean"
    clean.mkdir()
    for i in range(12):
        small = np.random.default_rng(i).integers(40, 220, (9, 12, 3), dtype=np.uint8)
        cv2.imwrite(
            str(clean / f"{i}.png"), cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        )
    for split in ("train", "test"):
        changes = {
            "photos": [{"kind": "clean", "images": str(clean)}],
            "split": split,
            "split_shares": {"train": 0.6, "test": 0.4},
            "appearance": {"per_group": 1, "size": 64, "identities": 10},
            "num_images": 12,
            "shard_size": 6,
        }
        assert run(job(tmp_path / split, photos, **changes)) == 0
    assert main(["verify", str(tmp_path / "train"), "--against", str(tmp_path / "test")]) == 0
    assert "nothing shared" in capsys.readouterr().out
    counts = read_manifest(tmp_path / "train").counts
    assert counts["split", "train"] == 12
    people = {tuple(row) for row in np.load(tmp_path / "train/annotations/000000.npz")["betas"]}
    assert len(people) < 6  # the same people come again


def test_a_split_without_photographs_is_one_line(photos, tmp_path, capsys):
    changes = {"split": "test", "split_shares": {"train": 1.0, "test": 1e-9}}
    assert "falls into split 'test'" in refused(job(tmp_path / "out", photos, **changes), capsys)
    line = refused(job(tmp_path / "out", photos, **changes | {"split": "tset"}), capsys)
    assert "split 'tset' has no share" in line


# --------------------------------------------------------------------------------------------------- the recipe


def test_the_papers_recipe_names_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Path(__file__).parents[3] / "configs" / "synth" / "a3d.yaml"
    assert main(["generate", "--config", str(config)]) == 2
    assert "SMPL_NEUTRAL.pkl" in capsys.readouterr().err
    assert main(["generate", "--config", str(config), "--body", "null"]) == 2
    assert "data/hmr2/coco_train.npz" in capsys.readouterr().err
    assert not (tmp_path / "out" / "a3d_train" / "config.json").exists()
