"""What fixes a regressor: its parts, their sizes, and where it follows the paper or the released code.

    config = RegressorConfig.preset("tiny")
    baseline = RegressorConfig.preset("paper", pose_head="tokenhmr", bpac=None)

`paper` is AJAHR as published: ViT-H, ResNet-34 with CBAM, 320 tokens. `base` and `small` have the ViT sizes of
ViTPose-B and ViTPose-S; `tiny` runs on one CPU core.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ajahr.errors import UserError
from tokenizer.config import TokenizerConfig

PoseHead = Literal["ajahr", "tokenhmr", "hmr2"]
"""``ajahr`` switches between two tokenizers, ``tokenhmr`` has one, ``hmr2`` regresses rotations linearly."""
Preset = Literal["paper", "base", "small", "tiny"]
BpacInputs = Literal["image+keypoints", "image", "keypoints"]
Rot6dLayout = Literal["row", "column"]

TOKENIZERS: dict[PoseHead, tuple[str, ...]] = {
    "ajahr": ("amputee", "intact"),
    "tokenhmr": ("single",),
    "hmr2": (),
}
"""Names of the tokenizers each pose head has."""


@dataclass(frozen=True)
class BackboneConfig:
    """The ViT. Defaults are ViTPose-H's (facts: 630,912,000 parameters).

    Args:
        width: Of the tokens; the decoder's context and BPAC-Net's token have it too.
        depth, heads: Blocks, and attention heads in each.
        mlp_ratio: Width of a block's hidden layer over ``width``.
        drop_path: Chance to skip the last block in training; earlier blocks less, linearly from 0.
        checkpointing: Recompute blocks in the backward pass instead of keeping what they made.
        resolution: Side of the crop it works at, px; the crop is averaged down to it. Published weights have 256.
        stem: Channels of a convolutional stem's three maps (`ajahr.models.stem`); None: ViTPose's patch convolution.
    """

    width: int = 1280
    depth: int = 32
    heads: int = 16
    mlp_ratio: float = 4.0
    drop_path: float = 0.55
    checkpointing: bool = False
    resolution: int = 256
    stem: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.stem is not None:
            object.__setattr__(self, "stem", tuple(self.stem))  # a file gives a list
        if self.resolution not in (256, 128, 64):
            raise UserError(f"backbone.resolution is {self.resolution}; give 256, 128 or 64")


@dataclass(frozen=True)
class BpacConfig:
    """BPAC-Net. Defaults are the paper's: ResNet-34 (it says 32, and counts 16 blocks) with CBAM in every block.

    Args:
        inputs: What it sees; a single one is Table 4(b)'s ablation.
        reads: Where its image comes from: ``pixels``, the paper's; ``features``, the backbone's finer map (which
            needs a stem), with the last two of ``widths`` and ``blocks``: a small model cannot learn to see twice.
        looks: Beside its convolutions, look at the features where the keypoints are (`ajahr.models.limb_looks`); unused
            where it sees only one of image and keypoints.
        widths, blocks: Channels and number of residual blocks of the four stages.
        resolution: Side it works at, px; the crop is averaged down to it.
        sigma: Of the heat maps' Gaussians, px of ``resolution``.
        min_confidence: Keypoints at or below it draw nothing.
        noise_ratio: Table 4(a)'s noise on keypoints, percent: Gaussian of 1.5 sqrt(ratio / 100) px at 256 px.
        loss_first: Decide first whether something is lost, by a threshold fitted on validation data, then the level
            (`models.decision`); False, as published: the likeliest level.
        legacy_demo: As the released demo feeds its checkpoint: keypoints come in pixels of the *whole image*
            and are drawn there on the crop's canvas, uncertain ones (below 0.55) at its top left corner.
    """

    inputs: BpacInputs = "image+keypoints"
    reads: Literal["pixels", "features"] = "pixels"
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    resolution: int = 256
    sigma: float = 2.0
    min_confidence: float = 0.3
    noise_ratio: float = 0.0
    loss_first: bool = False
    legacy_demo: bool = False
    looks: bool = False

    def __post_init__(self) -> None:
        if self.looks and self.reads != "features":
            raise UserError("bpac.looks needs bpac.reads: features")
        if self.resolution < 32 or 256 % self.resolution:
            raise UserError(f"bpac.resolution is {self.resolution}; give 256, 128, 64 or 32")
        if not 0 <= self.noise_ratio <= 100:
            raise UserError(f"bpac.noise_ratio is {self.noise_ratio}; give a percentage, 0 to 100")


@dataclass(frozen=True)
class DecoderConfig:
    """The transformer decoder of one query token; HMR2.0's sizes by default.

    Args:
        start_channels: So many numbers of every image token, side by side in their places, give the query its start;
            0, as published: every person's query starts alike. Attention averages tokens and must learn from data
            where each of them was; a small model has not that much data (ours).
    """

    width: int = 1024
    depth: int = 6
    heads: int = 8
    head_width: int = 64
    mlp_width: int = 1024
    start_channels: int = 0


@dataclass(frozen=True)
class TokenHeadConfig:
    """From the decoder's token to code logits; TokenHMR's sizes by default."""

    width: int = 64
    mixers: int = 4
    token_mlp_width: int = 64
    channel_mlp_width: int = 256


@dataclass(frozen=True)
class RegressorConfig:
    """A whole regressor.

    Args:
        name: What messages call it; a preset's name.
        pose_head: AJAHR's, or a baseline's.
        backbone, decoder, token_head: Sizes of the parts.
        bpac: None leaves BPAC-Net out: limb status is then what the caller gives, or intact.
        bpac_cross_attention: A second pass of the decoder over BPAC-Net's token, as the paper has it and the
            released code does not (facts 9, rows 1 and 2): False for the released checkpoint.
        tokenizers: Shapes of the tokenizers by name (`TOKENIZERS`); those not given are the paper's.
        token_residual: Add the mean pose to the decoded tokens, as TokenHMR and AJAHR do. False: the decoded
            pose is the pose, so it stays what the tokenizer learned to be one (ours; no published weights).
        foreign_token_count: Let a tokenizer's decoder resample another number of tokens than its own, as
            the released code does silently (facts 9, row 7).
        betas_limit: Norm that betas come near to and never pass (`ajahr.models.regressor.limited`), so that noise
            does not make a monster; None, as published: no limit (ours; no published weights).
        residual_head: Regress where a residual limb ends between its joints (ours; no published weights have it).
        point_reader: Read the 25 points that the backbone was taught (`ajahr.models.point_reader`; needs a stem);
            the decoder starts from them, and BPAC-Net hears whether each exists (ours).
        residual_points: A residual head hears them too, where they are read.
        rot6d: How six numbers are read as a rotation: rows (TokenHMR, AJAHR) or columns (HMR2.0).
    """

    name: str = "paper"
    pose_head: PoseHead = "ajahr"
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    bpac: BpacConfig | None = field(default_factory=BpacConfig)
    bpac_cross_attention: bool = True
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    token_head: TokenHeadConfig = field(default_factory=TokenHeadConfig)
    tokenizers: dict[str, TokenizerConfig] = field(default_factory=dict)
    num_tokens: int | None = None
    token_residual: bool = True
    foreign_token_count: bool = False
    rot6d: Rot6dLayout = "row"
    betas_limit: float | None = None
    residual_head: bool = False
    point_reader: bool = False
    residual_points: bool = False

    def __post_init__(self) -> None:
        if self.betas_limit is not None and not self.betas_limit > 0:
            raise UserError(f"betas_limit is {self.betas_limit}; give a positive norm, or null for no limit")
        bpac = self.bpac
        if (
            bpac is not None
            and bpac.reads == "features"
            and (self.backbone.stem is None or bpac.resolution != 64)
        ):
            raise UserError("bpac.reads is features: that needs backbone.stem and bpac.resolution 64")
        if self.point_reader and self.backbone.stem is None:
            raise UserError("point_reader needs backbone.stem; give one, or leave it out")
        names = self.tokenizer_names
        if unknown := sorted(set(self.tokenizers) - set(names)):
            wanted = " and ".join(names) or "none"
            raise UserError(
                f"tokenizers has {', '.join(unknown)}; the pose head {self.pose_head} has {wanted}"
            )
        if not names:
            return
        shapes = [self.tokenizer_config(name) for name in names]
        counts = {shape.num_tokens for shape in shapes}
        if len({shape.num_codes for shape in shapes}) > 1:
            raise UserError("the tokenizers have different numbers of codes, but share logits; retrain one")
        if counts != {self.tokens} and not self.foreign_token_count:
            raise UserError(
                f"the tokenizers have {' and '.join(map(str, sorted(counts)))} tokens, the token head "
                f"{self.tokens}; make them agree, or set foreign_token_count for a published checkpoint"
            )

    @property
    def tokenizer_names(self) -> tuple[str, ...]:
        """Of the tokenizers the pose head has."""
        return TOKENIZERS[self.pose_head]

    def tokenizer_config(self, name: str) -> TokenizerConfig:
        """Shape of a tokenizer."""
        return self.tokenizers.get(name, TokenizerConfig())

    @property
    def tokens(self) -> int:
        """Tokens the token head makes."""
        return self.num_tokens or self.tokenizer_config(self.tokenizer_names[0]).num_tokens

    @property
    def keypoint_frame(self) -> Literal["crop", "image"]:
        """Frame of ``bpac_keypoints``: crop units (-0.5..0.5), or px of the whole image (`legacy_demo`)."""
        return "image" if self.bpac is not None and self.bpac.legacy_demo else "crop"

    @classmethod
    def preset(cls, name: Preset | str, **changes: Any) -> RegressorConfig:
        """A preset with some fields replaced.

        Raises:
            UserError: no such preset.
        """
        if name not in _PRESETS:
            raise UserError(f"'{name}' is no preset of the regressor; take {', '.join(get_args(Preset))}")
        fields = {"name": name, **_PRESETS[name]()}
        if "pose_head" in changes and "tokenizers" not in changes and "tokenizers" in fields:
            shape = next(iter(fields["tokenizers"].values()))
            fields["tokenizers"] = dict.fromkeys(TOKENIZERS[changes["pose_head"]], shape)
        return cls(**{**fields, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as config.json has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RegressorConfig:
        """Inverse of `to_dict`.

        Raises:
            UserError: an entry that this version does not have.
        """
        values = dict(values)
        parts = {"backbone": BackboneConfig, "bpac": BpacConfig, "decoder": DecoderConfig,
                 "token_head": TokenHeadConfig}  # fmt: skip
        for key, part in parts.items():
            if values.get(key) is not None:
                values[key] = _build(part, values[key])
        shapes = values.get("tokenizers", {})
        values["tokenizers"] = {key: TokenizerConfig.from_dict(shape) for key, shape in shapes.items()}
        return _build(cls, values)


def _build(cls: type, values: dict[str, Any]) -> Any:
    known = {one.name for one in dataclasses.fields(cls)}
    if unknown := sorted(set(values) - known):
        raise UserError(f"{cls.__name__} has no {', '.join(unknown)}; was it written by another version?")
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


# -------------------------------------------------------------------------------------------- presets

_BETAS_LIMIT = 6.0
"""Of betas with unit variance one adult in 12,000 is further from the mean; the generator's are below 5.2."""
_TINY_TOKENIZER = TokenizerConfig(num_tokens=80, num_codes=512, code_dim=64, width=64)
"""configs/tokenizer/shared/model_small.yaml's."""


