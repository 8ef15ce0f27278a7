"""From a config to a regressor that is ready to train: preset, tokenizers, body, first weights."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.errors import UserError
from ajahr.models.backbone import Backbone
from ajahr.models.config import BpacInputs, PoseHead, Preset, RegressorConfig
from ajahr.models.pretrained import initialise_from
from ajahr.models.regressor import Regressor
from ajahr.training.keypoints_module import open_model
from tokenizer.module import load_trained as load_trained_tokenizer
from tokenizer.upstream import import_published
from tokenizer.vqvae import PoseTokenizer

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelSpec:
    """What is trained: a preset with the changes that the paper's tables make.

    Args:
        preset: Sizes of everything.
        pose_head: AJAHR's, or a baseline's (Table 4c).
        bpac: Whether BPAC-Net is there.
        bpac_inputs: What it sees (Table 4b).
        bpac_cross_attention: Whether the decoder attends to its token (Table B).
        keypoint_noise: Noise on its keypoints, percent (Table 4a).
        single: One of AJAHR's two tokenizers for everybody, instead of the switch (Table 4e).
        drop_path: Of the backbone; None: the preset's.
        checkpointing: Recompute the backbone's blocks in the backward pass: less memory, more time.
        residual_head: Whether it regresses the ends of residual limbs; None: the preset's.
        whole: Every size by hand, instead of all of the above.
    """

    preset: Preset = "paper"
    pose_head: PoseHead = "ajahr"
    bpac: bool = True
    bpac_inputs: BpacInputs = "image+keypoints"
    bpac_cross_attention: bool = True
    keypoint_noise: float = 0.0
    single: Literal["amputee", "intact"] | None = None
    drop_path: float | None = None
    checkpointing: bool = False
    residual_head: bool | None = None
    whole: RegressorConfig | None = None

    def config(self) -> RegressorConfig:
        """The regressor's config."""
        if self.whole is not None:
            return self.whole
        if self.single is not None and self.pose_head != "ajahr":
            raise UserError(
                f"model.single is given, but the pose head {self.pose_head} has no two tokenizers"
            )
        head = self.pose_head if self.single is None else "tokenhmr"
        config = RegressorConfig.preset(self.preset, pose_head=head)
        backbone = replace(config.backbone, checkpointing=self.checkpointing)
        if self.drop_path is not None:
            backbone = replace(backbone, drop_path=self.drop_path)
        if self.residual_head is not None:
            config = replace(config, residual_head=self.residual_head)
        bpac = None
        if self.bpac and config.bpac is not None:
            bpac = replace(config.bpac, inputs=self.bpac_inputs, noise_ratio=self.keypoint_noise)
        return replace(config, backbone=backbone, bpac=bpac, bpac_cross_attention=self.bpac_cross_attention)


@dataclass(frozen=True)
class FirstWeights:
    """Where training starts. Whatever is not given starts at random.

    Args:
        regressor: A folder of `ajahr import-weights` or of a run of ours: TokenHMR's or HMR2.0's weights, or a
            ViTPose backbone. What has the same name and shape is taken.
        keypoints: A keypoint model's folder or training checkpoint, of the same backbone with a stem.
        bpac_imagenet: A torchvision ResNet checkpoint for BPAC-Net.
    """

    regressor: Path | None = None
    keypoints: Path | None = None
    bpac_imagenet: Path | None = None


def build_regressor(
    spec: ModelSpec,
    tokenizers: dict[str, Path] | None = None,
    body: Path | None = None,
    gender: str = "neutral",
) -> Regressor:
    """The regressor, without its first weights.

    Args:
        tokenizers: Files of the tokenizers the pose head has, by name: .ckpt of `ajahr fit`, or published .pth.
            None: untrained ones, of the preset's shapes, for a checkpoint to fill.
        body: An SMPL-format file; None for the embedded body.

    Raises:
        UserError, InputError: a file that is missing or not what it should be.
    """
    trained = None
    if tokenizers is not None:
        wanted = spec.config().tokenizer_names
        if spec.single is not None and spec.whole is None:
            tokenizers = {"single": tokenizers[spec.single]} if spec.single in tokenizers else {}
        if missing := [name for name in wanted if name not in tokenizers]:
            raise UserError(
                f"no tokenizer named {' or '.join(missing)}; the pose head {spec.config().pose_head} needs "
                f"{' and '.join(wanted)}: train them first (configs/tokenizer) and name their checkpoints"
            )
        trained = {name: _open_tokenizer(tokenizers[name]) for name in wanted}
    return Regressor(spec.config(), Body(load_body(body, gender=gender)), trained or None)


def load_first_weights(regressor: Regressor, first: FirstWeights) -> None:
    """Fill what the files have, and say in the log which parts start how."""
    if first.bpac_imagenet is not None:
        if regressor.bpac is None:
            raise UserError("first.bpac_imagenet is given, but there is no BPAC-Net; leave it out")
        regressor.bpac.load_imagenet(first.bpac_imagenet)
    if first.keypoints is not None:
        model = open_model(first.keypoints)
        backbone = model.backbone
        if not isinstance(backbone, Backbone) or backbone.config != regressor.backbone.config:
            raise UserError(
                f"{first.keypoints}: its backbone is not the regressor's; train one of "
                f"configs/keypoints/trunk.yaml, or leave first.keypoints out"
            )
        regressor.backbone.load_state_dict(backbone.state_dict())
        if regressor.point_reader is not None:
            if model.config.presence != "body":
                raise UserError(
                    f"{first.keypoints}: has the presence head {model.config.presence}; train one with body "
                    "(configs/keypoints/trunk.yaml)"
                )
            heads = {"head": model.head, "presence_head": model.presence_head}
            regressor.point_reader.load_state_dict(nn.ModuleDict(heads).state_dict())
    if first.regressor is not None:
        report = initialise_from(regressor, first.regressor)
        said = "; ".join(f"{how}: {', '.join(parts)}" for how, parts in report.items() if parts)
        _LOG.info("first weights of %s: %s", first.regressor, said)


def _open_tokenizer(path: Path) -> PoseTokenizer:
    return import_published(path) if path.suffix == ".pth" else load_trained_tokenizer(path)


def config_difference(theirs: RegressorConfig, ours: RegressorConfig) -> str:
    """The first setting of two configs that differs and matters to the weights; empty if none."""
    a, b = flatten(theirs.to_dict()), flatten(ours.to_dict())
    unimportant = ("name", "backbone.drop_path", "backbone.checkpointing", "bpac.noise_ratio")
    for key in sorted(a.keys() | b.keys()):
        if key not in unimportant and a.get(key) != b.get(key):
            return f"{key} is {a.get(key)} there and {b.get(key)} here"
    return ""


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` to ``{"a.b": 1}``; sequences as tuples, which a file gives back as lists."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = tuple(value) if isinstance(value, list) else value
    return flat
