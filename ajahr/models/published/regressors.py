"""HMR2.0's, TokenHMR's and AJAHR's checkpoints (facts 7.1 to 7.5): one layout with parts that differ.

    regressor = import_regressor("ajahr", "ajahr_ckeckpoint.ckpt")
    export_regressor(regressor, "out.ckpt")

Settings go with the kind: HMR2.0 reads six numbers as columns; none of them attends to BPAC-Net's token; AJAHR's
demo draws keypoints in whole-image pixels. Heads are reordered from the released right arm, left arm, left leg,
right leg and classes from "intact last" (facts 2.4). The means come from the checkpoint, TokenHMR's transposed
start included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.errors import UserError
from ajahr.models.config import PoseHead, RegressorConfig
from ajahr.models.published import bpac, vitpose
from ajahr.models.published.files import read_state, write_checkpoint
from ajahr.models.published.mapping import Entry, Layout, linear_rows, module, permuted, reshaped, same
from ajahr.models.published.sizes import TOKENIZERS, config_of
from ajahr.models.regressor import Regressor
from tokenizer.upstream import decoder_names, import_published
from tokenizer.vqvae import PoseTokenizer

BODY = "SMPL"
"""What all of them were trained with, as `ajahr.models.pretrained.body_kind` has it."""
_IGNORED = ("smpl.", "discriminator.", "initialized")


def import_regressor(
    kind: PoseHead,
    path: str | Path,
    body: Body | None = None,
    *,
    tokenizer: str | Path | None = None,
    tokens: Mapping[str, int] | None = None,
    legacy_demo: bool = True,
) -> Regressor:
    """A published checkpoint as a `Regressor`, in evaluation mode.

    Args:
        body: Of SMPL's kind, for which the weights were trained. None: the embedded one, enough to convert.
        tokenizer: TokenHMR's ``tokenizer.pth``, whose decoder its checkpoint lacks.
        tokens: Of AJAHR's two tokenizers (``amputee``, ``intact``), where their decoders were made for other
            numbers than the token head's: no tensor's shape tells.
        legacy_demo: AJAHR's keypoints as the released demo draws them.

    Raises:
        UserError: missing, unexpected or misshapen tensors; no tokenizer. InputError: unreadable file.
    """
    state = read_state(path)
    single: PoseTokenizer | None = None
    if kind == "tokenhmr":
        if tokenizer is None:
            raise UserError(f"{path}: TokenHMR's checkpoint holds no tokenizer; give its tokenizer.pth too")
        single = import_published(tokenizer)
    config = config_of(kind, state, tokens or {}, str(path))
    if single is not None:
        config = replace(config, tokenizers={"single": single.config})
        own = config.tokenizer_config("single").num_tokens
        if config.tokens != own:
            raise UserError(
                f"{path}: made for {config.tokens} tokens, {tokenizer} has {own}; give its own tokenizer"
            )
    if config.bpac is not None:
        config = replace(config, bpac=replace(config.bpac, legacy_demo=legacy_demo))
    return from_published(config, state, body or Body(load_body()), single, what=str(path))


def from_published(
    config: RegressorConfig,
    state: Mapping[str, Tensor],
    body: Body,
    tokenizer: PoseTokenizer | None = None,
    *,
    what: str = "the checkpoint",
) -> Regressor:
    """A regressor of ``config`` with the tensors of a published state dict; ``tokenizer`` for TokenHMR's."""
    regressor = Regressor(config, body, None if tokenizer is None else {"single": tokenizer}, empty=True)
    own = regressor.state_dict()
    layout = published_layout(config)
    shapes = {name: value.shape for name, value in own.items()}
    converted = layout.to_ours(state, shapes, what)
    kept = {name: own[name] for name in layout.only_ours}
    if "bpac.temperature" in kept:
        kept["bpac.temperature"] = torch.ones(own["bpac.temperature"].shape)
    regressor.load_state_dict({**kept, **converted}, strict=True, assign=True)
    return regressor.eval()


def to_published(regressor: Regressor) -> dict[str, Tensor]:
    """The state dict under the names of the kind of checkpoint that the pose head belongs to.

    Raises:
        UserError: a regressor that no published code can run.
    """
    config = regressor.config
    expected = "column" if config.pose_head == "hmr2" else "row"
    if config.rot6d != expected or (config.tokenizer_names and not config.token_residual):
        raise UserError(
            f"'{config.name}' adds or reads rotations otherwise than {config.pose_head}'s code does; only weights "
            f"trained with rot6d {expected} and token_residual can be exported"
        )
    if config.betas_limit is not None:
        raise UserError(
            f"'{config.name}' was trained with betas_limit {config.betas_limit}, which no published code has; only "
            "weights without it can be exported"
        )
    return published_layout(config).to_theirs(regressor.state_dict())


def export_regressor(regressor: Regressor, path: str | Path) -> None:
    """Write a ``.ckpt`` as Lightning's. The body's buffers (``smpl.``) are left out: they are licensed."""
    checkpoint = {
        "state_dict": to_published(regressor),
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": "2.1.3",
    }
    write_checkpoint(checkpoint, path)


# -------------------------------------------------------------------------------------------- layout


