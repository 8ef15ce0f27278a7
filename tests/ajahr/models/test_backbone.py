from __future__ import annotations

import torch

from ajahr.models.backbone import Backbone
from ajahr.models.config import BackboneConfig, RegressorConfig


def small(**changes) -> Backbone:
    torch.manual_seed(0)
    return Backbone(BackboneConfig(**{"width": 32, "depth": 3, "heads": 2, **changes})).eval()


def test_size_of_vitpose_h() -> None:
    """Facts 5.1, less the class slot that is folded into the positions."""
    with torch.device("meta"):
        backbone = Backbone(RegressorConfig.preset("paper").backbone)
    assert sum(p.numel() for p in backbone.parameters()) == 630_912_000 - 1280


def test_sees_only_the_middle_columns() -> None:
    backbone, image = small(), torch.randn(1, 3, 256, 256)
    tokens = backbone(image)
    assert tokens.shape == (1, 192, 32)
    outside, inside = image.clone(), image.clone()
    outside[..., :32] = 5
    outside[..., 224:] = -5
    inside[..., 32] = 5
    assert torch.equal(backbone(outside), tokens)
    assert not torch.equal(backbone(inside), tokens)


def test_tokens_are_rows_of_padded_patches() -> None:
    """Token r * 12 + c of the patch embedding is the patch whose window starts 2 px before (16 r, 32 + 16 c)."""
    backbone, image = small(), torch.randn(1, 3, 256, 256)
    embedded = backbone.vit.patch_embed(image[..., 32:224])
    padded = torch.nn.functional.pad(image[..., 32:224], (2, 2, 2, 2))
    projection = backbone.vit.patch_embed.proj
    for row, column in ((0, 0), (15, 11), (7, 3)):
        window = padded[0, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        expected = torch.einsum("ochw,chw->o", projection.weight, window) + projection.bias
        torch.testing.assert_close(embedded[0, 12 * row + column], expected, atol=1e-5, rtol=1e-4)


def test_drop_path_in_training_only() -> None:
    backbone, image = small(drop_path=0.9), torch.randn(8, 3, 256, 256)
    assert torch.equal(backbone(image), backbone(image))
    backbone.train()
    assert not torch.equal(backbone(image), backbone(image))


def test_checkpointing_gives_the_same_gradients() -> None:
    image, gradients = torch.randn(1, 3, 256, 256), []
    for checkpointing in (False, True):
        backbone = small(checkpointing=checkpointing).train()
        backbone(image).square().mean().backward()
        gradients.append([p.grad for p in backbone.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


def test_lower_resolution_averages_the_crop_first() -> None:
    backbone, image = small(resolution=128), torch.randn(1, 3, 256, 256)
    tokens = backbone(image)
    assert tokens.shape == (1, 48, 32)
    checkers = torch.ones(256, 256)
    checkers[::2, ::2] = checkers[1::2, 1::2] = -1  # cancels within every 2 x 2 block
    torch.testing.assert_close(backbone(image + checkers), tokens, atol=1e-5, rtol=1e-4)
