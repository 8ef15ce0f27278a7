"""Crops by index: independent of batches and workers; broken pictures named and stood in for."""

from __future__ import annotations

import logging
import subprocess
import sys

import cv2
import numpy as np
import pytest
from fake_people import jpeg, people_rows, people_table, photo, png

from ajahr.data.hmr.augmentation import AugmentationConfig
from ajahr.data.hmr.dataset import COLUMNS, CropConfig, Crops, Draw, HmrDataset, check_boxes
from ajahr.data.hmr.occlusion import OcclusionConfig
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import BPAC_J44, PeopleTable
from ajahr.data.images import ImageError
from ajahr.errors import UserError


def same(a: Crops, b: Crops) -> bool:
    return (
        a.keys == b.keys
        and (a.pixels == b.pixels).all()
        and all(
            np.array_equal(a.columns[n], b.columns[n], equal_nan=a.columns[n].dtype.kind == "f")
            for n in COLUMNS
        )
        and np.array_equal(a.placements.affine(), b.placements.affine())
        and np.array_equal(a.chance, b.chance)
        and np.array_equal(a.covered, b.covered)
    )


@pytest.fixture
def tables(tmp_path) -> list[PeopleTable]:
    found = []
    for name, count in (("one", 3), ("two", 4)):
        (tmp_path / name).mkdir()
        found.append(people_table(tmp_path / name, count, name, seed=count))
    return found


ALWAYS = CropConfig(
    AugmentationConfig(
        extreme_crop_probability=0.5, occlusion=OcclusionConfig(patch_probability=1, truncation_probability=1)
    )
)


def test_a_sample_is_the_same_in_any_batch(tables):
    dataset = HmrDataset(tables, ALWAYS, seed=5)
    whole = dataset.__getitems__(range(7))
    assert same(Crops.joined([dataset[i] for i in range(7)]), whole)
    part = dataset.__getitems__([6, 2])
    assert part.keys == ["two/3.jpg", "one/2.jpg"] and (part.pixels[1] == whole.pixels[2]).all()
    assert whole.covered.any(), "the occluders were there"


@pytest.mark.parametrize("placer", [0, 1])
def test_twins_differ_in_the_limb_alone(tmp_path, placer, monkeypatch):
    monkeypatch.setattr("ajahr.data.hmr.occlusion._FILLS", ("noise", "colour"))  # texture may be the limb's
    whole = photo(320, 240)
    rows = people_rows(2)
    rows[1] = rows[0]
    rows["image"] = rows["key"] = [b"0.png", b"1.png"]
    rows["levels"][0, 0], rows["keypoints_2d"][0, [7, 34], 2] = 2, 0  # a hand and its label are gone
    rows["side"][0], rows["center"][0] = 120, (150, 130)  # and with them a part of the box
    cut = whole.copy()
    cut[100:130, 200:240] = 0
    for number, image in enumerate((cut, whole)):
        (tmp_path / f"{number}.png").write_bytes(png(image))
    config = AugmentationConfig(
        extreme_crop_probability=0.3, occlusion=OcclusionConfig(patch_probability=0.7, object_probability=0)
    )
    table = PeopleTable("pair", rows, PictureStore(tmp_path))
    dataset = HmrDataset([table], CropConfig(config))
    differ = []
    for number in range(30):
        pair = dataset.__getitems__([Draw(0, row, (7, number), placed_by=placer) for row in (0, 1)])
        alone = dataset[Draw(0, placer, (7, number))]
        affine = pair.placements.affine()
        np.testing.assert_array_equal(affine[0], affine[1])
        np.testing.assert_array_equal(affine[0], alone.placements.affine()[0])
        np.testing.assert_array_equal(pair.pixels[placer], alone.pixels[0])
        for shared in (pair.colour, pair.chance, pair.placements.flip):
            np.testing.assert_array_equal(shared[0], shared[1])
        kept = rows["keypoints_2d"][0, BPAC_J44, 2] > 0
        np.testing.assert_array_equal(pair.covered[0, kept], pair.covered[1, kept])
        corners = (
            np.array([(198, 98), (242, 98), (242, 132), (198, 132)]) @ affine[0, :, :2].T + affine[0, :, 2]
        )
        limb = cv2.fillConvexPoly(np.zeros((256, 256), np.uint8), np.rint(corners).astype(np.int32), (1,))
        limb = cv2.dilate(limb, np.ones((7, 7))) > 0
        changed = (pair.pixels[0] != pair.pixels[1]).any(-1)
        differ.append(bool(changed[limb].any()))
        assert not (changed & ~limb).any()
    assert np.mean(differ) > 0.5


