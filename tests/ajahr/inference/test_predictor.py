import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from puppet import ELBOW, HIP, INTACT, picture

from ajahr.errors import UserError
from ajahr.inference.people import People
from ajahr.inference.predictor import AJAHR, Failure, Request


def test_five_lines(weights, tmp_path):
    from ajahr import AJAHR

    Image.fromarray(picture()).save(tmp_path / "photo.jpg")
    model = AJAHR.from_pretrained(weights, device="cpu")
    result = model.predict(tmp_path / "photo.jpg", boxes=[[10, 5, 90, 110]])
    result.save(tmp_path / "out")
    assert result.people[0].limb_probabilities.sum(1) == pytest.approx(np.ones(4), abs=1e-5)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["photo.jpg", "photo.json", "photo_0.glb"]


@pytest.mark.parametrize("kind", ["path", "array", "pillow", "gray", "alpha"])
def test_every_kind_of_picture(model, tmp_path, kind):
    array = picture(ELBOW)
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    image = {
        "path": path, "array": array, "pillow": Image.fromarray(array),
        "gray": Image.new("L", (160, 120), 120), "alpha": Image.fromarray(array).convert("RGBA"),
    }[kind]  # fmt: skip
    result = model.predict(image)
    assert result.people[0].limb_levels.tolist() == list(ELBOW)
    assert result.name == ("a.png" if kind == "path" else "picture.jpg")


def test_what_is_no_picture(model, tmp_path):
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UserError, match="uint8 RGB"):
            model.predict(wrong)
    with pytest.raises(UserError, match="no such file"):
        model.predict(tmp_path / "gone.jpg")


def test_a_picture_of_one_pixel(model):
    result = model.predict(np.full((1, 1, 3), 20, np.uint8))
    assert len(result.people) == 1 and np.isfinite(result.people[0].joints_2d).all()


def test_nobody(puppet):
    model = AJAHR(puppet, detector=lambda image: np.zeros((0, 5), np.float32), device="cpu")
    assert model.predict(picture()).people == () and not puppet.calls
    assert model.predict(picture(), []).people == ()
    assert model.predict(picture(), [[500, 500, 600, 600]]).people == ()  # a box beside the picture


def test_a_large_picture_is_read_smaller_and_told_in_its_own_pixels(puppet, tmp_path):
    Image.fromarray(np.kron(picture(HIP, (300, 200)), np.ones((4, 4, 1), np.uint8))).save(tmp_path / "a.png")
    box = [400, 100, 800, 700]
    seen = []

    def detector(image):
        seen.append(image.shape)
        return np.array([[*(x / 4 for x in box), 0.9]], np.float32)

    def finder(image, boxes):
        assert np.allclose(boxes, np.array([box]) / 4)
        return np.tile(np.array([150, 100, 0.7], np.float32), (1, 17, 1))

    small = AJAHR(puppet, detector=detector, keypoints=finder, device="cpu", max_pixels=60_000)
    whole = AJAHR(puppet, device="cpu").predict(tmp_path / "a.png", [box]).people[0]
    person = small.predict(tmp_path / "a.png").people[0]
    assert seen == [(200, 300, 3)]
    assert person.bbox_xyxy.tolist() == box and person.score == pytest.approx(0.9)
    assert person.keypoints[0].tolist() == pytest.approx([600, 400, 0.7])
    assert np.allclose(person.joints_2d, whole.joints_2d, atol=1e-3)
    assert person.camera.width == 1200


def test_keypoints_are_only_sought_where_none_are_given(puppet):
    asked = []

    def finder(image, boxes):
        asked.append(boxes.tolist())
        return np.ones((len(boxes), 17, 3), np.float32)

    model = AJAHR(puppet, keypoints=finder, device="cpu")
    keypoints = np.zeros((2, 17, 3))
    keypoints[0, 5] = [30, 40, 0.5]
    people = model.predict(picture(), [[0, 0, 80, 120], [80, 0, 160, 120]], keypoints).people
    assert asked == [[[80, 0, 160, 120]]]
    assert people[0].keypoints[5].tolist() == [30, 40, 0.5] and people[1].keypoints[0].tolist() == [1, 1, 1]


def test_weak_detections_are_left_out(puppet):
    found = np.array([[0, 0, 80, 120, 0.9], [80, 0, 160, 120, 0.3]], np.float32)
    model = AJAHR(puppet, detector=lambda image: found, device="cpu", min_score=0.5)
    assert [person.score for person in model.predict(picture()).people] == [pytest.approx(0.9)]


def test_many_pictures_are_what_each_is_alone(model, tmp_path):
    """Batches hold people of several pictures; empty and unreadable ones lie between."""
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    levels = [INTACT, ELBOW, HIP, ELBOW, INTACT, HIP, HIP]
    boxes = [[[0, 0, 80, 120]] * n for n in (1, 0, 3, 2, 6, 0, 1)]
    requests = [
        Request(picture(one), People.of(box), str(k))
        for k, (one, box) in enumerate(zip(levels, boxes, strict=True))
    ]
    requests.insert(3, Request(tmp_path / "bad.jpg"))
    results = list(model.predict_many(requests))
    failure = results.pop(3)
    assert isinstance(failure, Failure) and "bad.jpg" in str(failure.error)
    for k, result in enumerate(results):
        alone = model.predict(picture(levels[k]), boxes[k])
        assert result.name == str(k) and len(result.people) == len(boxes[k])
        for a, b in zip(result.people, alone.people, strict=True):
            assert a.limb_levels.tolist() == b.limb_levels.tolist() == list(levels[k])
            assert np.allclose(a.vertices_cam, b.vertices_cam, atol=1e-6)


def test_pictures_are_not_all_read_before_the_first_result(model):
    drawn = []

    def requests():
        for k in range(100):
            drawn.append(k)
            yield picture()

    next(model.predict_many(requests()))
    assert len(drawn) < 20


def test_focal_length(puppet):
    with pytest.raises(UserError, match="positive number"):
        AJAHR(puppet, device="cpu", focal_length=0.0)


def test_the_package_itself_loads_no_torch():
    script = "import sys, ajahr, ajahr.inference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
