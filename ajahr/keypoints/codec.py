"""Between points and heat maps: unbiased (UDP) targets and decoding with sub-cell precision (DARK), SimCC's bins.

Coordinates in a crop are continuous px, as everywhere here: the centre of the first pixel is 0.5. UDP lays the
nodes of a map over the pixel *centres*, first on first and last on last, so that

    cell = (x - 0.5) (cells - 1) / (pixels - 1)

and mirroring a map mirrors its points without the one-pixel shift that older code corrects for.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from ajahr.keypoints.config import STRIDE
from ajahr.keypoints.crops import INPUT_SIZE
from ajahr.keypoints.heads import SimCC

HEATMAP_SIZE = (INPUT_SIZE[0] // STRIDE, INPUT_SIZE[1] // STRIDE)
"""Rows and columns."""
SIGMA = 2.0
"""Of a target's Gaussian, cells."""
SIMCC_SIGMA = (4.9, 5.66)
"""Of a SimCC target's Gaussians along x and y, bins (RTMPose, 256 x 192)."""
SIMCC_BETA = 10.0
"""RTMPose compares softmax(10 x) of predicted and target vectors."""
_DARK_KERNEL, _DARK_SIGMA = 11, 2.0
_DARK_FLOOR, _DARK_CEILING = 1e-3, 50.0
_NOISE_FLOOR = 0.01
"""Of the peak: what `position_sd` takes for noise."""


def to_cells(
    points: Float[Tensor, "*batch 2"],
    size: tuple[int, int] = HEATMAP_SIZE,
    image: tuple[int, int] = INPUT_SIZE,
) -> Float[Tensor, "*batch 2"]:
    """Points of a crop (px, continuous) to cells of a map; sizes are (rows, columns)."""
    factor = [(size[1] - 1) / (image[1] - 1), (size[0] - 1) / (image[0] - 1)]
    return (points - 0.5) * points.new_tensor(factor)


def to_pixels(
    cells: Float[Tensor, "*batch 2"],
    size: tuple[int, int] = HEATMAP_SIZE,
    image: tuple[int, int] = INPUT_SIZE,
) -> Float[Tensor, "*batch 2"]:
    """Cells of a map to points of the crop: the inverse of `to_cells`."""
    factor = [(image[1] - 1) / (size[1] - 1), (image[0] - 1) / (size[0] - 1)]
    return cells * cells.new_tensor(factor) + 0.5


class Targets(NamedTuple):
    """Heat maps to learn, and of which points they say something."""

    heatmaps: Float[Tensor, "batch points rows columns"]
    seen: Bool[Tensor, "batch points"]
    """Labelled, with a part of the Gaussian inside the map."""


def heatmap_targets(
    points: Float[Tensor, "batch points xy=2"],
    labelled: Bool[Tensor, "batch points"],
    size: tuple[int, int] = HEATMAP_SIZE,
    sigma: float = SIGMA,
) -> Targets:
    """Gaussians of height 1 about the sub-cell place of each point, cut at 3 sigma; zeros for the others.

    Args:
        points: of the crop, px.
        labelled: the others get empty maps and are not ``seen``.
    """
    cells = to_cells(points.float(), size)
    cells = torch.where(labelled[..., None], cells, 0)
    radius = round(3 * sigma)
    axes = []
    for axis, length in ((0, size[1]), (1, size[0])):
        node = torch.arange(length, device=points.device, dtype=torch.float32)
        centre = cells[..., axis, None]
        gaussian = torch.exp(-((node - centre) ** 2) / (2 * sigma**2))
        axes.append(gaussian * ((node - centre.round()).abs() <= radius))
    heatmaps = axes[1][..., :, None] * axes[0][..., None, :]
    seen = labelled & (heatmaps.flatten(2).amax(-1) > 0)
    return Targets(heatmaps * seen[..., None, None], seen)


class Decoded(NamedTuple):
    """Points of the crop."""

    points: Float[Tensor, "batch points xy=2"]
    """px, continuous."""
    scores: Float[Tensor, "batch points"]
    """Peak of the raw map."""


def decode_heatmaps(heatmaps: Float[Tensor, "batch points rows columns"], *, dark: bool = True) -> Decoded:
    """Highest cell, then one Newton step on the logarithm of the smoothed map (DARK, on UDP's grid).

    Args:
        dark: False stops at the cell, a quarter of the precision and more off.
    """
    maps = heatmaps.float()
    _, _, rows, columns = maps.shape
    scores, index = maps.flatten(2).max(-1)
    x, y = index % columns, index // columns
    cells = torch.stack([x, y], -1).float()
    if dark:
        cells = cells + _newton_step(_blurred(maps), x, y)
        limit = cells.new_tensor([columns - 1, rows - 1])
        cells = cells.clamp(min=torch.zeros_like(limit), max=limit)
    return Decoded(to_pixels(cells, (rows, columns)), scores)


def _blurred(maps: Tensor) -> Tensor:
    """Logarithm of the maps smoothed by an 11 x 11 Gaussian, clipped."""
    offset = torch.arange(_DARK_KERNEL, device=maps.device, dtype=maps.dtype) - _DARK_KERNEL // 2
    kernel = torch.exp(-(offset**2) / (2 * _DARK_SIGMA**2))
    kernel = kernel / kernel.sum()
    flat = maps.flatten(0, 1)[:, None]
    pad = _DARK_KERNEL // 2
    flat = F.conv2d(F.pad(flat, (pad, pad, 0, 0), mode="reflect"), kernel.view(1, 1, 1, -1))
    flat = F.conv2d(F.pad(flat, (0, 0, pad, pad), mode="reflect"), kernel.view(1, 1, -1, 1))
    return flat.clamp(_DARK_FLOOR, _DARK_CEILING).log().view_as(maps)


