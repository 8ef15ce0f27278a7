import numpy as np
import pytest
from tiny_models import save_yolo

from ajahr.errors import MissingAsset, UserError
from ajahr.inference.people import Detector
from ajahr.inference.yolo import YoloDetector, person_index

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)


def test_boxes_are_those_of_people_in_a_bgr_picture(tmp_path):
    from ultralytics import YOLO

    path = save_yolo(tmp_path / "two.pt", ["head", "person"])
    detector = YoloDetector(path, confidence=0.0, size=160)
    assert isinstance(detector, Detector)
    found = detector(IMAGE)
    options = {"conf": 0.0, "imgsz": 160, "max_det": 300, "classes": [1], "verbose": False}
    expected = YOLO(str(path)).predict(IMAGE[..., ::-1].copy(), **options)[0].boxes.data.numpy()
    assert len(found) == len(expected) > 1 and (np.diff(found[:, 4]) <= 0).all()
    assert np.allclose(np.sort(found[:, 4]), np.sort(expected[:, 4]))
    assert YoloDetector(path, confidence=1.0, size=160)(IMAGE).shape == (0, 5)


def test_what_is_no_detector(tmp_path):
    (tmp_path / "no.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"no\.pt: not an ultralytics"):
        YoloDetector(tmp_path / "no.pt")
    with pytest.raises(MissingAsset, match=r"gone\.pt: no such file; people names an ultralytics"):
        YoloDetector(tmp_path / "gone.pt")


def test_person_class(tmp_path):
    def index(names, wanted=""):
        return person_index(dict(enumerate(names)), wanted, tmp_path)

    assert index(["car", "Person"]) == 1 and index(["head", "pedestrian"]) == 1
    assert index(["0"]) == 0 and index(["a", "b"], "B") == 1
    with pytest.raises(UserError, match="set person_class to one of car, dog"):
        index(["car", "dog"])
    with pytest.raises(UserError, match="no class 'cat'"):
        index(["person", "dog"], "cat")