def test_epoch_and_seed_change_the_augmentation(tables):
    dataset = HmrDataset(tables, ALWAYS, seed=5)
    first = dataset[1]
    dataset.set_epoch(1)
    assert not same(dataset[1], first) and not same(HmrDataset(tables, ALWAYS, seed=6)[1], first)
    drawn = Draw(0, 1, (5, 0, 1))
    assert same(dataset[drawn], first), "a draw brings its own seed"


def test_no_augmentation_is_the_box_itself(tables):
    crops = HmrDataset(tables, CropConfig(None)).__getitems__(range(7))
    np.testing.assert_array_equal(crops.placements.side, crops.columns["side"])
    assert not crops.placements.flip.any() and (crops.colour == 1).all() and not crops.covered.any()


def test_picture_sizes_are_the_stored_ones(tmp_path):
    (tmp_path / "0.jpg").write_bytes(jpeg(photo(1001, 601)))
    rows = people_rows(2, size=(1000, 600))
    rows["image"] = b"0.jpg"
    rows["side"] = (900, 900)
    rows["quarter_turns"] = (0, 1)
    table = PeopleTable("wide", rows, PictureStore(tmp_path))
    crops = HmrDataset([table], CropConfig(None)).__getitems__([0, 1])
    assert crops.columns["image_size"].tolist() == [[1001, 601], [601, 1001]], "although decoded at a quarter"


# edge


def test_broken_pictures_are_named_counted_and_stood_in_for(tables, caplog):
    folder = tables[1].pictures.folder
    (folder / "1.jpg").write_bytes(jpeg(photo(64, 64))[:-300])
    (folder / "2.jpg").unlink()
    dataset = HmrDataset(tables, CropConfig(None))
    with caplog.at_level(logging.WARNING):
        crops = dataset.__getitems__([3, 4, 0])
    assert crops.keys == ["two/0.jpg", "two/3.jpg", "one/0.jpg"]
    assert same(dataset[6], HmrDataset(tables, CropConfig(None))[6])
    assert (crops.pixels[1] == dataset[6].pixels[0]).all() and dataset.broken == 2
    assert "two/1.jpg" in caplog.text and "truncated" in caplog.text and "two/2.jpg" in caplog.text
    with pytest.raises(ImageError, match=r"1\.jpg: truncated"):
        HmrDataset(tables, CropConfig(None), skip_broken=False)[4]


def test_nothing_but_broken_pictures_stops(tables):
    for path in tables[0].pictures.folder.glob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="one: 3 pictures in a row cannot be read"):
        HmrDataset(tables)[0]


def test_indices(tables):
    dataset = HmrDataset(tables)
    assert len(dataset) == 7 and dataset.locate(-1)[:2] == (1, 3) and dataset.locate(2)[:2] == (0, 2)
    with pytest.raises(IndexError):
        dataset[7]


def test_nobody_and_bad_boxes(tables):
    with pytest.raises(UserError, match="one: nobody in it"):
        HmrDataset([tables[0].subset(np.zeros(3, bool))])
    tables[1].rows["side"][2] = np.nan
    with pytest.raises(UserError, match=r"two/2\.jpg: its box"):
        check_boxes(tables)


def test_workers_that_only_read_load_no_torch():
    code = (
        "import sys, ajahr.data.hmr.dataset, ajahr.data.hmr.mixture, ajahr.data.readers.shards, "
        "ajahr.data.readers.bedlam_tars, ajahr.data.readers.threedpw; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