def _newton_step(logs: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """-H^-1 g at the cells; 0 where the map is flat there. At most one cell."""
    padded = F.pad(logs, (1, 1, 1, 1), mode="replicate")
    columns = padded.shape[-1]
    flat = padded.flatten(2)

    def at(dx: int, dy: int) -> Tensor:
        return flat.gather(2, ((y + 1 + dy) * columns + x + 1 + dx)[..., None])[..., 0]

    centre = at(0, 0)
    gradient = torch.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], -1) / 2
    xx = at(1, 0) - 2 * centre + at(-1, 0)
    yy = at(0, 1) - 2 * centre + at(0, -1)
    # central, where UDP's own code is one-sided: mirrored maps must decode to mirrored points
    xy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    determinant = xx * yy - xy**2
    solid = determinant.abs() > 1e-6
    safe = torch.where(solid, determinant, 1)
    step_x = -(yy * gradient[..., 0] - xy * gradient[..., 1]) / safe
    step_y = -(xx * gradient[..., 1] - xy * gradient[..., 0]) / safe
    step = torch.stack([step_x, step_y], -1)
    return torch.where(solid[..., None], step, 0).clamp(-1, 1)


def position_sd(
    heatmaps: Float[Tensor, "batch points rows columns"], *, sigma: float = SIGMA, window: int = 12
) -> Float[Tensor, "batch points"]:
    """Standard deviation of each point's place per axis, in px of the crop, read from the model's own map.

    A model trained by mean squared error shows the mean of all targets it thinks possible: its uncertainty smeared
    by the target's Gaussian. So the variance of the map about its mean, inside a window about the peak, exceeds
    sigma squared by the variance of the place. Infinite where the map is empty.
    """
    maps = heatmaps.float().clamp_min(0)
    _, _, rows, columns = maps.shape
    peak, index = maps.flatten(2).max(-1)
    x0, y0 = (index % columns)[..., None, None], (index // columns)[..., None, None]
    x = torch.arange(columns, device=maps.device).view(1, 1, 1, -1)
    y = torch.arange(rows, device=maps.device).view(1, 1, -1, 1)
    # what is far from the peak is another person
    near = ((x - x0).abs() <= window) & ((y - y0).abs() <= window)
    mass = torch.where(near & (maps > _NOISE_FLOOR * peak[..., None, None]), maps, 0)
    total = mass.sum((2, 3)).clamp_min(1e-12)
    mean_x, mean_y = (mass * x).sum((2, 3)) / total, (mass * y).sum((2, 3)) / total
    variance = (mass * ((x - mean_x[..., None, None]) ** 2 + (y - mean_y[..., None, None]) ** 2)).sum((2, 3))
    excess = (variance / total / 2 - _cut_variance(sigma)).clamp_min(0)
    pixels = (INPUT_SIZE[0] - 1) / (rows - 1)
    return torch.where(peak > 1e-6, excess.sqrt() * pixels, torch.inf)


def _cut_variance(sigma: float) -> float:
    """Variance per axis of a target's Gaussian, as cut by `heatmap_targets` and by the noise floor."""
    node = torch.arange(-round(3 * sigma), round(3 * sigma) + 1, dtype=torch.float64)
    squared = node[:, None] ** 2 + node**2
    weight = torch.exp(-squared / (2 * sigma**2))
    weight = torch.where(weight > _NOISE_FLOOR, weight, 0)
    return float((weight * squared).sum() / weight.sum() / 2)


# ------------------------------------------------------------------------------------------------- SimCC


def simcc_targets(
    points: Float[Tensor, "batch points xy=2"],
    labelled: Bool[Tensor, "batch points"],
    split_ratio: int = 2,
    image: tuple[int, int] = INPUT_SIZE,
    sigma: tuple[float, float] = SIMCC_SIGMA,
) -> tuple[SimCC, Bool[Tensor, "batch points"]]:
    """Un-normalised Gaussians over the bins, and which points lie inside the crop."""
    inside = (points >= 0) & (points < points.new_tensor([image[1], image[0]]))
    seen = labelled & inside.all(-1)
    vectors = []
    for axis, length in ((0, image[1]), (1, image[0])):
        node = torch.arange(length * split_ratio, device=points.device, dtype=torch.float32)
        centre = ((points[..., axis].float() - 0.5) * split_ratio)[..., None]
        vectors.append(torch.exp(-((node - centre) ** 2) / (2 * sigma[axis] ** 2)) * seen[..., None])
    return SimCC(*vectors), seen


def decode_simcc(simcc: SimCC, split_ratio: int = 2) -> Decoded:
    """Highest bins; the score is the smaller of the two, raw, and may exceed 1."""
    (score_x, x), (score_y, y) = simcc.x.float().max(-1), simcc.y.float().max(-1)
    return Decoded(torch.stack([x, y], -1) / split_ratio + 0.5, torch.minimum(score_x, score_y))
