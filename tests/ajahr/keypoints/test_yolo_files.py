"""Our people as an ultralytics pose data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from fake_dataset import write_dataset

from ajahr.anatomy import LDPOSE25
from ajahr.data.ldpose import SIGMAS
from ajahr.keypoints.samples import table_of_shards
from ajahr.keypoints.yolo_files import YAML, dataset_yaml, label_line, write_yolo


def test_a_line_goes_back_to_box_and_points() -> None:
    keypoints = np.random.default_rng(0).uniform(1, 99, (25, 3)).astype(np.float32)
    keypoints[:, 2] = np.arange(25) % 3
    line = label_line(np.array([10.0, 20, 90, 60]), keypoints, (200, 100))
    assert line is not None
    values = np.array(line.split(), float)
    assert len(values) == 5 + 75 and values[0] == 0
    assert values[1:5] == pytest.approx([0.25, 0.4, 0.4, 0.4])
    back = values[5:].reshape(25, 3)
    seen = keypoints[:, 2] > 0
    assert back[seen, :2] * [200, 100] == pytest.approx(keypoints[seen, :2], abs=1e-3)
    assert back[:, 2] == pytest.approx(keypoints[:, 2]) and not back[~seen].any()


def test_what_lies_outside_is_cut_or_left_out() -> None:
    keypoints = np.full((25, 3), 2, np.float32)
    keypoints[3] = [250, 50, 2]
    line = label_line(np.array([-40.0, -10, 100, 300]), keypoints, (200, 100))
    assert line is not None
    values = np.array(line.split(), float)
    assert values[1:5] == pytest.approx([0.25, 0.5, 0.5, 1.0]) and not values[5:].reshape(25, 3)[3].any()
    assert label_line(np.array([300.0, 0, 400, 50]), keypoints, (200, 100)) is None


def test_the_yaml_has_our_tolerances_and_an_involution() -> None:
    tree = yaml.safe_load(dataset_yaml())
    assert tree["kpt_shape"] == [25, 3] and tree["kpt_oks_sigmas"] == pytest.approx(SIGMAS.tolist())
    flip = tree["flip_idx"]
    assert [flip[flip[k]] for k in range(25)] == list(range(25)) and flip == list(LDPOSE25.flip)


def test_shards_become_pictures_and_labels(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data")
    table = table_of_shards(tmp_path / "data")
    count = write_yolo(table, tmp_path / "yolo", "train")
    pictures = sorted(p.stem for p in (tmp_path / "yolo/images/train").iterdir())
    labels = sorted((tmp_path / "yolo/labels/train").iterdir())
    assert (
        len(pictures) == count
        and [p.stem for p in labels] == pictures
        and (tmp_path / "yolo" / YAML).is_file()
    )
    assert sum(len(p.read_text().splitlines()) for p in labels) == len(table)
    assert write_yolo(table, tmp_path / "one", "val", pictures=1) == 1
