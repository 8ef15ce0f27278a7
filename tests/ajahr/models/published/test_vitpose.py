from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ajahr.errors import UserError
from ajahr.models.backbone import Backbone
from ajahr.models.config import BackboneConfig
from ajahr.models.published.vitpose import export_backbone, import_backbone

CONFIG = BackboneConfig(64, 2, 2, drop_path=0.0)


def state(prefix: str = "") -> dict[str, Tensor]:
    """Published names (facts 7.2), random."""
    torch.manual_seed(0)
    shapes = {
        "pos_embed": (1, 193, 64),
        "patch_embed.proj.weight": (64, 3, 16, 16),
        "patch_embed.proj.bias": (64,),
    }
    for i in range(2):
        for name, shape in {
            "norm1.weight": (64,), "norm1.bias": (64,), "norm2.weight": (64,), "norm2.bias": (64,),
            "attn.qkv.weight": (192, 64), "attn.qkv.bias": (192,), "attn.proj.weight": (64, 64),
            "attn.proj.bias": (64,), "mlp.fc1.weight": (256, 64), "mlp.fc1.bias": (256,),
            "mlp.fc2.weight": (64, 256), "mlp.fc2.bias": (64,),
        }.items():  # fmt: skip
            shapes[f"blocks.{i}.{name}"] = shape
    shapes |= {"last_norm.weight": (64,), "last_norm.bias": (64,)}
    return {prefix + name: torch.randn(shape) * 0.1 for name, shape in shapes.items()}


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_every_form_of_the_file(tmp_path: Path, prefix: str, wrapped: bool) -> None:
    published = state(prefix)
    if prefix:  # mmpose's whole ViTPose, or a regressor's checkpoint
        published |= {
            "keypoint_head.final_layer.bias": torch.zeros(17),
            "smpl_head.init_cam": torch.zeros(1, 3),
        }
    torch.save(
        {"state_dict": published, "meta": {"epoch": 210}} if wrapped else published, tmp_path / "v.pth"
    )
    backbone = import_backbone(tmp_path / "v.pth", CONFIG)
    positions = published[f"{prefix}pos_embed"]
    torch.testing.assert_close(backbone.vit.pos_embed.data, positions[:, 1:] + positions[:, :1])
    assert torch.equal(backbone.vit.norm.bias, published[f"{prefix}last_norm.bias"])


def test_export_then_import(tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = Backbone(CONFIG).eval()
    export_backbone(backbone, tmp_path / "v.pth")
    table = torch.load(tmp_path / "v.pth", weights_only=True)["state_dict"]["pos_embed"]
    assert table.shape == (1, 193, 64) and not table[:, 0].any()
    image = torch.randn(1, 3, 256, 256)
    assert torch.equal(import_backbone(tmp_path / "v.pth", CONFIG)(image), backbone(image))


def test_sizes_come_from_the_file(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "v.pth")
    config = import_backbone(tmp_path / "v.pth").config
    assert (config.width, config.depth, config.mlp_ratio) == (64, 2, 4)


def test_files_that_are_no_vitpose(tmp_path: Path) -> None:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}}, tmp_path / "r.pth")
    with pytest.raises(UserError, match=r"no blocks\.\*; is it of another kind"):
        import_backbone(tmp_path / "r.pth")
    torch.save({"state_dict": {}}, tmp_path / "r.pth")
    with pytest.raises(UserError, match="holds no state dict"):
        import_backbone(tmp_path / "r.pth")
    published = state()
    del published["blocks.1.mlp.fc2.bias"]
    torch.save(published, tmp_path / "r.pth")
    with pytest.raises(UserError, match=r"1 tensors are missing \(blocks.1.mlp.fc2.bias\)"):
        import_backbone(tmp_path / "r.pth", CONFIG)
