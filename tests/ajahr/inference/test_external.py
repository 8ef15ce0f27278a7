import pytest
import torch

from ajahr.errors import MissingAsset, UserError
from ajahr.inference.external import WeightsFile, load_state, pick_device, require

FILE = WeightsFile("people", "a checkpoint", "example.org")
FOLDER = WeightsFile("keypoints", "a folder", "example.org", folder=True)


def test_weights_are_found_or_named(tmp_path):
    (tmp_path / "a.pt").touch()
    assert FILE.find(tmp_path / "a.pt") == tmp_path / "a.pt" and FOLDER.find(tmp_path) == tmp_path
    with pytest.raises(MissingAsset, match=r"people is not set; it names a checkpoint, from example\.org"):
        FILE.find(None)
    with pytest.raises(MissingAsset, match="no such file"):
        FILE.find(tmp_path)
    with pytest.raises(MissingAsset, match="no such folder"):
        FOLDER.find(tmp_path / "a.pt")


def test_a_package_that_is_not_installed():
    with pytest.raises(MissingAsset, match="the detector needs the package nosuchpackage"):
        require("nosuchpackage.part", "the detector")


def test_only_named_tensors_are_loaded(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "good.pt")
    assert load_state(FILE, tmp_path / "good.pt")["a"].tolist() == [1, 1]
    torch.save({"a": print}, tmp_path / "code.pt")
    torch.save([torch.ones(2)], tmp_path / "list.pt")
    for name in ("code.pt", "list.pt"):
        with pytest.raises(UserError, match=f"{name}: not a checkpoint"):
            load_state(FILE, tmp_path / name)


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == "cpu"
    with pytest.raises(UserError, match=r"run\.device is cuda but torch sees no GPU"):
        pick_device("cuda", "run.device")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == pick_device(None) == "cuda" and pick_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == "cuda:1"
    with pytest.raises(UserError, match="device is cuda:2 but torch sees 2 of them"):
        pick_device("cuda:2")
    for name in ("tpu", "cuda:x", "cuda1", "cpu:0"):
        with pytest.raises(UserError, match=f"device is '{name}'; give auto, cpu, cuda or cuda:1"):
            pick_device(name)
