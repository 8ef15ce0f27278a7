"""People to measure residual limbs on, from files made in the exact layouts."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_dataset import write_dataset

from ajahr.anatomy import JOINT, LDPOSE25
from ajahr.data.dataset import open_dataset
from ajahr.data.readers.ldpose import category_25
from ajahr.data.readers.residual_people import draw_segmentation, read_limbloss, read_residual_shards
from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError
from ajahr.residual_limb.segments import SEGMENTS

END = LDPOSE25.index["left_below_knee_res"]


def limbloss(folder: Path, **changes) -> Path:
    """Two pictures: somebody with a below-knee end, and somebody intact; masks as polygons and as a file."""
    (folder / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / "images" / name), np.full((60, 80, 3), 120, np.uint8))
    points = np.zeros((2, 25, 3))
    points[:, :17] = [(20 + k, 10 + 2 * k, 2) for k in range(17)]
    points[0, 15] = 0
    points[0, END] = (33, 40, 2)
    annotations = [
        {
            "id": n + 1, "image_id": n, "category_id": 1, "iscrowd": 0, "bbox": [10.0, 5, 40, 50], "area": 900.0,
            "num_keypoints": int((points[n, :, 2] > 0).sum()), "keypoints": points[n].ravel().tolist(),
        }
        for n in range(2)
    ]  # fmt: skip
    annotations[0]["segmentation"] = [[10, 5, 30, 5, 30, 25, 10, 25], [20, 15, 40, 15, 40, 35, 20, 35]]
    (folder / "masks").mkdir()
    mask = np.zeros((60, 80), np.uint8)
    mask[5:55, 10:50] = 255
    cv2.imwrite(str(folder / "masks" / "b.png"), mask)
    annotations[0].update(changes)
    images = [{"id": n, "file_name": f"{'ab'[n]}.jpg", "width": 80, "height": 60} for n in range(2)]
    path = folder / "limbloss.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category_25()]}))
    return path


def test_limbloss(tmp_path) -> None:
    people = read_limbloss(limbloss(tmp_path), tmp_path / "images")
    assert people.keys == ("a.jpg/1", "b.jpg/2") and people.truth is None
    np.testing.assert_allclose(people.points[0, END], (33.5, 40.5, 2))  # an index to a centre
    assert people.levels.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(people.boxes_xyxy[0], (10, 5, 50, 55))
    assert people.load(1).full_size == (80, 60)
    polygons, file = people.load_mask(0), people.load_mask(1)
    assert polygons is not None and file is not None and file.sum() == 50 * 40
    assert polygons[20, 25], "where polygons overlap, too"
    assert 600 < polygons.sum() < 820
    few = people.limited(1)
    assert few.keys == ("a.jpg/1",) and few.load_mask(0) is not None and "not the benchmark" in few.notes[-1]
    assert people.take(np.array([1])).load_mask(0).sum() == 50 * 40


def test_masks_as_runs_and_none(tmp_path) -> None:
    mask = np.zeros((60, 80), bool)
    mask[3:9, 7:20] = True
    rle = Rle.encode(mask)
    given = {"size": [60, 80], "counts": rle.counts.tolist()}
    np.testing.assert_array_equal(draw_segmentation(given, (80, 60)), mask)
    assert draw_segmentation(given, (81, 60)) is None and draw_segmentation([], (80, 60)) is None
    people = read_limbloss(limbloss(tmp_path, segmentation=None), tmp_path / "images")
    assert people.load_mask(0) is None


def test_nobody_with_an_end(tmp_path) -> None:
    path = limbloss(tmp_path, keypoints=[30.0, 30, 2] * 17 + [0] * 24)
    with pytest.raises(UserError, match="nobody in it has a residual-limb end"):
        read_limbloss(path, tmp_path / "images")


def test_shards(tmp_path) -> None:
    write_dataset(tmp_path / "set")
    people = read_residual_shards(tmp_path / "set")
    records = {s.record.key: s.record for s in open_dataset(tmp_path / "set")}
    assert len(people) == 3 and people.truth is not None, "the fourth lost a leg at the hip"
    for i, (key, picture) in enumerate(zip(people.keys, people.pictures, strict=True)):
        person = records[picture].people[int(key.split("/")[1])]
        k = int(np.flatnonzero(np.isfinite(people.truth.fraction[i]))[0])
        assert people.truth.fraction[i, k] == 0 and people.points[i, 17 + k, 2] > 0
        joints = person.joints_3d
        np.testing.assert_allclose(people.truth.ends[i, k], joints[SEGMENTS[k].anchor], atol=1e-5)
        bone = np.linalg.norm(joints[SEGMENTS[k].anchor] - joints[SEGMENTS[k].upstream])
        assert people.truth.length_mm[i, k] == pytest.approx(1000 * bone, rel=1e-4)
        np.testing.assert_allclose(people.truth.pelvis[i], joints[JOINT["pelvis"]], atol=1e-5)
        mask = people.load_mask(i)
        assert mask is not None and mask.any() and mask.shape == people.load(i).pixels.shape[:2]
    assert people.truth.volume_ml.shape == (3, 8) and np.isnan(people.truth.volume_ml).all()
    for options in ({"splits": ["test"]}, {"inside": True}):
        with pytest.raises(UserError, match="nobody with a residual limb"):
            read_residual_shards(tmp_path / "set", **options)
