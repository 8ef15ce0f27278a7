"""Keypoints of people without annotated ones, by ViTPose and YOLO-pose with random weights."""

import numpy as np
import pytest
from tiny_models import save_vitpose, save_yolo

from ajahr.data.readers.people import PersonAnnotation, Photo
from ajahr.errors import MissingAsset, UserError
from synth.photos.backends.keypoints import VitPoseKeypoints, YoloPoseKeypoints
from synth.photos.background import prepare_photo
from synth.photos.detect import KeypointDetector
from synth.photos.inpaint import make_inpainter

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
BOXES = np.array([[20, 10, 60, 110], [90, 20, 140, 100]], np.float32)


@pytest.fixture(scope="module")
def vitpose(tmp_path_factory):
    return save_vitpose(tmp_path_factory.mktemp("vitpose") / "model", seen=True)


@pytest.fixture(scope="module")
def yolo(tmp_path_factory):
    return save_yolo(tmp_path_factory.mktemp("yolo") / "pose.pt", ["person"], "pose")


def test_vitpose_looks_into_each_box(vitpose):
    detector = VitPoseKeypoints(vitpose)
    assert isinstance(detector, KeypointDetector)
    found = detector(IMAGE, BOXES)
    assert found.shape == (2, 17, 3) and found.dtype == np.float32
    assert (found[..., 2] > 0.5).all() and (found[..., 2] <= 1).all()
    for points, box in zip(found, BOXES, strict=True):
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
        assert (np.abs(points[:, :2] - centre) <= half).all()
    assert detector(IMAGE, BOXES[:0]).shape == (0, 17, 3)
    assert np.allclose(detector(IMAGE, BOXES[1:])[0], found[1], atol=0.2)  # px; batches round differently


def test_yolo_people_go_to_the_boxes_they_are_in(yolo):
    detector = YoloPoseKeypoints(yolo, size=160, confidence=0.0)
    people, keypoints = detector._model(IMAGE)
    assert len(people) > 0
    nobody = np.array([150, 110, 151, 111], np.float32)
    found = detector(IMAGE, np.stack([people[0], nobody]))
    assert np.array_equal(found[0], keypoints[0]) and not found[1].any()
    assert not YoloPoseKeypoints(yolo, size=160, confidence=1.0)(IMAGE, BOXES).any()


def test_weights_are_told_by_their_own_key(tmp_path, vitpose, yolo):
    with pytest.raises(MissingAsset, match=r"backgrounds\.keypoints_weights is not set"):
        VitPoseKeypoints(None)
    (tmp_path / "pose.pt").write_text("no weights")
    with pytest.raises(UserError, match=r"pose\.pt.*backgrounds\.keypoints_weights"):
        YoloPoseKeypoints(tmp_path / "pose.pt")


def test_only_people_without_annotated_keypoints_are_looked_at(tmp_path):
    import cv2

    seen = []

    def detector(image, boxes):
        seen.append(boxes)
        points = np.full((len(boxes), 17, 3), 30, np.float32)
        points[..., 2] = 0.7
        points[:, 0] = 0
        return points

    small = np.random.default_rng(0).integers(40, 220, (9, 12, 3), dtype=np.uint8)
    picture = cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    annotated = np.tile(np.array([120, 100, 2], np.float32), (17, 1))
    boxes = np.array([[100, 40, 150, 210], [200, 40, 250, 210]], np.float32)
    people = (PersonAnnotation(boxes[0], keypoints_coco17=annotated), PersonAnnotation(boxes[1]))
    clean = prepare_photo(
        Photo(tmp_path / "a.png", "a", people), inpainter=make_inpainter("telea"), keypoints=detector
    )
    assert len(seen) == 1 and np.array_equal(seen[0], boxes[1:])
    assert clean.slots[0].confidence.tolist() == [1.0] * 17
    assert clean.slots[1].confidence == pytest.approx([0.0] + [0.7] * 16)
    assert clean.slots[1].keypoints_coco17[:, 2].tolist() == [0.0] + [2.0] * 16
