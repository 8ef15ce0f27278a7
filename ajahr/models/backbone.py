"""The image encoder: timm's ViT with ViTPose's patch convolution and positions (facts 5.1 and 5.2).

Small ones may have a convolutional stem instead of the patch convolution (`ajahr.models.stem`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from ajahr.geometry.crops import CROP_ASPECT, CROP_SIZE
from ajahr.models.config import BackboneConfig
from ajahr.models.stem import STEM_GRID, ConvStem

PATCH_SIZE = 16
PATCH_PADDING = 2
"""On every side of the image; ViTPose's, and timm's patch embedding has none."""
GRID = (CROP_ASPECT[1] // PATCH_SIZE, CROP_ASPECT[0] // PATCH_SIZE)
NUM_PATCHES = GRID[0] * GRID[1]
_MARGIN = (CROP_SIZE - CROP_ASPECT[0]) // 2
"""Columns of the crop the backbone does not see, on either side: it has 32..223."""


class Backbone(nn.Module):
    """Crop to 16 x 12 tokens, row by row; to fewer at a lower resolution.

    ViTPose adds the class slot of its position table to every token and has no class token; here the sum is
    one table (`ajahr.models.published.vitpose` folds it). Attention is torch's scaled_dot_product_attention,
    or the same by plain products where a stem leaves few tokens.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.shrink = CROP_SIZE // config.resolution
        embed: dict[str, Any] = {}
        if config.stem is not None:
            stem = config.stem
            embed["embed_layer"] = lambda **_: ConvStem(stem, config.width, config.resolution)
        self.vit = VisionTransformer(
            img_size=(CROP_ASPECT[1] // self.shrink, CROP_ASPECT[0] // self.shrink),
            patch_size=PATCH_SIZE,
            embed_dim=config.width,
            depth=config.depth,
            num_heads=config.heads,
            mlp_ratio=config.mlp_ratio,
            class_token=False,
            global_pool="",
            num_classes=0,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            drop_path_rate=config.drop_path,
            **embed,
        )
        if config.stem is None:
            self.vit.patch_embed.proj.padding = (PATCH_PADDING, PATCH_PADDING)
        else:  # so few tokens learn several times as fast on a CPU by plain products
            for block in self.vit.blocks:
                attention: Any = block.get_submodule("attn")
                attention.fused_attn = False
        self.vit.set_grad_checkpointing(config.checkpointing)

    def forward(self, image: Float[Tensor, "batch 3 256 256"]) -> Float[Tensor, "batch patches width"]:
        return self.vit.forward_features(self.shrunk(image[..., _MARGIN : CROP_SIZE - _MARGIN]))

    def shrunk(self, seen: Float[Tensor, "batch 3 256 192"]) -> Float[Tensor, "batch 3 rows columns"]:
        """The picture at the resolution it works at."""
        return F.avg_pool2d(seen, self.shrink) if self.shrink > 1 else seen

    @property
    def num_tokens(self) -> int:
        """Of one person."""
        return self.vit.patch_embed.num_patches

    @property
    def detail_width(self) -> int:
        """Channels of `with_detail`'s map."""
        assert self.config.stem is not None
        return self.config.stem[-1] + self.config.width

    def with_detail(
        self, image: Float[Tensor, "batch 3 256 256"]
    ) -> tuple[Float[Tensor, "batch patches width"], Float[Tensor, "batch detail_width 16 12"]]:
        """The tokens, and a finer map: the stem's last one beside the tokens, each on its four cells.

        Only with a stem.
        """
        return self.look(self.shrunk(image[..., _MARGIN : CROP_SIZE - _MARGIN]))

    def look(
        self, shrunk: Float[Tensor, "batch 3 rows columns"]
    ) -> tuple[Float[Tensor, "batch patches width"], Float[Tensor, "batch detail_width 16 12"]]:
        """`with_detail` of a picture that is `shrunk` already."""
        stem, vit = self.vit.patch_embed, self.vit
        assert isinstance(stem, ConvStem) and vit.pos_embed is not None
        shrunk = shrunk.contiguous(memory_format=torch.channels_last)
        fine = stem.map(shrunk)
        tokens = vit.norm(vit.blocks(stem.tokens(fine) + vit.pos_embed))
        coarse = tokens.mT.unflatten(2, STEM_GRID)
        return tokens, torch.cat((fine, F.interpolate(coarse, scale_factor=2)), 1)

    def unfreeze_ends(self, blocks: int) -> None:
        """Let the patch and position embeddings and the last ``blocks`` blocks learn."""
        vit = self.vit
        assert vit.pos_embed is not None
        vit.pos_embed.requires_grad_(True)
        vit.patch_embed.requires_grad_(True)
        vit.blocks[-blocks:].requires_grad_(True)
