"""A convolutional stem for small backbones: crop -> map of 16 x 12 cells -> 8 x 6 tokens.

A ViT's patch convolution learns to see from hundreds of thousands of pictures; a few residual convolutions before
a few blocks do so from thousands (Xiao et al. 2021, early convolutions), at a fraction of the products. Ours: the
published models have none.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

_FIRST_TAPS = 7
_FIRST_GRID = 64
"""Rows of the first map, whatever the resolution."""


class ConvStem(nn.Module):
    """What timm's VisionTransformer takes for its patch embedding.

    Args:
        widths: channels of the maps of 64 x 48, 32 x 24 and 16 x 12 cells.
        width: of the tokens, 8 x 6.
        resolution: rows of the picture, px.
    """

    def __init__(self, widths: tuple[int, int, int], width: int, resolution: int) -> None:
        super().__init__()
        first, second, third = widths
        stride = resolution // _FIRST_GRID
        self.first = nn.Sequential(
            nn.Conv2d(3, first, _FIRST_TAPS, stride, (_FIRST_TAPS - stride + 1) // 2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
        )
        self.second = residual(first, second, stride=2)
        self.third = nn.Sequential(residual(second, third, stride=2), residual(third, third))
        self.fourth = residual(third, width, stride=2)
        self.num_patches = STEM_GRID[0] * STEM_GRID[1]

    def forward(self, image: Float[Tensor, "batch 3 rows columns"]) -> Float[Tensor, "batch patches width"]:
        return self.tokens(self.map(image))

    def map(self, image: Float[Tensor, "batch 3 rows columns"]) -> Float[Tensor, "batch third 16 12"]:
        """The last map before the tokens: what places are read from."""
        return self.third(self.second(self.first(image)))

    def tokens(self, map_: Float[Tensor, "batch third 16 12"]) -> Float[Tensor, "batch patches width"]:
        return self.fourth(map_).flatten(2).mT


STEM_GRID = (8, 6)


def residual(inputs: int, width: int, stride: int = 1) -> BasicBlock:
    """torchvision's basic block, with the shortcut it needs."""
    shortcut = None
    if stride != 1 or inputs != width:
        shortcut = nn.Sequential(conv1x1(inputs, width, stride), nn.BatchNorm2d(width))
    return BasicBlock(inputs, width, stride, shortcut)
