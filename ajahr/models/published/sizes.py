"""Sizes of a published checkpoint from its tensors' shapes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ajahr.errors import UserError
from ajahr.models.config import (
    BpacConfig,
    DecoderConfig,
    PoseHead,
    RegressorConfig,
    TokenHeadConfig,
)
from ajahr.models.published import vitpose
from ajahr.models.published.mapping import count
from tokenizer.config import TokenizerConfig

_HEAD_WIDTH = 64
TOKENIZERS = {"amputee": "tokenizer_amp", "intact": "tokenizer_normal"}
"""What AJAHR's checkpoints call its tokenizers."""


def config_of(
    kind: PoseHead, state: Mapping[str, Tensor], tokens: Mapping[str, int], what: str
) -> RegressorConfig:
    """The config of a checkpoint of this kind.

    Args:
        tokens: Token counts of the tokenizers' decoders, where they differ from the token head's.

    Raises:
        UserError: a checkpoint of another kind.
    """
    try:
        return RegressorConfig(
            name=kind,
            pose_head=kind,
            backbone=vitpose.config_of(state, "backbone."),
            bpac=_bpac(state) if kind == "ajahr" else None,
            bpac_cross_attention=False,
            decoder=_decoder(state),
            rot6d="column" if kind == "hmr2" else "row",
            **({} if kind == "hmr2" else _tokens(kind, state, tokens)),
        )
    except KeyError as error:
        raise UserError(f"{what}: lacks {error}; is it a checkpoint of another kind than {kind}?") from error


def _decoder(state: Mapping[str, Tensor]) -> DecoderConfig:
    base = "smpl_head.transformer.transformer.layers."
    inner, width = state[f"{base}0.1.fn.to_q.weight"].shape
    mlp_width = len(state[f"{base}0.2.fn.net.0.weight"])
    return DecoderConfig(width, count(state, base), inner // _HEAD_WIDTH, _HEAD_WIDTH, mlp_width)


def _tokens(kind: PoseHead, state: Mapping[str, Tensor], tokens: Mapping[str, int]) -> dict:
    base = "smpl_head.decpose."
    head = TokenHeadConfig(
        width=state[f"{base}mixer_norm_layer.ff.0.weight"].shape[0],
        mixers=count(state, f"{base}mixer_head."),
        token_mlp_width=len(state[f"{base}mixer_head.0.MLP_token.ff.0.weight"]),
        channel_mlp_width=len(state[f"{base}mixer_head.0.MLP_channel.ff.0.weight"]),
    )
    num_tokens = len(state[f"{base}mixer_trans.ff.0.weight"]) // head.width
    found: dict = {"token_head": head, "num_tokens": num_tokens, "foreign_token_count": bool(tokens)}
    if kind == "ajahr":
        found["tokenizers"] = {
            name: _tokenizer(state, f"{base}{published}.", tokens.get(name, num_tokens))
            for name, published in TOKENIZERS.items()
        }
    else:
        num_codes = len(state[f"{base}class_pred_layer.weight"])
        found["tokenizers"] = {"single": TokenizerConfig(num_tokens, num_codes)}
    return found


def _tokenizer(state: Mapping[str, Tensor], prefix: str, num_tokens: int) -> TokenizerConfig:
    num_codes, code_dim = state[f"{prefix}quantizer.codebook"].shape
    last = count(state, f"{prefix}decoder.decoder.") - 1  # stem 0, steps at 3, 6 .., block, head
    steps = (last - 3) // 3
    depth = count(state, f"{prefix}decoder.decoder.{last - 1}.0.model.")
    width = len(state[f"{prefix}decoder.decoder.0.weight"])
    return TokenizerConfig(num_tokens, num_codes, code_dim, width, depth, decoder_steps=steps)


def _bpac(state: Mapping[str, Tensor]) -> BpacConfig:
    base = "classifier.resnet.layer"
    stages = range(1, 5)
    a, b, c, d = (len(state[f"{base}{i}.0.conv1.weight"]) for i in stages)
    e, f, g, h = (count(state, f"{base}{i}.") for i in stages)
    resolution = state["classifier.heatmap_generator.x_grid"].shape[1]
    return BpacConfig(widths=(a, b, c, d), blocks=(e, f, g, h), resolution=resolution)
