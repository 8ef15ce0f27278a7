"""Pose to latents: upsample the 21 joints well past the token count, halve once, refine (AJAHR Fig. 3)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from tokenizer.config import TokenizerConfig
from tokenizer.layers import Convolution, ResidualUnit, ResizedConvolution


class Encoder(nn.Module):
    """Joints' 6D rotations to one latent per token."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width, length = config.width, config.stem_length
        self.stem = Convolution(6, width, relu=True)
        self.upsampling = nn.ModuleList([ResizedConvolution(width, width, config.num_joints, length)])
        for _ in range(config.doublings - 1):
            self.upsampling.append(ResizedConvolution(width, width, length, 2 * length))
            length *= 2
        self.halving = Convolution(width, width, taps=4, stride=2)
        self.units = nn.ModuleList(ResidualUnit(width, dilation) for dilation in config.dilations)
        self.head = Convolution(width, config.code_dim)

    def forward(self, rot6d: Float[Tensor, "batch joints 6"]) -> Float[Tensor, "batch tokens code_dim"]:
        x = self.stem(rot6d)
        for layer in self.upsampling:
            x = layer(x)
        x = self.halving(x)
        for unit in self.units:
            x = unit(x)
        return self.head(x)
