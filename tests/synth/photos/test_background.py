from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ajahr.anatomy import COCO17
from ajahr.data.images import ImageError, upright_array
from ajahr.data.readers.formats import read_people
from ajahr.data.readers.people import PersonAnnotation, Photo
from synth.photos.background import prepare_clean, prepare_photo
from synth.photos.inpaint import make_inpainter
from synth.photos.light import estimate_light
from synth.record import Drop

PHOTOS = Path(__file__).parents[4] / "shared" / "data" / "photos"
TELEA = make_inpainter("telea")


def ground(height=160, width=220) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 5, (height, width, 1))
    return np.clip(np.stack([60 + y * 0.6, 100 + x * 0.3, 90 + y * 0.2], -1) + noise, 0, 255).astype(np.uint8)


def person(box=(80, 20, 120, 140), **changes) -> PersonAnnotation:
    x0, y0, x1, y1 = box
    outline = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    points = np.zeros((17, 3), np.float32)
    points[COCO17.index["nose"]] = ((x0 + x1) / 2, y0 + 10, 2)
    fields = {"polygons": (outline,), "keypoints_coco17": points, "source_id": "1"} | changes
    return PersonAnnotation(np.array(box, np.float32), **fields)


def photo(folder: Path, *people: PersonAnnotation, image: np.ndarray | None = None, **fields) -> Photo:
    picture = (ground() if image is None else image).copy()
    for someone in people:
        x0, y0, x1, y1 = someone.bbox_xyxy.astype(int).clip(0)
        picture[y0:y1, x0:x1] = (250, 30, 30)
    Image.fromarray(picture).save(folder / "photo.png")
    return Photo(folder / "photo.png", "7", people, licence="CC0", source="test", **fields)


def drop_reason(found: Photo, **options) -> str:
    with pytest.raises(Drop) as caught:
        prepare_photo(found, inpainter=TELEA, **options)
    return caught.value.reason


# law


@pytest.mark.parametrize("inpainter", [None, TELEA])
def test_the_person_is_gone_and_leaves_a_slot(tmp_path, inpainter):
    found = prepare_photo(photo(tmp_path, person()), inpainter=inpainter)
    red = (found.image[..., 0] > 200) & (found.image[..., 1] < 80)
    assert not red.any()
    assert np.abs(found.image.astype(int) - ground()).mean() < 6
    assert (found.image[~found.hole] == ground()[~found.hole]).all()
    (slot,) = found.slots
    assert slot.bbox_xyxy.tolist() == [80, 20, 120, 140] and slot.source_id == "1"
    x0, y0, x1, y1 = slot.mask_box
    assert slot.mask.shape == (y1 - y0, x1 - x0) and slot.mask.all() and slot.confidence.sum() == 1
    assert found.hole[y0:y1, x0:x1].all() and found.hole.sum() > slot.mask.sum()
    assert 0.5 < found.ssim < 1 and found.scale == 1
    assert (found.licence, found.source, found.photo.name) == ("CC0", "test", "photo.png")


def test_everything_shrinks_with_the_picture(tmp_path):
    found = prepare_photo(photo(tmp_path, person()), inpainter=TELEA, max_side=110)
    assert found.image.shape == (80, 110, 3) and found.scale == 0.5
    assert found.slots[0].bbox_xyxy.tolist() == [40, 10, 60, 70]
    assert found.slots[0].keypoints_coco17 is not None
    assert found.slots[0].keypoints_coco17[0].tolist() == [50, 15, 2]


def test_same_photograph_gives_the_same_bytes(tmp_path):
    given = photo(tmp_path, person(polygons=()), person((150, 30, 190, 130)))
    assert (prepare_photo(given).image == prepare_photo(given).image).all()


@pytest.mark.parametrize("annotated", ["stored", "upright"])
def test_rotated_by_exif(tmp_path, annotated):
    # stored lying on its side, annotated either way
    upright = photo(tmp_path, person())
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = upright_array(np.asarray(Image.open(upright.path)), 8)
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    if annotated == "stored":
        lying = person().upright(8, (220, 160))
        given = Photo(tmp_path / "turned.png", "7", (lying,), size=(160, 220))
    else:
        given = Photo(tmp_path / "turned.png", "7", (person(),), size=(220, 160))
    found = prepare_photo(given, inpainter=TELEA)
    assert found.image.shape == (160, 220, 3)
    assert found.slots[0].bbox_xyxy.tolist() == [80, 20, 120, 140]
    assert not ((found.image[..., 0] > 200) & (found.image[..., 1] < 80)).any()


# people who are removed or ignored without a slot


