"""Codes to pose: resample the tokens down to the 21 joints step by step, then refine."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from tokenizer.config import TokenizerConfig
from tokenizer.errors import InputError
from tokenizer.layers import Convolution, ResidualUnit, ResizedConvolution


class Decoder(nn.Module):
    """One code per token to joints' 6D rotations.

    Departure from TokenHMR: its resize lengths are absolute, so it accepts any number of tokens and decodes
    nonsense; here a wrong count is an error.
    """

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.num_tokens = config.num_tokens
        width = config.width
        self.stem = Convolution(config.code_dim, width, relu=True)
        lengths = (config.num_tokens, *config.decoder_lengths)
        self.resampling = nn.ModuleList(
            ResizedConvolution(width, width, before, after) for before, after in pairwise(lengths)
        )
        self.units = nn.ModuleList(ResidualUnit(width, dilation) for dilation in config.dilations)
        self.neck = Convolution(width, width)
        self.head = Convolution(width, 6)

    def forward(self, codes: Float[Tensor, "batch tokens code_dim"]) -> Float[Tensor, "batch joints 6"]:
        if codes.shape[1] != self.num_tokens:
            raise InputError(
                f"{codes.shape[1]} tokens for a decoder of {self.num_tokens}; use its own tokenizer"
            )
        x = self.stem(codes)
        for layer in self.resampling:
            x = layer(x)
        for unit in self.units:
            x = unit(x)
        return self.head(self.neck(x))
