"""One query token attends to the image, then to BPAC-Net's token (AJAHR Sec. 3.3.1; HMR2.0's decoder)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ajahr.models.config import DecoderConfig


class Decoder(nn.Module):
    """Pre-norm transformer decoder of a single learned query; no final norm.

    Upstream's query is Linear(0) + position, that is, a bias plus a position: one parameter here.

    Args:
        config: Sizes.
        context_width: Of the tokens it attends to.
        tokens: Number of image tokens; needed with ``start_channels``.
    """

    def __init__(self, config: DecoderConfig, context_width: int, tokens: int = 0) -> None:
        super().__init__()
        self.start = None
        if config.start_channels:
            self.start = PlaceAware(context_width, tokens, config.start_channels, config.width)
        self.query = nn.Parameter(torch.randn(config.width) * 0.02)
        self.layers = nn.ModuleList(DecoderLayer(config, context_width) for _ in range(config.depth))

    def forward(
        self,
        image_tokens: Float[Tensor, "batch tokens context_width"],
        bpac_token: Float[Tensor, "batch context_width"] | None = None,
        start: Float[Tensor, "batch width"] | None = None,
    ) -> Float[Tensor, "batch width"]:
        """The query after all layers.

        Args:
            image_tokens: The backbone's.
            bpac_token: If given, the layers run a second time with it as their context, on what the first
                pass made (facts 9, row 1: the paper has this pass, the released code never reaches it).
            start: Added to the query at first.
        """
        x = self.query.expand(len(image_tokens), -1)
        if self.start is not None:
            x = x + self.start(image_tokens)
        if start is not None:
            x = x + start
        contexts = [image_tokens] if bpac_token is None else [image_tokens, bpac_token[:, None]]
        for context in contexts:
            for layer in self.layers:
                x = layer(x, context)
        return x


class PlaceAware(nn.Module):
    """Few channels of every token, side by side, through two layers: what is where, without attention.

    Args:
        inputs: Width of the tokens.
        tokens: How many.
        channels: Kept of each.
        outputs: Width of the result.
    """

    def __init__(self, inputs: int, tokens: int, channels: int, outputs: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(inputs, channels)
        self.mix = nn.Linear(tokens * channels, outputs)
        self.out = nn.Linear(outputs, outputs)

    def forward(self, tokens: Float[Tensor, "batch tokens inputs"]) -> Float[Tensor, "batch outputs"]:
        return self.out(F.gelu(self.mix(F.gelu(self.narrow(tokens)).flatten(1))))


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention, feed-forward: each normalises the query and adds to it."""

    def __init__(self, config: DecoderConfig, context_width: int) -> None:
        super().__init__()
        width = config.width
        self.self_norm, self.cross_norm, self.mlp_norm = (nn.LayerNorm(width) for _ in range(3))
        self.self_attention = SelfAttention(config)
        self.cross_attention = CrossAttention(config, context_width)
        self.mlp = nn.Sequential(
            nn.Linear(width, config.mlp_width), nn.GELU(), nn.Linear(config.mlp_width, width)
        )

    def forward(
        self,
        x: Float[Tensor, "batch width"],
        context: Float[Tensor, "batch tokens context_width"],
    ) -> Float[Tensor, "batch width"]:
        x = x + self.self_attention(self.self_norm(x))
        x = x + self.cross_attention(self.cross_norm(x), context)
        return x + self.mlp(self.mlp_norm(x))


class SelfAttention(nn.Module):
    """Attention of one token to itself: its weight is always 1, so the values alone are worked out.

    Queries' and keys' weights are kept, without effect and without gradient, because published files have
    them.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.inner = config.heads * config.head_width
        self.qkv = nn.Linear(config.width, 3 * self.inner, bias=False)
        self.out = nn.Linear(self.inner, config.width)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        return self.out(F.linear(x, self.qkv.weight[2 * self.inner :]))


class CrossAttention(nn.Module):
    """Attention of one token to a context.

    With a single query it is cheaper to bring the query to the context than keys and values to the query:
    q . (K c) = (K^T q) . c, and the sum of V c is V of the sum of c. For 192 tokens that is a fortieth of the
    products; the numbers are the same to rounding.
    """

    def __init__(self, config: DecoderConfig, context_width: int) -> None:
        super().__init__()
        self.heads, self.head_width = config.heads, config.head_width
        inner = config.heads * config.head_width
        self.q = nn.Linear(config.width, inner, bias=False)
        self.kv = nn.Linear(context_width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, config.width)

    def forward(
        self,
        x: Float[Tensor, "batch width"],
        context: Float[Tensor, "batch tokens context_width"],
    ) -> Float[Tensor, "batch width"]:
        keys, values = self.kv.weight.view(2, self.heads, self.head_width, -1)
        q = self.q(x).view(-1, self.heads, self.head_width) * self.head_width**-0.5
        query = torch.einsum("bhd,hdc->bhc", q, keys)
        attention = (query @ context.mT).softmax(-1)
        mixed = torch.einsum("bhc,hdc->bhd", attention @ context, values)
        return self.out(mixed.flatten(1))
