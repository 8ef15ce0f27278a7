"""From the decoder's token to logits over the codebook (AJAHR supplementary F; TokenHMR's head, facts 5.5).

The paper's "six sequential blocks": a full block, four mixers, a full block.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ajahr.models.config import TokenHeadConfig


class TokenHead(nn.Module):
    """Logits of every token over every code. One tensor serves both tokenizers.

    Args:
        config: Widths and number of mixers.
        inputs: Width of the decoder's token.
        tokens, codes: Of the tokenizers.
    """

    def __init__(self, config: TokenHeadConfig, inputs: int, tokens: int, codes: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.spread = FullBlock(inputs, tokens * config.width)
        self.mixers = nn.ModuleList(Mixer(config, tokens) for _ in range(config.mixers))
        self.gather = FullBlock(config.width, config.width)
        self.classes = nn.Linear(config.width, codes)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch tokens codes"]:
        x = self.spread(x).unflatten(-1, (self.tokens, -1))
        for mixer in self.mixers:
            x = mixer(x)
        return self.classes(self.gather(x))


class FullBlock(nn.Module):
    """Linear, LayerNorm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        return F.relu(self.norm(self.linear(x)))


class Mixer(nn.Module):
    """MLP across tokens, then MLP across channels, with residuals (Tolstikhin et al. 2021)."""

    def __init__(self, config: TokenHeadConfig, tokens: int) -> None:
        super().__init__()
        width = config.width
        self.token_norm, self.channel_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.token_in = nn.Linear(tokens, config.token_mlp_width)
        self.token_out = nn.Linear(config.token_mlp_width, tokens)
        self.channel_in = nn.Linear(width, config.channel_mlp_width)
        self.channel_out = nn.Linear(config.channel_mlp_width, width)

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        hidden = F.gelu(self.token_in(self.token_norm(x).mT))
        x = x + self.token_out(hidden).mT
        hidden = F.gelu(self.channel_in(self.channel_norm(x)))
        return x + self.channel_out(hidden)