def test_people_without_a_slot_are_counted(tmp_path):
    people = (
        person(),
        person((10, 100, 30, 130)),  # low
        person((150, 20, 180, 130), crowd=True),
        person((500, 20, 540, 140)),
        person((190, 20, 215, 140), polygons=()),  # GrabCut
    )
    found = prepare_photo(photo(tmp_path, *people), inpainter=TELEA)
    assert len(found.slots) == 2
    assert found.skipped_people == Counter(too_small=1, crowd=1, outside_image=1)
    assert found.hole[115, 20] and found.hole[70, 165], "removed all the same"


def test_keypoints_outside_the_picture_are_forgotten(tmp_path):
    points = np.zeros((17, 3), np.float32)
    points[:2] = [(100, 30, 2), (100, 500, 2)]
    found = prepare_photo(photo(tmp_path, person(keypoints_coco17=points)), inpainter=TELEA)
    assert found.slots[0].keypoints_coco17 is not None
    assert found.slots[0].keypoints_coco17[:2].tolist() == [[100, 30, 2], [0, 0, 0]]


# drops: the smallest input for each reason


def test_unreadable_keeps_its_cause(tmp_path):
    given = photo(tmp_path, person())
    given.path.write_bytes(b"no picture")
    with pytest.raises(Drop) as caught:
        prepare_photo(given)
    assert caught.value.reason == "unreadable"
    assert isinstance(caught.value.__cause__, ImageError) and str(given.path) in str(caught.value.__cause__)


def test_too_small(tmp_path):
    assert drop_reason(photo(tmp_path, person((1, 1, 20, 40)), image=ground(63, 100))) == "too_small"


def test_size_mismatch(tmp_path):
    assert drop_reason(photo(tmp_path, person(), size=(440, 320))) == "size_mismatch"


@pytest.mark.parametrize(
    "people", [(), (person(crowd=True),), (person((500, 0, 600, 90)),), (person((80.0, 20.0, 80.2, 20.2)),)]
)
def test_no_usable_person(tmp_path, people):
    assert drop_reason(photo(tmp_path, *people)) == "no_usable_person"


def test_too_many_people(tmp_path):
    everybody = [person((6 * i, 10, 6 * i + 5, 75)) for i in range(30)]
    given = photo(tmp_path, *everybody, person(crowd=True))
    assert drop_reason(given) == "too_many_people"
    assert drop_reason(given, max_people=29) == "too_many_people"
    assert len(prepare_photo(given, inpainter=TELEA, max_people=30, ssim_min=-1.0).slots) == 30


def test_hole_too_large(tmp_path):
    assert drop_reason(photo(tmp_path, person((5, 5, 215, 155)))) == "hole_too_large"


def test_ssim(tmp_path):
    given = photo(tmp_path, person())
    similarity = prepare_photo(given, inpainter=TELEA).ssim
    assert drop_reason(given, ssim_min=similarity + 0.01) == "ssim"
    prepare_photo(given, inpainter=TELEA, ssim_min=similarity - 0.01)

    def spoil(image, hole):
        return np.random.default_rng(0).integers(0, 255, image.shape).astype(np.uint8)

    with pytest.raises(Drop, match="ssim"):
        prepare_photo(given, inpainter=spoil)


# photographs without people


def test_clean_photograph(tmp_path):
    Image.fromarray(ground()).save(tmp_path / "a.png")
    found = prepare_clean(tmp_path / "a.png", max_side=110, licence="CC0")
    assert found.image.shape == (80, 110, 3) and not found.slots and not found.hole.any() and found.ssim == 1
    with pytest.raises(Drop, match="unreadable"):
        prepare_clean(tmp_path / "no.png")


def test_a_strip_keeps_a_usable_side(tmp_path):
    Image.fromarray(ground(70, 2000)).save(tmp_path / "a.png")
    assert prepare_clean(tmp_path / "a.png", max_side=500).image.shape == (64, 500, 3)


# real photographs


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the trial photographs are not here")
@pytest.mark.parametrize("kind, slots", [("coco", 13), ("mpii", 5), ("crowdpose", 4), ("ochuman", 5)])
def test_published_photographs_become_backgrounds(kind, slots):
    found = read_people(kind, PHOTOS / kind / f"test_{kind}.json", PHOTOS / kind)
    count = 0
    for one in found.photos:
        background = prepare_photo(one, inpainter=TELEA)
        count += len(background.slots)
        assert max(background.image.shape[:2]) <= 640 and 0.03 < background.hole.mean() < 0.65
        for slot in background.slots:
            light = estimate_light(background.image, slot.bbox_xyxy)
            assert np.isfinite(light.ambient_rgb).all()
            points = slot.keypoints_coco17
            assert points is None or (points[:, :2] <= background.image.shape[1::-1]).all()
    assert count == slots
