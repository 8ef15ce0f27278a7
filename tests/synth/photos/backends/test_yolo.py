import io

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from tiny_models import save_yolo

from ajahr.data.images import ImageError, load_image
from ajahr.errors import MissingAsset, UserError
from synth.photos.backends.yolo import YoloDetector, YoloPoseCheck

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
NOWHERE = np.zeros((0, 4), np.float32)


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return save_yolo(tmp_path_factory.mktemp("yolo") / "two.pt", ["head", "person"])


@pytest.fixture(scope="module")
def pose(tmp_path_factory):
    return save_yolo(tmp_path_factory.mktemp("yolo") / "pose.pt", ["person"], "pose")


def test_boxes_are_those_of_the_person_class_in_a_bgr_picture(detector):
    from ultralytics import YOLO

    found = YoloDetector(detector, confidence=0.0, size=160)(IMAGE)
    options = {"conf": 0.0, "imgsz": 160, "max_det": 300, "classes": [1], "verbose": False}
    raw = YOLO(str(detector)).predict(IMAGE[..., ::-1].copy(), **options)
    expected = raw[0].boxes.data.numpy()
    assert (expected[:, 5] == 1).all()
    assert found.shape == (len(expected), 5) and len(found) > 1 and found.dtype == np.float32
    assert np.allclose(np.sort(found[:, 4]), np.sort(expected[:, 4]))
    assert (np.diff(found[:, 4]) <= 0).all()
    assert (found[:, :4] >= 0).all() and (found[:, [0, 2]] <= 160).all() and (found[:, [1, 3]] <= 120).all()


def test_a_sure_detector_of_nothing(detector):
    assert YoloDetector(detector, confidence=1.0, size=160)(IMAGE).shape == (0, 5)


def test_pose_check_counts_people_with_enough_keypoints(pose):
    assert YoloPoseCheck(pose, confidence=1.0, size=160)(IMAGE, NOWHERE) == 0
    every = YoloPoseCheck(pose, confidence=0.0, keypoints=17, size=160)(IMAGE, NOWHERE)
    assert every > 0
    assert YoloPoseCheck(pose, confidence=0.0, keypoints=18, size=160)(IMAGE, NOWHERE) == 0


def test_the_restricted_loader_refuses_code(tmp_path, detector):
    import torch

    class Evil:
        def __reduce__(self):
            return (print, ("code ran",))

    torch.save({"model": Evil(), "train_args": {}}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match=r"backgrounds\.detector_weights"):
        YoloDetector(tmp_path / "evil.pt")


def test_a_detector_is_no_pose_model(detector):
    with pytest.raises(UserError, match="task 'detect'"):
        YoloPoseCheck(detector)


def test_no_checkpoint(tmp_path):
    (tmp_path / "no.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"no\.pt: not an ultralytics"):
        YoloDetector(tmp_path / "no.pt")
    with pytest.raises(MissingAsset, match=r"gone\.pt: no such file; backgrounds.detector_weights.*github"):
        YoloDetector(tmp_path / "gone.pt")
    with pytest.raises(MissingAsset, match=r"backgrounds\.checker_weights is not set"):
        YoloPoseCheck(None)


def test_a_class_that_is_not_there_names_the_configurations_key(detector):
    with pytest.raises(
        UserError, match=r"no class 'cat'; set backgrounds\.detector_class to one of head, person"
    ):
        YoloDetector(detector, person_class="cat")


def test_pictures_that_are_none_stay_unreadable_beside_ultralytics(detector, tmp_path):
    """Ultralytics replaces PIL's open by one that wants another package for them."""
    YoloDetector(detector, size=160)
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"no picture"))
    with pytest.raises(ImageError):
        (tmp_path / "a.jpg").write_bytes(b"no picture")
        load_image(tmp_path / "a.jpg")
