"""What fixes a keypoint model: backbone, head, number of points. As JSON it goes with the weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ajahr.errors import UserError
from ajahr.keypoints.students import STUDENTS, FeatureSource
from ajahr.models.config import BackboneConfig, RegressorConfig
from ajahr.models.point_heads import PresenceKind

Head = Literal["classic", "simple", "simcc", "paper", "wide", "shuffle"]
"""``classic``, ``simple``: ViTPose's, on a ViT. ``shuffle``: on a ViT with a stem.
``paper``, ``wide``: the students', on the others. ``simcc``:
RTMPose's, on either."""
VITS: dict[str, tuple[int, int, int, float]] = {
    "vit_tiny": (192, 4, 3, 0.0),
    "vit_small": (384, 12, 12, 0.1),
    "vit_base": (768, 12, 12, 0.3),
    "vit_large": (1024, 24, 16, 0.5),
    "vit_huge": (1280, 32, 16, 0.55),
}
"""Width, depth, heads and chance to skip the last block; ViTPose's sizes, and one that learns on a CPU."""
STEMS = {"vit_tiny_stem": RegressorConfig.preset("tiny").backbone}
"""Backbones with a convolutional stem: the tiny regressor's, which starts from what a keypoint model learned."""
BACKBONES = (*VITS, *STEMS, *STUDENTS)
STRIDE = 4
"""Pixels of the input per cell of the heat maps."""


@dataclass(frozen=True)
class KeypointConfig:
    """A keypoint model.

    Args:
        backbone: one of `VITS`, `STEMS` or `ajahr.keypoints.students.STUDENTS`.
        head: None takes ``classic`` for a ViT, ``shuffle`` for one with a stem and ``paper`` for a student.
        points: 25, or 17 for COCO's.
        presence: a head that says whether each point exists.
        feature_source: which feature map of a student's backbone.
        split_ratio: bins of a SimCC head per pixel of the input.
    """

    backbone: str = "vit_base"
    head: Head | None = None
    points: int = 25
    presence: PresenceKind = "none"
    feature_source: FeatureSource = "forward_features"
    split_ratio: int = 2

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise UserError(f"'{self.backbone}' is no backbone; give one of {', '.join(BACKBONES)}")
        if self.points not in (17, 25):
            raise UserError(f"points is {self.points}; give 25, or 17 for COCO's keypoints")
        fitting = ("classic", "simple", "simcc") if self.is_vit else ("paper", "wide", "simcc")
        if self.has_stem:
            fitting = ("shuffle",)
        if self.head_kind not in fitting:
            raise UserError(
                f"head {self.head} does not go with {self.backbone}; give one of {', '.join(fitting)}"
            )
        if self.presence in ("keypoint", "body") and self.head_kind == "simcc":
            raise UserError(
                f"presence {self.presence} needs heat maps, which head simcc has not; give presence pool"
            )
        if self.split_ratio < 1:
            raise UserError(f"split_ratio is {self.split_ratio}; give 1 or more")

    @property
    def is_vit(self) -> bool:
        return self.backbone in VITS

    @property
    def has_stem(self) -> bool:
        return self.backbone in STEMS

    @property
    def head_kind(self) -> Head:
        """The head, the backbone's usual one where none is named."""
        return self.head or ("classic" if self.is_vit else "shuffle" if self.has_stem else "paper")

    @property
    def vit(self) -> BackboneConfig:
        """Sizes of the ViT."""
        if self.has_stem:
            return STEMS[self.backbone]
        width, depth, heads, drop_path = VITS[self.backbone]
        return BackboneConfig(width, depth, heads, drop_path=drop_path)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, tree: dict[str, Any], where: str) -> KeypointConfig:
        """UserError naming ``where`` for keys or values that are not a model's."""
        names = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(tree) - names)
        if unknown:
            raise UserError(
                f"{where}: '{unknown[0]}' is no key of a keypoint model; was it made by a newer version?"
            )
        choices = {"head": (None, *get_args(Head)), "presence": get_args(PresenceKind)}
        for name, allowed in choices.items():
            if name in tree and tree[name] not in allowed:
                raise UserError(f"{where}: {name} is {tree[name]!r}, expected one of {allowed}")
        return cls(**tree)
