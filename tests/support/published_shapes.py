"""Names and shapes of published checkpoints, written out from the fact sheet (sections 4.7 and 7), and random ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    """Of a checkpoint; the paper's by default."""

    width: int = 1280
    depth: int = 32
    decoder: int = 1024
    layers: int = 6
    inner: int = 512
    tokens: int = 320
    codes: int = 2048
    code_dim: int = 256
    tokenizer_width: int = 512
    stages: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (3, 4, 6, 3)


SMALL = Sizes(64, 2, 48, 2, 128, 20, 32, 8, 16, (16, 16, 32, 32), (1, 2, 1, 1))


def shapes_of(kind: str, s: Sizes) -> Shapes:
    found = dict(_backbone(s)) | dict(_head(kind, s))
    return found | (dict(_classifier(s)) if kind == "ajahr" else {})


def _layer(name: str, out: int, *ins: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (out, *ins)
    yield f"{name}.bias", (out,)


def _backbone(s: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    w = s.width
    yield "backbone.pos_embed", (1, 193, w)
    yield from _layer("backbone.patch_embed.proj", w, 3, 16, 16)
    for i in range(s.depth):
        block = f"backbone.blocks.{i}."
        for name in ("norm1", "norm2"):
            yield from _layer(block + name, w)
        yield from _layer(f"{block}attn.qkv", 3 * w, w)
        yield from _layer(f"{block}attn.proj", w, w)
        yield from _layer(f"{block}mlp.fc1", 4 * w, w)
        yield from _layer(f"{block}mlp.fc2", w, 4 * w)
    yield from _layer("backbone.last_norm", w)


def _head(kind: str, s: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    d, inner = s.decoder, s.inner
    yield "smpl_head.init_body_pose", (1, 144)
    yield "smpl_head.init_betas", (1, 10)
    yield "smpl_head.init_cam", (1, 3)
    base = "smpl_head.transformer."
    yield f"{base}pos_embedding", (1, 1, d)
    yield from _layer(f"{base}to_token_embedding", d, 1)
    for i in range(s.layers):
        layer = f"{base}transformer.layers.{i}."
        for part in "012":
            yield from _layer(f"{layer}{part}.norm", d)
        yield f"{layer}0.fn.to_qkv.weight", (3 * inner, d)
        yield from _layer(f"{layer}0.fn.to_out.0", d, inner)
        yield f"{layer}1.fn.to_kv.weight", (2 * inner, s.width)
        yield f"{layer}1.fn.to_q.weight", (inner, d)
        yield from _layer(f"{layer}1.fn.to_out.0", d, inner)
        yield from _layer(f"{layer}2.fn.net.0", 1024 if d == 1024 else 40, d)
        yield from _layer(f"{layer}2.fn.net.3", d, 1024 if d == 1024 else 40)
    yield from _layer("smpl_head.decshape", 10, d)
    yield from _layer("smpl_head.deccam", 3, d)
    if kind == "hmr2":
        yield from _layer("smpl_head.decpose", 144, d)
        return
    yield from _layer("smpl_head.decpose_grot", 6, d)
    yield from _layer("smpl_head.decpose_hands", 12, d)
    base, n = "smpl_head.decpose.", s.tokens
    yield from _layer(f"{base}mixer_trans.ff.0", 64 * n, d)
    yield from _layer(f"{base}mixer_trans.ff.1", 64 * n)
    for i in range(4):
        mixer = f"{base}mixer_head.{i}."
        for name in ("layernorm1", "layernorm2"):
            yield from _layer(mixer + name, 64)
        yield from _layer(f"{mixer}MLP_token.ff.0", 64, n)
        yield from _layer(f"{mixer}MLP_token.ff.3", n, 64)
        yield from _layer(f"{mixer}MLP_channel.ff.0", 256, 64)
        yield from _layer(f"{mixer}MLP_channel.ff.3", 64, 256)
    yield from _layer(f"{base}mixer_norm_layer.ff.0", 64, 64)
    yield from _layer(f"{base}mixer_norm_layer.ff.1", 64)
    yield from _layer(f"{base}class_pred_layer", s.codes, 64)
    if kind != "ajahr":
        return
    yield f"{base}zero_tensor", (4,)
    for name in ("amp", "normal"):
        yield from _codes(f"{base}tokenizer_{name}.", s)


def _codes(prefix: str, s: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    w, dec = s.tokenizer_width, f"{prefix}decoder.decoder."
    yield f"{prefix}quantizer.codebook", (s.codes, s.code_dim)
    yield from _layer(f"{dec}0", w, s.code_dim, 3)
    for i in (3, 6, 9, 12):
        yield from _layer(f"{dec}{i}", w, w, 3)
    for unit in (0, 1):
        yield from _layer(f"{dec}14.0.model.{unit}.conv1", w, w, 3)
        yield from _layer(f"{dec}14.0.model.{unit}.conv2", w, w, 1)
    yield from _layer(f"{dec}14.1", w, w, 3)
    yield from _layer(f"{dec}15", 6, w, 3)


def _classifier(s: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    base = "classifier.resnet."

    def bn(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{base}{name}.{part}", (width,)
        yield f"{base}{name}.num_batches_tracked", ()

    yield "classifier.heatmap_generator.x_grid", (1, 256)
    yield "classifier.heatmap_generator.y_grid", (256, 1)
    yield f"{base}conv1.weight", (s.stages[0], 15, 7, 7)
    yield from bn("bn1", s.stages[0])
    before = s.stages[0]
    for stage, (width, blocks) in enumerate(zip(s.stages, s.blocks, strict=True), 1):
        for i in range(blocks):
            block = f"layer{stage}.{i}."
            yield f"{base}{block}conv1.weight", (width, before, 3, 3)
            yield f"{base}{block}conv2.weight", (width, width, 3, 3)
            yield from bn(f"{block}bn1", width)
            yield from bn(f"{block}bn2", width)
            yield f"{base}{block}cbam.ca.fc1.weight", (width // 16, width, 1, 1)
            yield f"{base}{block}cbam.ca.fc2.weight", (width, width // 16, 1, 1)
            yield f"{base}{block}cbam.sa.conv1.weight", (1, 2, 7, 7)
            if i == 0 and stage > 1:
                yield f"{base}{block}downsample.0.weight", (width, before, 1, 1)
                yield from bn(f"{block}downsample.1", width)
            before = width
    for i in range(1, 5):
        yield from _layer(f"classifier.head{i}", 4, before)
    yield from _layer("classifier.projection", s.width, before)


def random_state(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator)
        if name.endswith("num_batches_tracked") or name.endswith("zero_tensor"):
            value = torch.zeros(shape, dtype=torch.long)
        elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            value = 1 + 0.2 * value.abs()
        elif len(shape) > 1 and not name.endswith(("codebook", "init_body_pose")):
            value = value / (value[0].numel() ** 0.5 + 1e-6)
        else:
            value = value * 0.5 if "init" not in name else value
        state[name] = value
    return state
