"""BPAC-Net: which limb ends where, from the crop and twelve keypoints (AJAHR Sec. 3.3.1, supplementary G)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

from ajahr.anatomy import BPAC_KEYPOINTS, NUM_LEVELS, NUM_LIMBS
from ajahr.errors import UserError
from ajahr.geometry.crops import CROP_SIZE
from ajahr.models.config import BpacConfig
from ajahr.models.decision import decide_levels
from ajahr.models.decoder import PlaceAware
from ajahr.models.heatmaps import keypoint_heatmaps
from ajahr.models.limb_looks import LOOKS, LimbLooks
from ajahr.models.point_reader import PointMixer
from ajahr.models.stem import STEM_GRID
from tokenizer.checkpoints import read_checkpoint

NUM_KEYPOINTS = len(BPAC_KEYPOINTS)
_RGB = 3
REDUCTION = 16
_SPATIAL_TAPS = 7
_KEPT = 32
"""Channels kept of each of the 8 x 6 cells, where features are read."""
_CELL = 4
"""Pixels of the heat maps along a side of a cell, where features are read: 64 rows become 16."""
_NOISE_PX = 1.5  # at a ratio of 100 %, on a canvas of CROP_SIZE
_LEGACY_CONFIDENCE = 0.55


class LimbStatus(NamedTuple):
    """What BPAC-Net finds."""

    logits: Float[Tensor, "batch limbs=4 levels=4"]
    """`Limb` order; level 0 intact."""
    probabilities: Float[Tensor, "batch limbs=4 levels=4"]
    """Calibrated."""
    token: Float[Tensor, "batch token_width"]
    """What the decoder attends to."""


class BpacNet(nn.Module):
    """ResNet with CBAM over image and heat maps; four heads of four levels; one token.

    Args:
        config: Sizes and inputs.
        token_width: Of the token: the backbone's width.
        detail_width: Channels of the map it gets instead of pixels, where it reads features.
        hears_points: Whether it is told what the backbone says of the 25 points; a net that sees the image.
    """

    temperature: Float[Tensor, "limbs=4"]
    """Divides each head's logits so that its probabilities are calibrated; fitted by `models.calibration`."""
    loss_threshold: Float[Tensor, ""]
    """Probability of a loss from which a limb counts as lost, with ``loss_first``; fitted like the temperatures."""

    def __init__(
        self, config: BpacConfig, token_width: int, detail_width: int = 0, *, hears_points: bool = False
    ) -> None:
        super().__init__()
        self.config = config
        self.sees_image, self.sees_keypoints = (kind in config.inputs for kind in ("image", "keypoints"))
        self.reads_features = config.reads == "features"
        if self.reads_features:
            channels = detail_width * self.sees_image + NUM_KEYPOINTS * _CELL**2 * self.sees_keypoints
            self.resnet: nn.Module = FeatureNet(channels, config.widths[-2:], config.blocks[-2:])
        else:
            channels = _RGB * self.sees_image + NUM_KEYPOINTS * self.sees_keypoints
            self.resnet = AttentiveResNet(channels, config.widths, config.blocks)
        # what the backbone says of the points comes from the image
        self.points = PointMixer(config.widths[-1]) if hears_points and self.sees_image else None
        self.looks = None
        if config.looks and self.sees_image and self.sees_keypoints:
            self.looks = LimbLooks(detail_width)
        width = config.widths[-1] + (NUM_LIMBS * LOOKS if self.looks is not None else 0)
        self.heads = nn.Linear(width, NUM_LIMBS * NUM_LEVELS)  # the four heads in one product
        self.projection = nn.Linear(width, token_width)
        self.register_buffer("temperature", torch.ones(NUM_LIMBS))
        if config.loss_first:
            self.register_buffer("loss_threshold", torch.tensor(0.5))
        _channels_last(self)
        self.register_load_state_dict_post_hook(_channels_last)

    def forward(
        self,
        image: Float[Tensor, "batch 3 256 256"],
        keypoints: Float[Tensor, "batch coco12=12 3"] | None = None,
        detail: Float[Tensor, "batch detail_width 16 12"] | None = None,
        points: Float[Tensor, "batch numbers=100"] | None = None,
    ) -> LimbStatus:
        """
        Args:
            image: RGB, ImageNet-normalised.
            detail: The backbone's finer map, where features are read.
            keypoints: COCO joints 5..16 in crop units (-0.5..0.5) and confidence; with ``legacy_demo`` in px
                of the whole image. None only for the image-only variant.
            points: What `PointReader` reads, where it hears it.
        """
        seen, looked = [], None
        if self.sees_image:
            assert detail is not None or not self.reads_features
            seen.append(detail if self.reads_features else self._shrink(image))
        if self.sees_keypoints:
            if keypoints is None:
                raise UserError(f"BPAC-Net sees {self.config.inputs}; give it keypoints")
            places, drawn = self._places(keypoints)
            seen.append(self._in_cells(self._maps(places, drawn)).to(image.dtype))
            if self.looks is not None:
                assert detail is not None
                looked = self.looks(detail, places / self.config.resolution - 0.5, drawn)
        if not self.reads_features:
            seen = [torch.cat(seen, 1).contiguous(memory_format=torch.channels_last)]
        features = self.resnet(*seen)
        if self.points is not None:
            assert points is not None
            features = features + self.points(points).to(features.dtype)
        if looked is not None:
            features = torch.cat((features, looked.flatten(1).to(features.dtype)), 1)
        logits = self.heads(features).unflatten(-1, (NUM_LIMBS, NUM_LEVELS))
        return LimbStatus(logits, self.probabilities(logits), self.projection(features))

    def probabilities(
        self, logits: Float[Tensor, "batch limbs=4 levels=4"]
    ) -> Float[Tensor, "batch limbs=4 levels=4"]:
        """Calibrated."""
        return (logits.float() / self.temperature.float()[:, None]).softmax(-1)

    def decide(self, probabilities: Float[Tensor, "batch limbs=4 levels=4"]) -> Int[Tensor, "batch limbs=4"]:
        """Levels, by calibrated probabilities."""
        return decide_levels(probabilities, self.loss_threshold if self.config.loss_first else None)

    def draw(
        self, keypoints: Float[Tensor, "batch coco12=12 3"]
    ) -> Float[Tensor, "batch coco12=12 side side"]:
        """The heat maps; empty for keypoints that are absent, uncertain or outside the crop.

        The released code draws an uncertain keypoint as a blob in the corner instead (facts 9, row 17); so
        does ``legacy_demo``.
        """
        return self._maps(*self._places(keypoints))

    def _maps(
        self, points: Float[Tensor, "batch coco12=12 2"], drawn: Bool[Tensor, "batch coco12=12"]
    ) -> Float[Tensor, "batch coco12=12 side side"]:
        config = self.config
        centres = not config.legacy_demo
        return keypoint_heatmaps(points, drawn, config.resolution, config.sigma, pixel_centres=centres)

    def _places(
        self, keypoints: Float[Tensor, "batch coco12=12 3"]
    ) -> tuple[Float[Tensor, "batch coco12=12 2"], Bool[Tensor, "batch coco12=12"]]:
        """Keypoints in px of the heat maps, and which of them are drawn."""
        config, side = self.config, self.config.resolution
        keypoints = keypoints.float()  # a Gaussian of 2 px needs more digits than bfloat16 has at 256
        points, confidence = keypoints[..., :2], keypoints[..., 2]
        if config.legacy_demo:
            certain = confidence >= _LEGACY_CONFIDENCE
            points = torch.where(certain[..., None], points, 0.0) * (side / CROP_SIZE)
            drawn = torch.ones_like(certain)
        else:
            points = (points + 0.5) * side
            inside = ((points >= 0) & (points <= side)).all(-1)  # False for NaN
            drawn = inside & (confidence > config.min_confidence)
        if config.noise_ratio > 0:
            points = self._jitter(points, drawn)
        return points, drawn

    def _in_cells(
        self, maps: Float[Tensor, "batch coco12=12 side side"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Where features are read: the columns the backbone sees, the pixels of a cell as its channels."""
        if not self.reads_features:
            return maps
        margin = self.config.resolution // 8
        return F.pixel_unshuffle(maps[..., margin:-margin], _CELL)

    def _jitter(
        self, points: Float[Tensor, "batch coco12=12 2"], drawn: Bool[Tensor, "batch coco12=12"]
    ) -> Float[Tensor, "batch coco12=12 2"]:
        side = self.config.resolution
        std = _NOISE_PX * (self.config.noise_ratio / 100) ** 0.5 * side / CROP_SIZE
        noisy = (points + std * torch.randn_like(points)).clamp(0, side)
        return torch.where(drawn[..., None], noisy, points)

    def _shrink(self, image: Float[Tensor, "batch 3 256 256"]) -> Float[Tensor, "batch 3 side side"]:
        factor = CROP_SIZE // self.config.resolution
        return image if factor == 1 else F.avg_pool2d(image, factor)

    def load_imagenet(self, path: str | Path) -> None:
        """Start from torchvision's ResNet weights (a ``.pth`` state dict) of the same depth.

        The first convolution keeps the RGB filters; each keypoint channel gets their mean (facts 6.1). CBAM
        and the heads stay as they are.

        Raises:
            UserError: weights of another ResNet. InputError: no readable file.
        """
        if self.reads_features:
            raise UserError(
                "this BPAC-Net reads features and has no ResNet for ImageNet weights; leave them out"
            )
        state = {name: value for name, value in read_checkpoint(path).items() if not name.startswith("fc.")}
        rgb = state["conv1.weight"]
        parts = [rgb] if self.sees_image else []
        if self.sees_keypoints:
            parts.append(rgb.mean(1, keepdim=True).expand(-1, NUM_KEYPOINTS, -1, -1))
        state["conv1.weight"] = torch.cat(parts, 1)
        own = {name: value for name, value in self.resnet.state_dict().items() if ".cbam." not in name}
        if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in state.items()}:
            blocks = self.config.blocks
            raise UserError(f"{path}: no ResNet of {blocks} basic blocks; give resnet34's for (3, 4, 6, 3)")
        self.resnet.load_state_dict({**self.resnet.state_dict(), **state})


def _channels_last(net: BpacNet, *_: Any) -> None:
    """A fifth less time on a CPU, and what tensor cores want."""
    net.resnet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


class AttentiveResNet(nn.Module):
    """torchvision's ResNet of basic blocks, names included, with CBAM in every block and no classifier."""

    def __init__(self, channels: int, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        stages, inputs = [], widths[0]
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            stage = [AttentiveBlock(inputs if j == 0 else width, width, 2 if i and not j else 1)
                     for j in range(count)]  # fmt: skip
            stages.append(nn.Sequential(*stage))
            inputs = width
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x.mean((2, 3))


class FeatureNet(nn.Module):
    """What follows where features are read: two stages on 16 x 12 and 8 x 6 cells, as the ResNet's last two, and
    what is where."""

    def __init__(self, channels: int, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, widths[0], 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs, stages = widths[0], []
        for width, count, stride in zip(widths, blocks, (1, 2), strict=True):
            for i in range(count):
                stages.append(AttentiveBlock(inputs, width, 1 if i else stride))
                inputs = width
        self.stages = nn.Sequential(*stages)
        self.gather = PlaceAware(inputs, STEM_GRID[0] * STEM_GRID[1], _KEPT, inputs)

    def forward(self, *maps: Float[Tensor, "batch _ height width"]) -> Float[Tensor, "batch features"]:
        """Maps that together have the channels. Each meets its own weights: half the time of putting them side by
        side, and heat maps, which nothing learns from, need no gradient."""
        weights = self.mix.weight[:, :, 0, 0].split([one.shape[1] for one in maps], 1)
        mixed = [F.linear(one.permute(0, 2, 3, 1), w) for one, w in zip(maps, weights, strict=True)]
        x = sum(mixed[1:], mixed[0]).permute(0, 3, 1, 2)
        x = self.stages(F.relu(self.bn1(x), inplace=True))
        return F.relu(self.gather(x.flatten(2).mT))  # a mean over cells would not know whose end it saw


class AttentiveBlock(BasicBlock):
    """A basic block whose branch passes CBAM before the residual sum."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        downsample = None
        if stride != 1 or inputs != width:
            downsample = nn.Sequential(conv1x1(inputs, width, stride), nn.BatchNorm2d(width))
        super().__init__(inputs, width, stride, downsample)
        self.cbam = Cbam(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.cbam(self.bn2(self.conv2(y)))
        y = y + (x if self.downsample is None else self.downsample(x))
        return F.relu(y, inplace=True)


class Cbam(nn.Module):
    """Convolutional block attention (Woo et al. 2018): which channels, then which places."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, max(width // REDUCTION, 1), bias=False)
        self.excite = nn.Linear(max(width // REDUCTION, 1), width, bias=False)
        self.spatial = nn.Conv2d(2, 1, _SPATIAL_TAPS, padding=_SPATIAL_TAPS // 2, bias=False)

    def forward(
        self, x: Float[Tensor, "batch width rows columns"]
    ) -> Float[Tensor, "batch width rows columns"]:
        # rows of channels, as they lie in channels-last memory: half the time of the same along the axes of a picture
        cells = x.permute(0, 2, 3, 1).flatten(1, 2)
        pooled = torch.stack((cells.mean(1), cells.max(1).values))
        channels = self.excite(F.relu(self.squeeze(pooled))).sum(0).sigmoid()
        cells = cells * channels[:, None].to(cells.dtype)
        places = torch.stack((cells.mean(2), cells.max(2).values), 1).unflatten(2, x.shape[2:])
        cells = cells * self.spatial(places).sigmoid().flatten(1)[..., None]
        return cells.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
