"""Light students of "Efficient lower limb alignment assessment via knowledge-distilled pose estimation".

The paper names blocks and prints counts; the widths here reproduce every count of its table within 0.1 M
parameters and 0.1 GFLOPs. ``wide`` has twice the channels before the maps: sixteen are few for 25 points.
"""

from __future__ import annotations

from typing import Any, Literal

import timm
import torch
import torchvision
from jaxtyping import Float
from torch import Tensor, nn

from ajahr.errors import UserError

StudentHeadKind = Literal["paper", "wide"]
FeatureSource = Literal["forward_features", "features_only"]
"""``forward_features``: all of the feature extractor, EfficientNet's last 1 x 1 expansion included, as the paper's
counts have it. ``features_only``: the last map of stride 32 before it, a lighter model."""

_TIMM = {
    **{f"efficientnet_b{n}": f"efficientnet_b{n}" for n in range(6)},
    "mobilenetv4_small": "mobilenetv4_conv_small",
    "mobilenetv4_medium": "mobilenetv4_conv_medium",
    "mobilenetv4_large": "mobilenetv4_conv_large",
    "densenet169": "densenet169",
    "densenet201": "densenet201",
    "resnet50": "resnet50",
}
_TORCHVISION = ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5")
STUDENTS: tuple[str, ...] = (*_TORCHVISION, *_TIMM)
"""Names of backbones."""
PUBLISHED_COUNTS: dict[str, tuple[float, float]] = {
    "shufflenet_v2_x0_5": (3.2, 0.4),
    "shufflenet_v2_x1_0": (4.1, 0.6),
    "shufflenet_v2_x1_5": (5.3, 0.9),
    "mobilenetv4_medium": (9.9, 1.9),
    "mobilenetv4_large": (32.8, 4.5),
    "efficientnet_b0": (7.4, 1.1),
    "efficientnet_b1": (9.9, 1.5),
    "efficientnet_b2": (11.4, 1.7),
    "efficientnet_b3": (14.7, 2.3),
    "efficientnet_b4": (22.1, 3.5),
    "efficientnet_b5": (33.5, 5.2),
    "densenet169": (16.8, 7.1),
    "densenet201": (23.0, 9.0),
    "resnet50": (28.7, 8.6),
}
"""Millions of parameters and GFLOPs (twice the multiply-adds, 256 x 192, 17 points) of the paper's table."""


def conv_block(into: int, out: int) -> nn.Sequential:
    """3 x 3, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )


class StudentHead(nn.Sequential):
    """From a map of stride 32 to heat maps of stride 4, three times doubled by PixelShuffle."""

    def __init__(self, channels: int, points: int, kind: StudentHeadKind = "paper") -> None:
        shuffle = nn.PixelShuffle(2)
        if kind == "paper":
            refine = [conv_block(256, 128), conv_block(128, 128), shuffle, conv_block(32, 64), shuffle]
            enlarge = [conv_block(16, 32), conv_block(32, 64), shuffle, conv_block(16, 16)]
            last = 16
        else:
            refine = [conv_block(256, 192), conv_block(192, 128), shuffle, conv_block(32, 128), shuffle]
            enlarge = [conv_block(32, 64), conv_block(64, 128), shuffle, conv_block(32, 32)]
            last = 32
        super().__init__(conv_block(channels, 256), *refine, *enlarge, nn.Conv2d(last, points, 1))


class StudentBackbone(nn.Module):
    """A feature extractor of timm or torchvision, without its classifier; ``channels`` is its width."""

    def __init__(
        self, name: str, source: FeatureSource = "forward_features", pretrained: bool = False
    ) -> None:
        super().__init__()
        if name not in STUDENTS:
            raise UserError(f"'{name}' is no student backbone; give one of {', '.join(STUDENTS)}")
        self.source = source
        try:
            self.net = (
                _shufflenet(name, source, pretrained)
                if name in _TORCHVISION
                else _timm(name, source, pretrained)
            )
        except OSError as error:  # a download that failed
            raise UserError(
                f"no pretrained weights of {name} ({type(error).__name__}); set pretrained to false, or connect"
            ) from error
        with torch.no_grad():
            self.eval()
            self.channels = int(self(torch.zeros(1, 3, 64, 64)).shape[1])
            self.train()

    def forward(
        self, image: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch wide rows columns"]:
        if isinstance(self.net, nn.Sequential):  # torchvision's
            return self.net(image)
        if self.source == "features_only":
            return self.net(image)[-1]
        return self.net.forward_features(image)


def _shufflenet(name: str, source: FeatureSource, pretrained: bool) -> nn.Sequential:
    net = getattr(torchvision.models, name)(weights="DEFAULT" if pretrained else None)
    last = [net.conv5] if source == "forward_features" else []
    return nn.Sequential(net.conv1, net.maxpool, net.stage2, net.stage3, net.stage4, *last)


def _timm(name: str, source: FeatureSource, pretrained: bool) -> Any:
    if source == "features_only":
        return timm.create_model(_TIMM[name], pretrained=pretrained, features_only=True, out_indices=(-1,))
    net: Any = timm.create_model(_TIMM[name], pretrained=pretrained, num_classes=0)
    if name.startswith("mobilenetv4"):  # these follow the pooling
        net.conv_head, net.norm_head = nn.Identity(), nn.Identity()
    return net
