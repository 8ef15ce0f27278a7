"""A real regressor of the least size with random weights, saved as a folder."""

from __future__ import annotations

from pathlib import Path

import torch

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.models.config import BackboneConfig, BpacConfig, DecoderConfig, RegressorConfig, TokenHeadConfig
from ajahr.models.pretrained import save_pretrained
from ajahr.models.regressor import Regressor
from tokenizer.config import TokenizerConfig


def save_least_regressor(folder: Path) -> Path:
    torch.manual_seed(0)
    shape = TokenizerConfig(num_tokens=20, num_codes=16, code_dim=16, width=16)
    config = RegressorConfig.preset(
        "tiny",
        backbone=BackboneConfig(width=24, depth=1, heads=2, drop_path=0.0),
        bpac=BpacConfig(widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), resolution=32),
        decoder=DecoderConfig(width=32, depth=1, heads=2, mlp_width=32, head_width=16),
        token_head=TokenHeadConfig(width=16, mixers=1, token_mlp_width=16, channel_mlp_width=16),
        tokenizers={"amputee": shape, "intact": shape},
        point_reader=False,
    )
    return save_pretrained(Regressor(config, Body(load_body())), folder)