def published_layout(config: RegressorConfig) -> Layout:
    """Which tensor is which, for all three kinds."""
    found = [
        *vitpose.entries(config.backbone.depth, "backbone.vit.", "backbone."),
        *_means(),
        *_decoder(config),
        *_readout(config),
    ]
    only_ours: list[str] = []
    constants: dict[str, Tensor] = {}
    if config.tokenizer_names:
        found += _token_head(config)
    for name in config.tokenizer_names:
        own = list(_tokenizer(config, name, TOKENIZERS.get(name, "")))
        if name in TOKENIZERS:
            found += own
        else:  # TokenHMR's checkpoints have no tokenizer inside
            only_ours += [entry.ours for entry in own]
    if config.pose_head == "ajahr":
        constants["smpl_head.decpose.zero_tensor"] = torch.zeros(4, dtype=torch.long)
    if config.bpac is not None:
        found += bpac.entries(config.bpac, config.backbone.width)
        constants |= bpac.constants(config.bpac)
        only_ours.append("bpac.temperature")
    return Layout(found, tuple(only_ours), _IGNORED, constants)


def _means() -> list[Entry]:
    return [
        reshaped("mean_pose", "smpl_head.init_body_pose", (24, 6), (1, 144)),
        reshaped("mean_betas", "smpl_head.init_betas", (10,), (1, 10)),
        reshaped("mean_camera", "smpl_head.init_cam", (3,), (1, 3)),
    ]


def _decoder(config: RegressorConfig) -> list[Entry]:
    width, base = config.decoder.width, "smpl_head.transformer."
    embedding = f"{base}to_token_embedding"

    def split(query: Tensor) -> list[Tensor]:
        zeros = torch.zeros_like(query)
        return [query.view(1, 1, width), zeros, zeros[:, None]]

    found = [
        # the query is Linear(0) + position: the linear layer's weight has no effect
        Entry(
            "decoder.query",
            (f"{base}pos_embedding", f"{embedding}.bias", f"{embedding}.weight"),
            lambda parts: parts[0].reshape(-1) + parts[1],
            split,
        )
    ]
    for i in range(config.decoder.depth):
        ours, theirs = f"decoder.layers.{i}.", f"{base}transformer.layers.{i}."
        found += [
            *module(f"{ours}self_norm", f"{theirs}0.norm"),
            same(f"{ours}self_attention.qkv.weight", f"{theirs}0.fn.to_qkv.weight"),
            *module(f"{ours}self_attention.out", f"{theirs}0.fn.to_out.0"),
            *module(f"{ours}cross_norm", f"{theirs}1.norm"),
            same(f"{ours}cross_attention.kv.weight", f"{theirs}1.fn.to_kv.weight"),
            same(f"{ours}cross_attention.q.weight", f"{theirs}1.fn.to_q.weight"),
            *module(f"{ours}cross_attention.out", f"{theirs}1.fn.to_out.0"),
            *module(f"{ours}mlp_norm", f"{theirs}2.norm"),
            *module(f"{ours}mlp.0", f"{theirs}2.fn.net.0"),
            *module(f"{ours}mlp.2", f"{theirs}2.fn.net.3"),
        ]
    return found


def _readout(config: RegressorConfig) -> list[Entry]:
    if config.pose_head == "hmr2":
        names, sizes = ("decpose", "decshape", "deccam"), (144, 10, 3)
    else:
        names, sizes = ("decpose_grot", "decpose_hands", "decshape", "deccam"), (6, 12, 10, 3)
    return linear_rows("readout.linear", [f"smpl_head.{name}" for name in names], sizes)


def _token_head(config: RegressorConfig) -> list[Entry]:
    ours, theirs = "token_head.", "smpl_head.decpose."
    found = [
        *module(f"{ours}spread.linear", f"{theirs}mixer_trans.ff.0"),
        *module(f"{ours}spread.norm", f"{theirs}mixer_trans.ff.1"),
        *module(f"{ours}gather.linear", f"{theirs}mixer_norm_layer.ff.0"),
        *module(f"{ours}gather.norm", f"{theirs}mixer_norm_layer.ff.1"),
        *module(f"{ours}classes", f"{theirs}class_pred_layer"),
    ]
    pairs = {
        "token_norm": "layernorm1", "channel_norm": "layernorm2", "token_in": "MLP_token.ff.0",
        "token_out": "MLP_token.ff.3", "channel_in": "MLP_channel.ff.0", "channel_out": "MLP_channel.ff.3",
    }  # fmt: skip
    for i in range(config.token_head.mixers):
        for own, published in pairs.items():
            found += module(f"{ours}mixers.{i}.{own}", f"{theirs}mixer_head.{i}.{published}")
    return found


def _tokenizer(config: RegressorConfig, name: str, published: str) -> list[Entry]:
    ours, theirs = f"switch.decoders.{name}.", f"smpl_head.decpose.{published}."
    found = [same(f"{ours}codebook", f"{theirs}quantizer.codebook")]
    for own, upstream in decoder_names(config.tokenizer_config(name)):
        layer, target = f"{ours}decoder.{own}", f"{theirs}decoder.{upstream}"
        found.append(permuted(f"{layer}.weight", f"{target}.weight", (1, 2, 0)))
        found.append(same(f"{layer}.bias", f"{target}.bias"))
    return found
