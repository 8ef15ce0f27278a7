"""Crops with 25 points: out of our shards and of COCO-format files, under augmentation that knows absent limbs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_dataset import make_person, make_record, run_stamp, write_shard
from keypoint_files import people_document, write_json

from ajahr.anatomy import LDPOSE25
from ajahr.data.dataset import claim_folder, finish_dataset
from ajahr.data.ldpose import LIMB_POINTS, presence_of_levels
from ajahr.errors import UserError
from ajahr.keypoints.samples import (
    KeypointAugmentation,
    KeypointTable,
    draw_place,
    half_body,
    make_sample,
    table_of_annotations,
    table_of_shards,
)

PLAIN = KeypointAugmentation(0.0, 0.0, scale=0.0, rotation_probability=0.0, shift=0.0)
FLIP = list(LDPOSE25.flip)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeypointTable, list]:
    folder = tmp_path_factory.mktemp("shards") / "data"
    people = [make_person(), make_person((0, 0, 2, 0)), make_person((1, 0, 0, 3), seed=1)]
    records = [make_record(f"{n:09d}", person) for n, person in enumerate(people)]
    stamp = claim_folder(folder, run_stamp())
    write_shard(folder, 0, *records[:2])
    write_shard(folder, 1, *records[2:])
    finish_dataset(folder, stamp, 2)
    return table_of_shards(folder), people


def test_our_shards_bring_25_exact_points_and_know_every_limb(shards) -> None:
    table, people = shards
    assert len(table) == 3
    for row, person in enumerate(people):
        np.testing.assert_allclose(table.keypoints[row], person.ldpose_2d, atol=2e-3)
        assert np.array_equal(table.presence[row], presence_of_levels(np.array(person.limb_levels)))
    assert table.keypoints[1, LDPOSE25.index["left_above_knee_res"], 2] > 0
    # no labelled point is said to be absent
    assert not ((table.keypoints[..., 2] > 0) & (table.presence == 0)).any()


def test_an_unaugmented_sample_is_the_box(shards) -> None:
    table, _ = shards
    sample = make_sample(table, 1, np.random.default_rng(0), None)
    again = make_sample(table, 1, np.random.default_rng(7), PLAIN)
    assert np.array_equal(sample.pixels, again.pixels) and np.allclose(sample.points, again.points, atol=1e-4)
    box = table.boxes_xyxy[1]
    middle = sample.points[sample.visibility > 0]
    assert (middle > 0).all() and (middle < [192, 256]).all() and box[3] > box[1]
    assert not sample.points[sample.visibility == 0].any()


def test_mirrored_samples_change_sides(shards) -> None:
    table, _ = shards
    plain = make_sample(table, 1, np.random.default_rng(0), PLAIN)
    mirrored = make_sample(table, 1, np.random.default_rng(0), replace(PLAIN, flip_probability=1.0))
    assert np.array_equal(mirrored.presence, plain.presence[FLIP])
    assert np.array_equal(mirrored.visibility, plain.visibility[FLIP])
    seen = plain.visibility[FLIP] > 0
    expected = plain.points[FLIP] * [-1, 1] + [192, 0]
    np.testing.assert_allclose(mirrored.points[seen], expected[seen], atol=1e-3)
    assert np.abs(mirrored.pixels[:, ::-1].astype(int) - plain.pixels).mean() < 3


def person(levels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    found = make_person(levels)
    return found.ldpose_2d.astype(np.float32), presence_of_levels(np.array(levels))


def test_an_absent_limb_does_not_stop_half_body() -> None:
    keypoints, presence = person((3, 3, 3, 0))
    keypoints[:5] = 0  # the face is hidden: few points are labelled, but only the face is unaccounted for
    labelled = (keypoints[:17, 2] > 0).sum()
    assert labelled <= 8
    assert half_body(keypoints, presence, upper=False) is not None
    assert half_body(keypoints, np.full(25, -1, np.int8), upper=False) is None


@pytest.mark.parametrize("upper", [True, False])
def test_half_body_holds_the_half_it_is_of(upper: bool) -> None:
    keypoints, presence = person((0, 0, 1, 0))
    place = half_body(keypoints, presence, upper)
    assert place is not None
    low, high = place.centre - place.size / 2, place.centre + place.size / 2
    inside = ((keypoints[:, :2] > low) & (keypoints[:, :2] < high)).all(1)
    names = ["left_wrist", "nose"] if upper else ["left_below_knee_res", "right_ankle", "left_hip"]
    others = ["right_ankle"] if upper else ["nose"]
    assert all(inside[LDPOSE25.index[name]] for name in names)
    assert not any(inside[LDPOSE25.index[name]] for name in others)


def test_a_half_with_too_little_gives_way_to_the_other() -> None:
    keypoints, presence = person((0, 0, 0, 0))
    keypoints[11:17] = 0
    lower, upper = (half_body(keypoints, presence, choice) for choice in (False, True))
    assert lower is not None and upper is not None and np.allclose(lower.centre, upper.centre)


def test_places_stay_in_their_ranges() -> None:
    keypoints, presence = person((0, 0, 0, 0))
    box = np.array([10.0, 10, 90, 190], np.float32)
    config = KeypointAugmentation(half_body_probability=0.0)
    places = [draw_place(np.random.default_rng(n), config, box, keypoints, presence) for n in range(300)]
    base = draw_place(np.random.default_rng(0), replace(PLAIN), box, keypoints, presence)
    ratio = np.array([place.size[0] / base.size[0] for place in places])
    turned = np.degrees([abs(place.rotation) for place in places])
    moved = np.abs([(place.centre - base.centre) / base.size for place in places])
    assert 0.5 <= ratio.min() < 0.6 and 1.4 < ratio.max() <= 1.5
    assert 0.5 < (turned > 0).mean() < 0.7 and turned.max() <= 80
    assert 0.15 < moved.max() <= 0.16 and 0.4 < np.mean([place.flip for place in places]) < 0.6


def test_annotated_photographs(tmp_path: Path) -> None:
    document = people_document(np.random.default_rng(0), 4)
    for image in document["images"]:
        cv2.imwrite(str(tmp_path / image["file_name"]), np.full((480, 640, 3), 90, np.uint8))
    path = write_json(tmp_path / "people.json", document)
    table = table_of_annotations(path, tmp_path)
    single = [p for p in document["annotations"] if not p["iscrowd"] and p["num_keypoints"]]
    assert sorted(table.ids.tolist()) == [p["id"] for p in single]
    row = table.ids.tolist().index(single[0]["id"])
    points = np.array(single[0]["keypoints"]).reshape(25, 3)
    seen = points[:, 2] > 0
    np.testing.assert_allclose(table.keypoints[row, seen, :2], points[seen, :2] + 0.5, atol=1e-3)
    assert (table.presence[row, LIMB_POINTS] >= 0).any()
    assert make_sample(table, row, np.random.default_rng(0), KeypointAugmentation()).pixels.shape == (
        256,
        192,
        3,
    )
    (tmp_path / document["images"][0]["file_name"]).unlink()
    with pytest.raises(UserError, match="no such file"):
        table_of_annotations(path, tmp_path)


def test_chances_are_chances() -> None:
    with pytest.raises(UserError, match="flip_probability"):
        KeypointAugmentation(flip_probability=1.5)
    with pytest.raises(UserError, match="scale"):
        KeypointAugmentation(scale=1.0)
