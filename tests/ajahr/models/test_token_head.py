from __future__ import annotations

import pytest
import torch

from ajahr.models.config import TokenHeadConfig
from ajahr.models.token_head import Mixer, TokenHead


@pytest.mark.parametrize(
    ("tokens", "parameters"),
    [
        (20, 1_595_920),
        (40, 2_920_800),
        (80, 5_570_560),
        (160, 10_870_080),
        (320, 21_469_120),
        (640, 42_667_200),
    ],
)
def test_size(tokens: int, parameters: int) -> None:
    """Facts 5.5."""
    with torch.device("meta"):
        head = TokenHead(TokenHeadConfig(), 1024, tokens, 2048)
    assert sum(p.numel() for p in head.parameters()) == parameters


def test_mixer_equals_its_formula_token_by_token() -> None:
    torch.manual_seed(0)
    mixer = Mixer(TokenHeadConfig(6, 1, 5, 9), 7).double()
    x = torch.randn(2, 7, 6).double()
    for person, got in zip(x, mixer(x), strict=True):
        normed = mixer.token_norm(person)
        y = torch.stack(
            [mixer.token_out(torch.nn.functional.gelu(mixer.token_in(normed[:, c]))) for c in range(6)], 1
        )
        y = person + y
        z = [
            mixer.channel_out(torch.nn.functional.gelu(mixer.channel_in(mixer.channel_norm(token))))
            for token in y
        ]
        torch.testing.assert_close(got, y + torch.stack(z))


def test_every_token_has_logits_of_its_own() -> None:
    torch.manual_seed(0)
    logits = TokenHead(TokenHeadConfig(8, 2, 6, 10), 12, 20, 32)(torch.randn(3, 12))
    assert logits.shape == (3, 20, 32)
    assert len(torch.unique(logits[0], dim=0)) == 20