def _base() -> dict[str, Any]:
    return {
        "backbone": BackboneConfig(768, 12, 12, drop_path=0.3),
        "decoder": DecoderConfig(width=512, mlp_width=1024),
        "token_residual": False,
        "betas_limit": _BETAS_LIMIT,
    }


def _small() -> dict[str, Any]:
    return {
        "backbone": BackboneConfig(384, 12, 12, drop_path=0.1),
        "bpac": BpacConfig(blocks=(2, 2, 2, 2)),
        "decoder": DecoderConfig(width=384, depth=4, heads=6, mlp_width=768),
        "token_residual": False,
        "betas_limit": _BETAS_LIMIT,
    }


def _tiny() -> dict[str, Any]:
    return {
        "backbone": BackboneConfig(192, 2, 3, drop_path=0.0, stem=(32, 48, 96)),
        "bpac": BpacConfig(
            reads="features",
            widths=(24, 48, 96, 192),
            blocks=(1, 1, 1, 1),
            resolution=64,
            loss_first=True,
            looks=True,
        ),
        "decoder": DecoderConfig(width=256, depth=2, heads=4, mlp_width=512, start_channels=32),
        "token_head": TokenHeadConfig(width=32, mixers=2, token_mlp_width=32, channel_mlp_width=64),
        "tokenizers": dict.fromkeys(TOKENIZERS["ajahr"], _TINY_TOKENIZER),
        "token_residual": False,
        "betas_limit": _BETAS_LIMIT,
        "residual_head": True,
        "point_reader": True,
        "residual_points": True,
    }


_PRESETS = {"paper": dict, "base": _base, "small": _small, "tiny": _tiny}
