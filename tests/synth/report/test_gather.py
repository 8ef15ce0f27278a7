"""What the report reads from a dataset, against the records themselves."""

import json
import shutil
from itertools import pairwise

import cv2
import numpy as np
import pytest
from fake_dataset import DEMO_LEVELS, make_person, make_record, write_dataset

from ajahr.anatomy import LIMBS, amputation_joint, levels_to_indices
from ajahr.data.dataset import open_dataset
from ajahr.data.npz import people_arrays
from ajahr.errors import UserError
from ajahr.geometry.cameras import crop_to_full_translation
from ajahr.geometry.crops import crop_side
from synth.realism import shadow
from synth.report import gather as module
from synth.report.gather import gather


@pytest.fixture(scope="module", params=[False, True], ids=["perspective", "weak"])
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset") / "set"
    write_dataset(folder, shards=4, weak=request.param)
    return folder


@pytest.fixture(scope="module")
def data(folder):
    return gather(folder)


def people(folder):
    return [person for sample in open_dataset(folder) for person in sample.record.people]


def test_the_camera_scale_brings_the_translation_back(folder, data):
    for person, scale in zip(people(folder), data.people["camera_scale"], strict=True):
        box = np.float64(person.bbox_xyxy)
        side = crop_side((box[2:] - box[:2]) * 1.2)
        camera = person.camera
        back = crop_to_full_translation(
            np.array([scale, 0.0, 0.0]), (box[:2] + box[2:]) / 2, side,
            np.array([camera.width, camera.height], np.float64), camera.focal_length,
        )  # fmt: skip
        depth = camera.weak_depth or person.transl[2]
        assert back[2] == pytest.approx(depth, rel=1e-4)


def test_limbs_in_pixels_follow_the_bones_to_where_they_end(folder, data):
    for n, person in enumerate(people(folder)):
        pixels = person.camera.project(person.joints_3d)
        for limb in LIMBS:
            level = person.limb_levels[limb]
            intact, residual = (
                data.people["intact_limb_px"][n, limb],
                data.people["residual_limb_px"][n, limb],
            )
            chain = [amputation_joint(limb, lost) for lost in (3, 2, 1)]
            drawn = chain[: 4 - level] if level else chain
            length = sum(np.linalg.norm(pixels[b] - pixels[a]) for a, b in pairwise(drawn))
            if level == 0:
                assert np.isnan(residual) and intact > length  # the hand comes to it
            elif level == 3:
                assert np.isnan(residual) and np.isnan(intact)
            else:
                assert np.isnan(intact) and residual == pytest.approx(length, rel=1e-4)


def test_a_limb_cut_inside_a_bone_is_as_long_as_what_is_left():
    whole, cut = make_person((0, 0, 1, 0)), make_person((0, 0, 1, 0), fractions=(0, 0, 0.4, 0))
    arrays = people_arrays([make_record("k", whole, cut)], "000000")
    found = module._people(arrays)
    pixels = whole.camera.project(whole.joints_3d)
    hip, knee, ankle = pixels[[1, 4, 7]]
    thigh, shank = np.linalg.norm(knee - hip), np.linalg.norm(ankle - knee)
    assert found["residual_limb_px"][:, 2] == pytest.approx([thigh + shank, thigh + 0.6 * shank], rel=1e-4)
    assert np.isnan(found["residual_lambda"][0]).all()
    assert found["residual_lambda"][1, 6] == np.float32(0.4)
    old = {name: array for name, array in arrays.items() if not name.startswith("residual_l")}
    assert np.isnan(module._people(old)["residual_lambda"]).all()


def test_the_gallery_shows_each_class_beside_its_twin(data):
    wanted = {index for levels in DEMO_LEVELS for index in levels_to_indices(levels)} | {12}
    assert {index for index, items in data.gallery.items() if items} == wanted
    for items in data.gallery.values():
        for item in items:
            assert int(item.key) % 2 == 0  # never the twin itself
            assert item.twin is not None
            pair = [cv2.imdecode(np.frombuffer(jpg, np.uint8), 1) for jpg in (item.picture, item.twin)]
            assert pair[0].shape == pair[1].shape == (item.size[1], item.size[0], 3)
            assert not np.array_equal(*pair) or item.words == "intact"


def test_as_many_pictures_as_asked_for_spread_over_the_dataset(folder):
    one = gather(folder, per_class=1, ring_pictures=3)
    assert max(len(items) for items in one.gallery.values()) == 1
    assert one.ring_pictures == 3
    assert gather(folder, ring_pictures=1000).ring_pictures == 8  # twins are not measured


def test_large_datasets_are_read_in_part(folder, monkeypatch):
    monkeypatch.setattr(module, "MAX_SHARDS", 2)
    ticks = []
    part = gather(folder, tick=lambda: ticks.append(1))
    assert part.read_shards == len(ticks) == 2
    assert len(part.people["betas"]) == len(people(folder)) / 2


def test_quality_of_the_backgrounds_by_source(folder):
    assert gather(folder).sources == {}
    bank = folder / ".work" / "backgrounds"
    bank.mkdir(parents=True)
    for n, entry in enumerate(
        [
            {"source": "coco", "ssim": 0.6, "lpips": 0.1},
            {"source": "coco", "ssim": 0.8},
            {"source": "mpii", "ssim": 0.9},
            {"source": "no ssim"},
        ]
    ):
        (bank / f"{n}.json").write_text(json.dumps(entry))
    (bank / "half.json").write_text("{")
    sources = gather(folder).sources
    assert {name: quality.ssim.tolist() for name, quality in sources.items()} == {
        "coco": [0.6, 0.8],
        "mpii": [0.9],
    }
    assert sources["coco"].lpips.tolist() == [0.1] and not len(sources["mpii"].lpips)


def test_no_dataset_and_a_damaged_shard_are_named(tmp_path):
    with pytest.raises(UserError, match="no dataset here"):
        gather(tmp_path / "nowhere")
    write_dataset(tmp_path / "set")
    tar = tmp_path / "set" / "shards" / "000001.tar"
    tar.write_bytes(tar.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"000001\.tar"):
        gather(tmp_path / "set")


def test_the_same_scenes_pasted_plainly(realistic_twins, monkeypatch):
    data = gather(realistic_twins, plain_pictures=5)
    plain = data.plain
    assert plain is not None and plain.pictures == 5 and plain.why == ""
    assert plain.rings is not None and plain.realistic is not None
    # the same silhouettes, other pictures
    assert np.array_equal(plain.rings.pixels, plain.realistic.pixels)
    assert not np.array_equal(plain.rings.bright, plain.realistic.bright)
    assert data.cost is not None and data.cost.pictures == 22
    assert gather(realistic_twins, plain_pictures=0).plain is None


def test_without_its_banks_a_dataset_says_why_there_is_no_plain_paste(realistic_twins, tmp_path):
    shutil.copytree(realistic_twins, tmp_path / "set", ignore=shutil.ignore_patterns(".work"))
    data = gather(tmp_path / "set")
    assert data.cost is None
    assert data.plain is not None and data.plain.rings is None and "gone" in data.plain.why


def test_pictures_that_come_out_otherwise_are_not_compared(realistic_twins, monkeypatch):
    monkeypatch.setattr(shadow, "_DARKEST", 0.2)
    monkeypatch.setattr(shadow, "_FAINTEST", 0.1)
    plain = gather(realistic_twins).plain
    assert plain is not None and plain.rings is None and "other pictures" in plain.why
