from __future__ import annotations

import pytest

from tokenizer.config import TOKEN_COUNTS, TokenizerConfig
from tokenizer.errors import InputError


def test_decoder_lengths_of_every_token_count() -> None:
    lengths = {n: TokenizerConfig(num_tokens=n).decoder_lengths for n in TOKEN_COUNTS}
    assert lengths == {
        20: (20, 20, 20, 21),
        40: (35, 30, 25, 21),
        80: (65, 50, 35, 21),
        160: (125, 90, 55, 21),
        320: (245, 170, 95, 21),
        640: (485, 330, 175, 21),
    }


def test_dilations_widest_first() -> None:
    assert TokenizerConfig().dilations == (3, 1)
    assert TokenizerConfig(depth=3, dilation_rate=2).dilations == (4, 2, 1)


def test_dict_round_trip() -> None:
    config = TokenizerConfig(num_tokens=80, code_dim=128)
    assert TokenizerConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_tokens": 321}, "20, 40, 80, 160, 320, 640"),
        ({"width": 0}, "width is 0"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"depth": -1}, "depth is -1"),
    ],
)
def test_impossible_shapes_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TokenizerConfig(**wrong)


def test_unknown_entry_is_named() -> None:
    with pytest.raises(InputError, match="num_heads"):
        TokenizerConfig.from_dict({"num_heads": 4})


def test_require_equal_names_what_differs_and_lets_the_update_rule_be() -> None:
    config = TokenizerConfig()
    config.require_equal(TokenizerConfig(ema_decay=0.9), "x.ckpt")
    with pytest.raises(InputError, match=r"x\.ckpt.*num_tokens 160 \(config: 320\), code_dim 128"):
        config.require_equal(TokenizerConfig(num_tokens=160, code_dim=128), "x.ckpt")
