"""The image encoder: timm's ViT with ViTPose's patch convolution and positions (facts 5.1 and 5.2)."""

from __future__ import annotations

from functools import partial

from jaxtyping import Float
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from ajahr.geometry.crops import CROP_ASPECT, CROP_SIZE
from ajahr.models.config import BackboneConfig

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
    one table (`ajahr.models.published.vitpose` folds it). Attention is torch's scaled_dot_product_attention.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.shrink = CROP_SIZE // config.resolution
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
        )
        self.vit.patch_embed.proj.padding = (PATCH_PADDING, PATCH_PADDING)
        self.vit.set_grad_checkpointing(config.checkpointing)

    def forward(self, image: Float[Tensor, "batch 3 256 256"]) -> Float[Tensor, "batch patches width"]:
        seen = image[..., _MARGIN : CROP_SIZE - _MARGIN]
        if self.shrink > 1:
            seen = F.avg_pool2d(seen, self.shrink)
        return self.vit.forward_features(seen)

    def unfreeze_ends(self, blocks: int) -> None:
        """Let the patch and position embeddings and the last ``blocks`` blocks learn."""
        vit = self.vit
        assert vit.pos_embed is not None
        vit.pos_embed.requires_grad_(True)
        vit.patch_embed.requires_grad_(True)
        vit.blocks[-blocks:].requires_grad_(True)
