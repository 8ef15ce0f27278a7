"""Published ViTPose weights as keypoint models: Hugging Face's ViTPose and ViTPose+, mmpose's checkpoints.

ViTPose+ has six experts, of which one answers for a dataset. An expert makes the last columns of each block's
second linear layer, so with the expert chosen the net *is* a plain ViT: it is folded into one here, exactly, and
runs at a plain ViTPose's cost instead of computing all six.

Files are read as they are; transformers need not be installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ajahr.errors import UserError
from ajahr.keypoints.config import VITS, Head, KeypointConfig
from ajahr.keypoints.model import KeypointModel
from ajahr.models.published import vitpose
from ajahr.models.published.files import read_state
from ajahr.models.published.mapping import Entry, Layout, count, linear_rows, module, rows

EXPERTS = ("coco", "aic", "mpii", "ap10k", "apt36k", "wholebody")
"""Datasets of ViTPose+'s experts, in order."""
_BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def import_keypoints(path: str | Path, *, expert: int = 0) -> KeypointModel:
    """A published model, in evaluation mode on the CPU.

    Args:
        path: a Hugging Face model folder (config.json, model.safetensors), or mmpose's .pth.
        expert: which of ViTPose+'s (`EXPERTS`); COCO's is the first.

    Raises:
        UserError: another kind of model, a size or number of points that is not ViTPose's, or tensors missing.
    """
    path = Path(path)
    if path.is_dir():
        return _from_hugging_face(path, expert)
    state = read_state(path)
    if not any(name.startswith("keypoint_head.") for name in state):
        raise UserError(
            f"{path}: no keypoint head in it; give mmpose's full ViTPose or a Hugging Face folder"
        )
    state = {n: v for n, v in state.items() if not n.startswith("associate_keypoint_heads.")}
    classic = any("deconv_layers" in name for name in state)
    head: Head = "classic" if classic else "simple"
    if classic:
        names = ("keypoint_head.deconv_layers.0", "keypoint_head.deconv_layers.1", "keypoint_head.deconv_layers.3",
                 "keypoint_head.deconv_layers.4")  # fmt: skip
    else:
        names = ()
    entries = [
        *vitpose.entries(count(state, "backbone.blocks."), "backbone.", "backbone."),
        *_head_entries(head, names, "keypoint_head.final_layer"),
    ]
    width = state["backbone.blocks.0.mlp.fc1.weight"].shape[1]
    return _assemble(path, state, entries, width, head, len(state["keypoint_head.final_layer.bias"]))


def _from_hugging_face(path: Path, expert: int) -> KeypointModel:
    try:
        config: dict[str, Any] = json.loads((path / "config.json").read_text())
        state = load_file(path / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(
            f"{path}: no ViTPose model (config.json and model.safetensors; {type(error).__name__}); give such a folder"
        ) from None
    if config.get("model_type") != "vitpose":
        raise UserError(f"{path}: a model of type {config.get('model_type')}; give one of type vitpose")
    state = {name.replace(".experts.experts.", ".experts."): value for name, value in state.items()}
    depth = count(state, "backbone.encoder.layer.")
    experts = sum(name.startswith("backbone.encoder.layer.0.mlp.experts.") for name in state) // 2
    if experts and not 0 <= expert < experts:
        raise UserError(f"{path}: has {experts} experts; give expert 0..{experts - 1}")
    classic = "head.deconv1.weight" in state
    head: Head = "classic" if classic else "simple"
    names = ("head.deconv1", "head.batchnorm1", "head.deconv2", "head.batchnorm2") if classic else ()
    entries = [
        *_hf_encoder(state, depth, expert if experts else None),
        *_head_entries(head, names, "head.conv"),
    ]
    unused = tuple(
        f"backbone.encoder.layer.{i}.mlp.experts.{k}."
        for i in range(depth)
        for k in range(experts)
        if k != expert
    )
    width = state["backbone.layernorm.weight"].shape[0]
    return _assemble(path, state, entries, width, head, len(state["head.conv.bias"]), unused)


def _hf_encoder(state: dict[str, Tensor], depth: int, expert: int | None) -> list[Entry]:
    ours, theirs = "backbone.", "backbone."
    found = [
        *module(f"{ours}patch_embed.proj", f"{theirs}embeddings.patch_embeddings.projection"),
        # the class slot is added to every patch, as in ViTPose's own files
        Entry(
            f"{ours}pos_embed", (f"{theirs}embeddings.position_embeddings",), vitpose._fold, vitpose._unfold
        ),
        *module(f"{ours}norm", f"{theirs}layernorm"),
    ]
    for i in range(depth):
        mine, his = f"{ours}blocks.{i}", f"{theirs}encoder.layer.{i}"
        width = state[f"{his}.attention.attention.query.bias"].shape[0]
        parts = [f"{his}.attention.attention.{name}" for name in ("query", "key", "value")]
        found += [
            *module(f"{mine}.norm1", f"{his}.layernorm_before"),
            *linear_rows(f"{mine}.attn.qkv", parts, [width] * 3),
            *module(f"{mine}.attn.proj", f"{his}.attention.output.dense"),
            *module(f"{mine}.norm2", f"{his}.layernorm_after"),
            *module(f"{mine}.mlp.fc1", f"{his}.mlp.fc1"),
        ]
        second = [f"{his}.mlp.fc2", *([] if expert is None else [f"{his}.mlp.experts.{expert}"])]
        sizes = [state[f"{name}.bias"].shape[0] for name in second]
        found += [
            rows(f"{mine}.mlp.fc2.{kind}", [f"{name}.{kind}" for name in second], sizes)
            for kind in ("weight", "bias")
        ]
    return found


def _head_entries(head: Head, names: tuple[str, ...], final: str) -> list[Entry]:
    """Ours is a sequence: 0 and 3 the transposed convolutions, 1 and 4 their norms, the last the convolution."""
    if head == "simple":
        return module("head.2", final)
    first, first_norm, second, second_norm = names
    return [
        *module("head.0", first, ["weight"]),
        *module("head.1", first_norm, _BN),
        *module("head.3", second, ["weight"]),
        *module("head.4", second_norm, _BN),
        *module("head.6", final),
    ]


def _assemble(
    path: Path,
    state: dict[str, Tensor],
    entries: list[Entry],
    width: int,
    head: Head,
    points: int,
    unused: tuple[str, ...] = (),
) -> KeypointModel:
    depth = sum(entry.ours.endswith(".norm1.weight") for entry in entries)
    backbone = next((name for name, size in VITS.items() if size[:2] == (width, depth)), None)
    if backbone is None:
        sizes = ", ".join(f"{w} x {d}" for w, d, *_ in VITS.values())
        raise UserError(f"{path}: a ViT of width {width} and {depth} blocks; ViTPose's are {sizes}")
    if points not in (17, 25):
        raise UserError(f"{path}: {points} keypoints; expected COCO's 17 or LDPose's 25")
    with torch.device("meta"):
        model = KeypointModel(KeypointConfig(backbone, head, points))
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    converted = Layout(entries, ignored=unused).to_ours(state, shapes, str(path))
    model.load_state_dict(converted, strict=True, assign=True)
    return model.eval()
