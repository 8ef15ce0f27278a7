from __future__ import annotations

import pytest
import torch

from tokenizer.config import TokenizerConfig
from tokenizer.encoder import Encoder


@pytest.mark.parametrize(
    ("tokens", "parameters"),
    [(20, 4338432), (40, 5125376), (80, 5912320), (160, 6699264), (320, 7486208), (640, 8273152)],
)
def test_published_parameter_counts(tokens: int, parameters: int) -> None:
    with torch.device("meta"):
        encoder = Encoder(TokenizerConfig(num_tokens=tokens))
    assert sum(p.numel() for p in encoder.parameters()) == parameters


@pytest.mark.parametrize("tokens", [20, 40, 80, 160, 320, 640])
def test_one_latent_per_token(tokens: int) -> None:
    encoder = Encoder(TokenizerConfig(num_tokens=tokens, width=8, code_dim=5))
    assert encoder(torch.randn(2, 21, 6)).shape == (2, tokens, 5)
