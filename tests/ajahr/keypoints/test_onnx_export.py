"""ONNX files give PyTorch's numbers in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ajahr.anatomy import LDPOSE25
from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.model import KeypointModel
from ajahr.keypoints.onnx_export import OnnxKeypoints, check_onnx, export_onnx

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def lively(config: KeypointConfig) -> KeypointModel:
    """Random weights and statistics, so that a norm left in training mode would show."""
    torch.manual_seed(0)
    model = KeypointModel(config)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return model


@pytest.mark.parametrize(
    "config",
    [
        KeypointConfig("vit_tiny", "classic", presence="pool"),
        KeypointConfig("vit_tiny_stem", presence="pool"),
        KeypointConfig("shufflenet_v2_x0_5", "wide", presence="keypoint"),
    ],
    ids=lambda c: f"{c.backbone}-{c.head}",
)
def test_parity(tmp_path: Path, config: KeypointConfig) -> None:
    model = lively(config).train()
    path = export_onnx(model, tmp_path / "deep" / "model.onnx")
    assert model.training
    for batch in (1, 3):
        assert check_onnx(model, path, batch=batch) < 1e-4
    with torch.no_grad():
        next(model.head.parameters()).mul_(1.5)
    with pytest.raises(UserError, match="differs from PyTorch"):
        check_onnx(model, path)
    session = OnnxKeypoints(path, threads=1)
    assert session.keypoints == LDPOSE25.names and session.config == config.to_dict()
    found = session(np.zeros((2, 3, 256, 192), np.float32))
    if "presence" in found:
        assert (
            found["presence"].shape == (2, 25)
            and (found["presence"] >= 0).all()
            and (found["presence"] <= 1).all()
        )


def test_what_is_refused(tmp_path: Path) -> None:
    model = lively(KeypointConfig("shufflenet_v2_x0_5"))
    for opset in (11, 99):
        with pytest.raises(UserError, match=f"opset {opset} is not supported; give 18 to 23"):
            export_onnx(model, tmp_path / "model.onnx", opset=opset)
    with pytest.raises(UserError, match="no such file"):
        OnnxKeypoints(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match="cannot read it"):
        OnnxKeypoints(tmp_path / "model.onnx")
