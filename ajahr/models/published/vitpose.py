"""ViTPose's encoder, which HMR2.0, TokenHMR and AJAHR share (facts 5.2 and 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ajahr.models.backbone import Backbone
from ajahr.models.config import BackboneConfig
from ajahr.models.published.files import read_state, write_checkpoint
from ajahr.models.published.mapping import Entry, Layout, count, module

_HEADS = {1280: 16, 1024: 16, 768: 12, 384: 12}
"""Attention heads of ViTPose-H, -L, -B and -S: no tensor's shape tells them."""
IGNORED = ("keypoint_head.", "associate_keypoint_heads.")


def config_of(state: Mapping[str, Tensor], prefix: str = "") -> BackboneConfig:
    """Sizes of the encoder in a state dict.

    Raises:
        UserError: no encoder below the prefix.
    """
    depth = count(state, f"{prefix}blocks.")
    hidden, width = state[f"{prefix}blocks.0.mlp.fc1.weight"].shape
    drop_path = {1280: 0.55, 1024: 0.5, 768: 0.3}.get(width, 0.1)
    return BackboneConfig(width, depth, _HEADS.get(width, width // 64), hidden / width, drop_path)


def entries(depth: int, ours: str = "vit.", theirs: str = "") -> list[Entry]:
    """The encoder's, for a state dict of `Backbone`."""
    found = [
        *module(f"{ours}patch_embed.proj", f"{theirs}patch_embed.proj"),
        Entry(f"{ours}pos_embed", (f"{theirs}pos_embed",), _fold, _unfold),
        *module(f"{ours}norm", f"{theirs}last_norm"),
    ]
    for i in range(depth):
        for name in ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"):
            found += module(f"{ours}blocks.{i}.{name}", f"{theirs}blocks.{i}.{name}")
    return found


def _fold(parts: list[Tensor]) -> Tensor:
    """ViTPose adds the slot of a class token it does not have to every patch's position."""
    return parts[0][:, 1:] + parts[0][:, :1]


def _unfold(positions: Tensor) -> list[Tensor]:
    return [torch.cat((torch.zeros_like(positions[:, :1]), positions), 1)]


def import_backbone(path: str | Path, config: BackboneConfig | None = None) -> Backbone:
    """The encoder of ``vitpose_backbone.pth``, of mmpose's full ViTPose, or of an HMR2.0 checkpoint.

    Raises:
        UserError: missing, unexpected or misshapen tensors. InputError: unreadable file.
    """
    state = read_state(path)
    prefix = "backbone." if any(name.startswith("backbone.") for name in state) else ""
    if prefix:  # what stands beside it belongs to another net
        state = {name: value for name, value in state.items() if name.startswith(prefix)}
    config = config or config_of(state, prefix)
    with torch.device("meta"):
        backbone = Backbone(config)
    shapes = {name: value.shape for name, value in backbone.state_dict().items()}
    layout = Layout(entries(config.depth, theirs=prefix), ignored=IGNORED)
    backbone.load_state_dict(layout.to_ours(state, shapes, str(path)), strict=True, assign=True)
    return backbone.eval()


def export_backbone(backbone: Backbone, path: str | Path) -> None:
    """Write a ``vitpose_backbone.pth``: folded positions in slots 1.. and zeros in the class slot."""
    layout = Layout(entries(len(backbone.vit.blocks)))
    write_checkpoint({"state_dict": layout.to_theirs(backbone.state_dict())}, path)
