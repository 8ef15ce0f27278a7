"""Weights that are not what they claim: every backend says so in one line with the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_models import save_lama, save_sam, save_vitpose, save_yolo

from ajahr.errors import UserError
from synth.config import BackgroundConfig
from synth.photos.backends.make import make_backends, weights_sha256

BACKENDS = {
    "yolo": {"detector": "yolo", "key": "detector_weights"},
    "sam": {"segmenter": "sam", "key": "segmenter_weights"},
    "lama": {"inpainter": "lama", "key": "inpainter_weights"},
    "vitpose": {"checker": "vitpose", "key": "checker_weights"},
    "yolo_pose": {"checker": "yolo_pose", "key": "checker_weights"},
    "keypoints": {"keypoints": "vitpose", "key": "keypoints_weights"},
    "keypoints_yolo": {"keypoints": "yolo_pose", "key": "keypoints_weights"},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    return {
        "yolo": save_yolo(folder / "yolo.pt", ["person"]),
        "yolo_pose": save_yolo(folder / "pose.pt", ["person"], "pose"),
        "sam": save_sam(folder / "sam.pth"),
        "lama": save_lama(folder / "lama.pt"),
        "vitpose": save_vitpose(folder / "vitpose"),
    }


def options(backend: str, path: Path) -> BackgroundConfig:
    changes = dict(BACKENDS[backend])
    return BackgroundConfig(**{changes.pop("key"): path, **changes})


def of(backend: str) -> str:
    return {"keypoints": "vitpose", "keypoints_yolo": "yolo_pose"}.get(backend, backend)


def spoilt(source: Path, target: Path, spoil) -> Path:
    """A copy of a file, or of a model folder, with its weights spoilt."""
    if source.is_dir():
        target.mkdir()
        for path in source.iterdir():
            data = path.read_bytes()
            (target / path.name).write_bytes(spoil(data) if path.suffix == ".safetensors" else data)
        return target
    target.write_bytes(spoil(source.read_bytes()))
    return target


def refused(backend: str, path: Path) -> str:
    with pytest.raises(UserError) as error:
        make_backends(options(backend, path))
    text = str(error.value)
    assert path.name in text and f"backgrounds.{BACKENDS[backend]['key']}" in text
    assert "\n" not in text and "Traceback" not in text
    return text


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_text_file(backend, weights, tmp_path):
    target = tmp_path / weights[of(backend)].name
    refused(backend, spoilt(weights[of(backend)], target, lambda data: b"<html>404: Not Found</html>\n"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_truncated_file(backend, weights, tmp_path):
    target = tmp_path / weights[of(backend)].name
    refused(backend, spoilt(weights[of(backend)], target, lambda data: data[: len(data) // 2]))


@pytest.mark.parametrize(
    ("backend", "other"),
    [
        ("yolo", "sam"), ("yolo", "lama"), ("sam", "yolo"), ("sam", "lama"), ("lama", "sam"), ("lama", "yolo"),
        ("yolo_pose", "yolo"), ("yolo_pose", "lama"), ("keypoints_yolo", "sam"), ("keypoints_yolo", "yolo"),
    ],
)  # fmt: skip
def test_another_models_weights(backend, other, weights):
    refused(backend, weights[other])


@pytest.mark.parametrize("backend", ["vitpose", "keypoints"])
def test_the_folder_of_another_model(backend, tmp_path):
    from transformers import ViTConfig, ViTModel

    ViTModel(
        ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    ).save_pretrained(tmp_path / "vit")
    assert "vit" in refused(backend, tmp_path / "vit")


def test_a_network_of_another_size_under_sams_names(tmp_path, weights):
    state = torch.load(weights["sam"], weights_only=True)
    state["image_encoder.neck.0.weight"] = torch.zeros(16, 16, 1, 1)
    torch.save(state, tmp_path / "sam.pth")
    refused("sam", tmp_path / "sam.pth")
    state["image_encoder.neck.0.weight"] = torch.zeros(())
    torch.save(state, tmp_path / "sam.pth")
    refused("sam", tmp_path / "sam.pth")


def test_weights_are_fingerprinted_by_key(weights):
    found = weights_sha256(options("keypoints", weights["vitpose"]))
    assert set(found) == {"backgrounds.keypoints_weights"}
