import numpy as np
import pytest
from tiny_models import save_vitpose

from ajahr.errors import MissingAsset, UserError
from synth.photos.backends.pose_check import VitPoseCheck
from synth.photos.detect import PersonCheck

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
BOXES = np.array([[10, 5, 60, 110], [80, 20, 120, 119.5], [150, 100, 160, 120]], np.float32)


@pytest.mark.parametrize(
    "options", [{}, {"experts": 6}, {"simple": False}], ids=["simple", "experts", "classic"]
)
def test_somebody_in_every_place_or_nobody(tmp_path, options):
    sees = VitPoseCheck(save_vitpose(tmp_path / "sees", seen=True, **options))
    blind = VitPoseCheck(save_vitpose(tmp_path / "blind", **options))
    assert isinstance(sees, PersonCheck)
    assert (sees(IMAGE, BOXES), blind(IMAGE, BOXES)) == (3, 0)
    scores = sees.scores(IMAGE, BOXES)
    assert scores.shape == (3, 17) and np.allclose(scores, 0.9, atol=0.1)


def test_more_places_than_a_batch_and_none(tmp_path):
    check = VitPoseCheck(save_vitpose(tmp_path, seen=True))
    assert check(IMAGE, np.repeat(BOXES, 7, axis=0)) == 21
    assert check(IMAGE, np.zeros((0, 4), np.float32)) == 0


def test_thresholds(tmp_path):
    folder = save_vitpose(tmp_path, seen=True)
    assert VitPoseCheck(folder, confidence=0.99)(IMAGE, BOXES) == 0
    assert VitPoseCheck(folder, keypoints=17)(IMAGE, BOXES) == 3
    assert VitPoseCheck(folder, keypoints=18)(IMAGE, BOXES) == 0


def test_not_a_model(tmp_path):
    with pytest.raises(MissingAsset, match=r"checker_weights is not set; it names the folder of a ViTPose"):
        VitPoseCheck(None)
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingAsset, match="no such folder"):
        VitPoseCheck(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: not the folder of a ViTPose model"):
        VitPoseCheck(tmp_path / "empty")
    folder = save_vitpose(tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut: not the folder"):
        VitPoseCheck(folder)


def test_weights_that_do_not_fill_the_model(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save_vitpose(tmp_path)
    state = load_file(folder / "model.safetensors")
    del state["head.conv.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="1 weights are missing"):
        VitPoseCheck(folder)
