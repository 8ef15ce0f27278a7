"""A regressor small enough for a test, and one person's worth of inputs."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.models.config import (
    TOKENIZERS,
    BackboneConfig,
    BpacConfig,
    DecoderConfig,
    RegressorConfig,
    TokenHeadConfig,
)
from ajahr.models.regressor import Regressor
from tokenizer.config import TokenizerConfig

TOKENIZER = TokenizerConfig(num_tokens=20, num_codes=32, code_dim=8, width=16)


@functools.cache
def small_body() -> Body:
    return Body(load_body())


def small_config(**changes: Any) -> RegressorConfig:
    """AJAHR with two blocks and two layers."""
    fields: dict[str, Any] = {
        "name": "test",
        "backbone": BackboneConfig(64, 2, 2, drop_path=0.3),
        "bpac": BpacConfig(widths=(16, 16, 32, 32), blocks=(1, 2, 1, 1), resolution=64),
        "decoder": DecoderConfig(width=48, depth=3, heads=2, mlp_width=40),
        "token_head": TokenHeadConfig(width=16, mixers=2, token_mlp_width=12, channel_mlp_width=24),
    }
    fields |= changes
    names = TOKENIZERS[fields.get("pose_head", "ajahr")]
    fields.setdefault("tokenizers", dict.fromkeys(names, TOKENIZER))
    return RegressorConfig(**fields)


def small_regressor(seed: int = 0, **changes: Any) -> Regressor:
    """Random weights whose readout is not near zero, so that people differ; in evaluation mode."""
    torch.manual_seed(seed)
    regressor = Regressor(small_config(**changes), small_body())
    torch.nn.init.normal_(regressor.readout.linear.weight, std=0.05)
    if regressor.switch is not None:
        for decoder in regressor.switch.decoders.values():
            torch.nn.init.normal_(decoder.get_buffer("codebook"))
    return regressor.eval()


def inputs(people: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Crops and keypoints, most of them inside."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(people, 3, 256, 256, generator=generator)
    keypoints = torch.rand(people, 12, 3, generator=generator)
    keypoints[..., :2] = keypoints[..., :2] * 1.1 - 0.55
    return image, keypoints
