"""Benchmarks on disk: found where users have them, and refused in one line where they cannot be measured."""

from __future__ import annotations

from pathlib import Path

import benchmark_files as files
import numpy as np
import pytest
from fake_dataset import write_dataset

from ajahr.errors import UserError
from ajahr.evaluation.benchmarks import check_labels, open_benchmark, parse_dataset


def refused(text: str, **arguments) -> str:
    with pytest.raises(UserError) as caught:
        open_benchmark(text, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names() -> None:
    protocol, label, path = parse_dataset("shards:occluded=a/b=c")
    assert (protocol.name, label, path) == ("shards", "occluded", Path("a/b=c"))
    assert parse_dataset("a3d=x")[1] == "a3d"
    assert "did you mean 3dpw?" in refused("3pdw=x")
    assert "benchmarks are a3d" in refused("3dpw")
    assert "no such file" in refused("3dpw=nowhere")


def test_folders_as_unpacked(tmp_path: Path) -> None:
    files.write_3dpw(tmp_path / "3dpw")
    files.write_itw(tmp_path / "itw")
    files.write_3doh(tmp_path / "3doh")
    assert len(open_benchmark(f"3dpw={tmp_path / '3dpw'}")) == 4
    itw = open_benchmark(f"itw_amputee={tmp_path / 'itw'}")
    assert itw.column("levels").tolist() == [[0, 0, 3, 3], [0, 0, 0, 0]]
    assert Path(itw.tables[0].pictures.where(itw.tables[0].rows[0])).is_file()
    assert len(open_benchmark(f"3doh50k={tmp_path / '3doh'}")) == 2
    assert "give 3DOH50K's folder" in refused(f"3doh50k={tmp_path / 'itw'}")
    assert "no COCO_val or H36M/S11" in refused(f"a3d={train_only(tmp_path / 'a3d')}")


def train_only(root: Path) -> Path:
    files.write_a3d(root)
    (root / "COCO_val").rename(root / "COCO_train")
    return root


def test_empty_split(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set", shards=1)
    assert len(open_benchmark(f"shards={tmp_path / 'set'}", splits=["train"])) > 0
    assert "nobody in the split test" in refused(f"shards={tmp_path / 'set'}", splits=["test"])


def test_other_joints_than_the_protocol(tmp_path: Path) -> None:
    columns = files.hmr2_columns(["a.png"])
    without = columns["extra_keypoints_3d"].copy()
    without[:, 18, 3] = 0
    path = files.write_hmr2(tmp_path / "3dpw_test.npz", ["a.png"], tmp_path, extra_keypoints_3d=without)
    said = refused(f"3dpw={path}")
    assert "other joints than the protocol" in said and "head_h36m_extra" in said
    nothing = np.zeros_like(without)
    files.write_hmr2(tmp_path / "3dpw_test.npz", ["a.png"], tmp_path, extra_keypoints_3d=nothing)
    assert "give --bodies" in refused(f"3dpw={path}")
    blind = files.hmr2_columns(["a.png"])["body_keypoints_2d"] * 0
    coco = files.write_hmr2(tmp_path / "coco_val.npz", ["a.png"], tmp_path, body_keypoints_2d=blind)
    assert "nobody has a 2D label of" in refused(f"coco={coco}")


def test_no_limb_labels_where_they_are_needed(tmp_path: Path) -> None:
    path = files.write_hmr2(tmp_path / "x.npz", ["a.png", "b.png"], tmp_path / "Images")
    assert "no key 'labels'" in refused(f"itw_amputee={path}")
    dataset = open_benchmark(f"a3d={files.write_a3d(tmp_path / 'a3d')}")
    dataset.tables[0].rows["levels"][1, 2] = -1
    with pytest.raises(UserError, match=r"1 of 3 people have no limb labels, the first .*amp_8_001"):
        check_labels(dataset)


def test_no_body_to_take_joints_from(tmp_path: Path) -> None:
    files.write_a3d(tmp_path)
    columns = files.hmr2_columns(["amp_8_0.png"]) | {"has_betas": np.zeros(1)}
    np.savez(tmp_path / "COCO_val/annotation/a3d.npz", **columns)
    files.picture(tmp_path / "COCO_val/Images/amp_8_0.png")
    assert "both pose and betas" in refused(f"a3d={tmp_path}")


def test_a_part_is_no_benchmark(tmp_path: Path) -> None:
    path = files.write_3dpw(tmp_path)
    some = open_benchmark(f"3dpw={path}", limit=2)
    assert len(some) == 2 and "2 of 4 people" in some.notes[0] and len(some.box_sides) == 2
    assert len(set(some.clusters)) == 2
