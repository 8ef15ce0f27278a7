from __future__ import annotations

import pytest
import torch

from tokenizer.config import TokenizerConfig
from tokenizer.decoder import Decoder
from tokenizer.errors import InputError


@pytest.mark.parametrize("tokens", [20, 320, 640])
def test_published_parameter_count(tokens: int) -> None:
    with torch.device("meta"):
        decoder = Decoder(TokenizerConfig(num_tokens=tokens))
    assert sum(p.numel() for p in decoder.parameters()) == 6436870


@pytest.mark.parametrize("tokens", [20, 40, 80, 160, 320, 640])
def test_six_numbers_per_joint(tokens: int) -> None:
    decoder = Decoder(TokenizerConfig(num_tokens=tokens, width=8, code_dim=5))
    assert decoder(torch.randn(2, tokens, 5)).shape == (2, 21, 6)


def test_another_token_count_is_an_error() -> None:
    decoder = Decoder(TokenizerConfig(num_tokens=320, width=8, code_dim=5))
    with pytest.raises(InputError, match="160 tokens for a decoder of 320"):
        decoder(torch.randn(2, 160, 5))
