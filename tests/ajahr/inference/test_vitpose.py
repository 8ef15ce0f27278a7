import numpy as np
import pytest
from tiny_models import save_vitpose

from ajahr.errors import MissingAsset, UserError
from ajahr.inference.people import KeypointFinder
from ajahr.inference.vitpose import VitPoseKeypoints

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
BOXES = np.array([[10, 5, 60, 110], [80, 20, 120, 119.5], [150, 100, 160, 120]], np.float32)


@pytest.mark.parametrize("experts", [1, 6])
def test_every_box_gets_its_keypoints_in_any_batch(tmp_path, experts):
    folder = save_vitpose(tmp_path, seen=True, experts=experts)
    finder = VitPoseKeypoints(folder, batch_size=2)
    # places are compared by the median: refinement on random heat maps may throw single points far
    assert isinstance(finder, KeypointFinder)
    found = finder(IMAGE, BOXES)
    assert found.shape == (3, 17, 3) and found.dtype == np.float32
    assert np.allclose(found[..., 2], 0.9, atol=0.1)
    together = VitPoseKeypoints(folder)(IMAGE, BOXES)
    assert np.allclose(found[..., 2], together[..., 2], atol=1e-4)
    assert np.median(np.abs(found - together)) < 0.01
    assert finder(IMAGE, BOXES[:0]).shape == (0, 17, 3)
    # keypoints go where the person goes
    box, move = np.array([[50, 40, 80, 80]], np.float32), np.array([16, 12], np.float32)
    moved = finder(np.roll(IMAGE, (12, 16), (0, 1)), box + np.tile(move, 2))
    error = np.abs(moved[..., :2] - move - finder(IMAGE, box)[..., :2]).max(2)
    assert np.median(error) < 0.05


def test_not_a_model(tmp_path):
    with pytest.raises(MissingAsset, match="no such folder; keypoints names the folder of a ViTPose"):
        VitPoseKeypoints(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: not the folder of a ViTPose model"):
        VitPoseKeypoints(tmp_path / "empty")
    folder = save_vitpose(tmp_path / "cut")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(UserError, match="cut: not the folder"):
        VitPoseKeypoints(folder)
