"""Parameters and FLOPs of a model, counted the way keypoint papers count."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Counts:
    """Millions of parameters, and GFLOPs of one image."""

    parameters_m: float
    gflops: float
    attention_gflops: float = 0.0
    """Of the products inside attention, which papers' counters leave out; not in ``gflops``."""


def count(model: nn.Module, height: int = 256, width: int = 192) -> Counts:
    """Counts of ``model`` for one image of that size, by running it once.

    FLOPs are twice the multiply-adds of convolutions and linear layers; norms, activations and pooling are free.
    """
    total = 0

    def after(module: nn.Module, _: tuple, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Linear):
            total += 2 * output.numel() * module.in_features
        elif isinstance(module, nn.ConvTranspose2d):
            # every input pixel meets the whole kernel once
            kernel = module.kernel_size[0] * module.kernel_size[1]
            stride = module.stride[0] * module.stride[1]
            total += 2 * output.numel() // stride * kernel * module.in_channels // module.groups
        elif isinstance(module, nn.Conv2d):
            kernel = module.kernel_size[0] * module.kernel_size[1]
            total += 2 * output.numel() * kernel * module.in_channels // module.groups

    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(after) for m in model.modules() if isinstance(m, kinds)]
    was_training = model.training
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, height, width, device=device))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    parameters = sum(p.numel() for p in model.parameters())
    return Counts(parameters / 1e6, total / 1e9, _attention(model, height, width) / 1e9)


def _attention(model: nn.Module, height: int, width: int) -> float:
    """FLOPs of query x key and of weights x value, of timm's attention."""
    from timm.models.vision_transformer import Attention

    tokens = (height // 16) * (width // 16)
    found = [m for m in model.modules() if isinstance(m, Attention)]
    return float(sum(2 * 2 * tokens * tokens * m.num_heads * m.head_dim for m in found))
