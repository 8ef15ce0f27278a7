"""The contact sheet of a dataset with its labels drawn on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_dataset import changed, draw, make_person, make_record, run_stamp, write_dataset
from PIL import Image

from ajahr.anatomy import J44, LDPOSE25
from ajahr.data.dataset import claim_folder, finish_dataset, open_dataset
from ajahr.data.record import LimbStatus
from ajahr.data.shards import Sample, ShardWriter
from ajahr.errors import UserError
from synth.preview import caption, cases_in_words, draw_sample, limbs_in_words, pick, preview


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "out"
    write_dataset(folder, shards=3)
    return folder


def sample_of(*people) -> Sample:
    record = make_record("k", *people)
    return Sample(record, *draw(record), "k")


def differs(a: np.ndarray, b: np.ndarray, at: np.ndarray, radius: int = 3) -> bool:
    x, y = at[:2].astype(int)
    window = np.s_[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
    return bool((a[window] != b[window]).any())


# law


@pytest.mark.parametrize("layout", [J44, LDPOSE25])
def test_labelled_keypoints_are_drawn_and_absent_ones_are_not(layout):
    person = make_person((0, 2, 0, 0))
    sample = sample_of(person)
    drawn = draw_sample(sample, layout=layout, parts=False, boxes=False)
    points = person.keypoints_2d if layout is J44 else person.ldpose_2d
    for name in ("left_wrist", "right_shoulder", "left_knee"):
        assert differs(drawn, sample.image(), points[layout.index[name]])
    intact = make_person().keypoints_2d[J44.index["right_wrist"]]
    assert not differs(drawn, sample.image(), intact)
    assert not differs(drawn, sample.image(), np.zeros(2))  # absent ones are (0, 0, 0)


def test_the_end_of_a_limb_cut_inside_a_bone_is_drawn_and_named():
    person = make_person((0, 0, 1, 2), fractions=(0, 0, 0.45, 0))
    assert limbs_in_words(person) == "left shank cut at 0.45, right knee"
    sample = sample_of(person)
    drawn = draw_sample(sample, parts=False, boxes=False)
    end = person.ldpose_2d[LDPOSE25.index["left_below_knee_res"]]
    assert differs(drawn, sample.image(), end)
    ankle = make_person().ldpose_2d[LDPOSE25.index["left_ankle"]]
    assert np.abs(end - ankle).max() > 10 and not differs(drawn, sample.image(), ankle)


def test_hidden_keypoints_look_otherwise():
    person = make_person()
    hidden = person.ldpose_2d.copy()
    hidden[:, 2] = 1
    options = {"parts": False, "boxes": False}
    seen = draw_sample(sample_of(person), **options)
    assert (draw_sample(sample_of(changed(person, ldpose_2d=hidden)), **options) != seen).any()


def test_parts_are_tinted_where_the_mask_is_and_nowhere_else():
    sample = sample_of(make_person())
    bare = draw_sample(replace(sample, record=replace(sample.record, people=())), parts=True)
    changes = (bare != sample.image()).any(-1)
    assert (changes <= (sample.mask() > 0)).all()
    assert changes.any()


def test_people_are_drawn_from_their_own_points():
    one, other = make_person(centre=(-0.4, -0.1, 3.0)), make_person(centre=(0.4, -0.1, 3.0))
    sample = sample_of(one, other)
    drawn = draw_sample(sample, parts=False, boxes=False)
    for person in (one, other):
        assert differs(drawn, sample.image(), person.ldpose_2d[LDPOSE25.index["left_knee"]])


@pytest.mark.parametrize("count, expected", [(2, 2), (4, 4), (5, 4), (1, 1), (100, 12)])
def test_pictures_come_with_their_intact_twins(made, count, expected):
    samples = pick(open_dataset(made), count)
    assert len(samples) == expected == len({s.key for s in samples})
    for first, second in zip(samples[::2], samples[1::2], strict=False):
        assert first.record.intact_twin == second.key


def test_a_dataset_without_twins_is_spread_evenly(tmp_path):
    stamp = claim_folder(tmp_path, run_stamp())
    with ShardWriter(tmp_path, 0) as shard:
        for i in range(9):
            shard.add(make_record(f"{i}"), *draw(make_record(f"{i}")))
    finish_dataset(tmp_path, stamp, 1)
    assert [s.key for s in pick(open_dataset(tmp_path), 3)] == ["0", "4", "8"]


def test_the_sheet_is_a_picture_and_the_same_every_time(made, tmp_path):
    first = preview(made, tmp_path / "a.png", count=4, cell=(120, 120))
    second = preview(made, tmp_path / "new" / "b.png", count=4, cell=(120, 120))
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as image:
        assert image.width > 4 * 120 and image.height > 120
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "new"]


def test_layouts_give_different_sheets(made, tmp_path):
    sheets = {
        layout: preview(made, tmp_path / f"{layout}.png", count=2, layout=layout).read_bytes()
        for layout in ("ldpose25", "j44", "coco17")
    }
    assert len(set(sheets.values())) == 3


# words


@pytest.mark.parametrize(
    "levels, words",
    [
        ((0, 0, 0, 0), "intact"),
        ((0, 2, 0, 0), "right elbow"),
        ((3, 0, 1, 2), "left shoulder, left foot, right knee"),
    ],
)
def test_limbs_in_words(levels, words):
    assert limbs_in_words(make_person(levels)) == words


def test_occlusion_and_prostheses_in_words():
    status = (LimbStatus.OCCLUDED, LimbStatus.INTACT, LimbStatus.INTACT, LimbStatus.INTACT)
    assert limbs_in_words(changed(make_person(), limb_status=status)) == "intact, left arm occluded"
    status = (*[LimbStatus.INTACT] * 3, LimbStatus.PROSTHESIS)
    person = changed(make_person((0, 0, 0, 2)), limb_status=status)
    assert limbs_in_words(person) == "right knee (prosthesis)"
    worn = changed(person, prosthesis=(None, None, None, "pylon_foot"), hard_cases=("crutches", "prosthesis"))
    assert limbs_in_words(worn) == "right knee (pylon foot)"
    assert cases_in_words(make_record("k", make_person(), worn)) == ["crutches"]


def test_the_caption_tells_limbs_people_and_photo():
    text = caption(make_record("k", make_person((0, 2, 0, 0)), make_person()))
    first, second = text.split("\n")
    assert first == "right elbow | intact"
    assert second.startswith("k: asian female, everyday | ") and second.endswith(", photo-1")
    assert caption(replace(make_record("k"), people=())).startswith("nobody\n")


# edge


def test_errors_are_one_line(made, tmp_path):
    for options, message in (
        ({"layout": "coco18"}, "layout coco18 is not known; choose one of ldpose25, j44, coco17"),
        ({"count": 0}, "0 pictures cannot be drawn"),
    ):
        with pytest.raises(UserError, match=message):
            preview(made, tmp_path / "a.png", **options)
    with pytest.raises(UserError, match="no dataset here"):
        preview(tmp_path, tmp_path / "a.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        preview(made, tmp_path / "file" / "a.png", count=1)


def test_an_empty_dataset(tmp_path):
    stamp = claim_folder(tmp_path, run_stamp())
    with ShardWriter(tmp_path, 0) as shard:
        shard.drop("no person left", 3)
    finish_dataset(tmp_path, stamp, 1)
    with pytest.raises(UserError, match="the dataset is empty"):
        preview(tmp_path, tmp_path / "a.png")


def test_a_picture_without_people_is_drawn(tmp_path):
    record = replace(make_record("k"), people=())
    stamp = claim_folder(tmp_path, run_stamp())
    with ShardWriter(tmp_path, 0) as shard:
        shard.add(record, *draw(record))
    finish_dataset(tmp_path, stamp, 1)
    assert preview(tmp_path, tmp_path / "a.png").exists()
    assert pick(open_dataset(tmp_path), 5)[0].key == "k"
