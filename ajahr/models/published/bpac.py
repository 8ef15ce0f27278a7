"""AJAHR's ``classifier.``: BPAC-Net (facts 2.4, 6 and 7.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from ajahr.anatomy import NUM_LEVELS, Limb
from ajahr.models.bpac import REDUCTION
from ajahr.models.config import BpacConfig
from ajahr.models.published.mapping import Entry, module, reshaped, same

_RELEASED_HEADS = (Limb.RIGHT_ARM, Limb.LEFT_ARM, Limb.LEFT_LEG, Limb.RIGHT_LEG)
"""Of head1 .. head4."""
_RELEASED_LEVELS = (1, 2, 3, 0)
"""Level of each of their classes: hand, elbow, shoulder, intact."""
_BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def entries(config: BpacConfig, token_width: int) -> list[Entry]:
    """All tensors of the classifier."""
    ours, theirs = "bpac.resnet.", "classifier.resnet."
    found = [
        same(f"{ours}conv1.weight", f"{theirs}conv1.weight"),
        *module(f"{ours}bn1", f"{theirs}bn1", _BN),
        *module("bpac.projection", "classifier.projection"),
        _heads("weight"),
        _heads("bias"),
    ]
    inputs = config.widths[0]
    for stage, (width, blocks) in enumerate(zip(config.widths, config.blocks, strict=True), 1):
        for i in range(blocks):
            block = f"layer{stage}.{i}."
            found += _block(ours + block, theirs + block, width)
            if i == 0 and (stage > 1 or inputs != width):
                found += [
                    same(f"{ours}{block}downsample.0.weight", f"{theirs}{block}downsample.0.weight"),
                    *module(f"{ours}{block}downsample.1", f"{theirs}{block}downsample.1", _BN),
                ]
        inputs = width
    return found


def constants(config: BpacConfig) -> dict[str, Tensor]:
    """The heat maps' grids, which their file carries."""
    grid = torch.arange(config.resolution, dtype=torch.float32)
    return {
        "classifier.heatmap_generator.x_grid": grid[None],
        "classifier.heatmap_generator.y_grid": grid[:, None],
    }


def _block(ours: str, theirs: str, width: int) -> list[Entry]:
    hidden = max(width // REDUCTION, 1)
    return [
        same(f"{ours}conv1.weight", f"{theirs}conv1.weight"),
        *module(f"{ours}bn1", f"{theirs}bn1", _BN),
        same(f"{ours}conv2.weight", f"{theirs}conv2.weight"),
        *module(f"{ours}bn2", f"{theirs}bn2", _BN),
        reshaped(
            f"{ours}cbam.squeeze.weight",
            f"{theirs}cbam.ca.fc1.weight",
            (hidden, width),
            (hidden, width, 1, 1),
        ),
        reshaped(
            f"{ours}cbam.excite.weight", f"{theirs}cbam.ca.fc2.weight", (width, hidden), (width, hidden, 1, 1)
        ),
        same(f"{ours}cbam.spatial.weight", f"{theirs}cbam.sa.conv1.weight"),
    ]


def _heads(name: str) -> Entry:
    """Ours: one layer, limbs in `Limb` order, level 0 intact. Theirs: four, arms right first, intact last."""
    order = [_RELEASED_HEADS.index(limb) for limb in Limb]
    to_levels = torch.tensor([_RELEASED_LEVELS.index(level) for level in range(NUM_LEVELS)])
    to_classes = torch.tensor(_RELEASED_LEVELS)

    def to_ours(parts: list[Tensor]) -> Tensor:
        return torch.cat([parts[head][to_levels] for head in order])

    def to_theirs(value: Tensor) -> list[Tensor]:
        by_limb = value.split(NUM_LEVELS)
        return [by_limb[limb][to_classes] for limb in _RELEASED_HEADS]

    published = tuple(f"classifier.head{i}.{name}" for i in range(1, 5))
    return Entry(f"bpac.heads.{name}", published, to_ours, to_theirs)
