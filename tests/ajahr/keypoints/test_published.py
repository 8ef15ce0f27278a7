"""ViTPose of transformers and mmpose, with random weights, becomes the same function."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.model import KeypointModel
from ajahr.keypoints.published import import_keypoints


def image() -> torch.Tensor:
    return torch.randn(2, 3, 256, 192, generator=torch.Generator().manual_seed(0))


def hugging_face(simple: bool, experts: int, *, hidden: int = 192, labels: int = 17):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        hidden_size=hidden, num_hidden_layers=4, num_attention_heads=3, num_experts=experts, part_features=48,
        out_indices=[4], image_size=(256, 192), initializer_range=0.1,
    )  # fmt: skip
    config = transformers.VitPoseConfig(
        backbone_config=backbone, use_simple_decoder=simple, num_labels=labels
    )
    model = transformers.VitPoseForPoseEstimation(config).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return model


@pytest.mark.parametrize(("simple", "experts", "expert"), [(True, 1, 0), (True, 6, 4), (False, 6, 0)])
def test_hugging_face_s_heat_maps(tmp_path: Path, simple: bool, experts: int, expert: int) -> None:
    theirs = hugging_face(simple, experts)
    theirs.save_pretrained(tmp_path)
    ours = import_keypoints(tmp_path, expert=expert)
    assert (
        ours.config == KeypointConfig("vit_tiny", "simple" if simple else "classic", 17) and not ours.training
    )
    index = torch.full((2,), expert) if experts > 1 else None
    with torch.no_grad():
        expected, found = theirs(image(), dataset_index=index).heatmaps, ours(image()).heatmaps
    assert found is not None and expected.std() > 1e-3
    assert torch.allclose(found, expected, atol=2e-5 * float(expected.abs().max()) + 1e-6)


def test_the_expert_matters(tmp_path: Path) -> None:
    hugging_face(True, 6).save_pretrained(tmp_path)
    with torch.no_grad():
        first, second = (import_keypoints(tmp_path, expert=k)(image()).heatmaps for k in (0, 1))
    assert first is not None and second is not None and not torch.allclose(first, second, atol=1e-3)
    with pytest.raises(UserError, match=r"give expert 0\.\.5"):
        import_keypoints(tmp_path, expert=6)


@pytest.mark.parametrize("head", ["classic", "simple"])
def test_mmpose_s_names(tmp_path: Path, head) -> None:
    torch.manual_seed(1)
    model = KeypointModel(KeypointConfig("vit_tiny", head, 17)).eval()
    state = {}
    for name, value in model.state_dict().items():
        if name == "backbone.pos_embed":
            value = torch.cat([torch.zeros_like(value[:, :1]), value], 1)
        name = name.replace("backbone.norm.", "backbone.last_norm.")
        if name.startswith("head."):
            _, place, rest = name.split(".", 2)
            last = "6" if head == "classic" else "2"
            part = "final_layer" if place == last else f"deconv_layers.{place}"
            name = f"keypoint_head.{part}.{rest}"
        state[name] = value
    torch.save({"state_dict": state}, tmp_path / "vitpose.pth")
    found = import_keypoints(tmp_path / "vitpose.pth")
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no ViTPose model"):
        import_keypoints(tmp_path)
    hugging_face(True, 1, labels=18).save_pretrained(tmp_path / "a")
    with pytest.raises(UserError, match="18 keypoints"):
        import_keypoints(tmp_path / "a")
    hugging_face(True, 1, hidden=96).save_pretrained(tmp_path / "b")
    with pytest.raises(UserError, match="a ViT of width 96 and 4 blocks"):
        import_keypoints(tmp_path / "b")
    config = json.loads((tmp_path / "b/config.json").read_text())
    (tmp_path / "b/config.json").write_text(json.dumps({**config, "model_type": "vit"}))
    with pytest.raises(UserError, match="of type vit"):
        import_keypoints(tmp_path / "b")
    torch.save({"state_dict": {"backbone.cls": torch.zeros(1)}}, tmp_path / "c.pth")
    with pytest.raises(UserError, match="no keypoint head"):
        import_keypoints(tmp_path / "c.pth")
