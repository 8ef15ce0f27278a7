"""Training of a 25-keypoint model, by labels or by labels and a teacher. Crops come from `keypoints_data`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ajahr.data.ldpose import EXCLUDES, JOINT_WEIGHTS, LIMB_POINTS
from ajahr.errors import UserError
from ajahr.keypoints.codec import decode_heatmaps, decode_simcc, heatmap_targets, simcc_targets
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.ld_loss import LDLoss, LDLossForm, presence_loss
from ajahr.keypoints.losses import DistillationLoss, absent_points, heatmap_mse, simcc_loss
from ajahr.keypoints.model import KeypointModel, load_keypoints, with_residual_ends
from ajahr.keypoints.output import KeypointOutput
from ajahr.keypoints.predictor import normalise, predict
from ajahr.keypoints.published import import_keypoints
from ajahr.training.keypoints_data import KeypointBatch
from tokenizer.checkpoints import read_checkpoint
from tokenizer.errors import InputError
from tokenizer.module import FusedOptimiser, may_fuse

_CONFIG_KEY, _STATE_PREFIX = "keypoint_config", "model."
LAYER_DECAY = {"vit_tiny": 0.9, "vit_small": 0.8, "vit_base": 0.75, "vit_large": 0.8, "vit_huge": 0.85}
"""ViTPose's factor on the learning rate from one block to the one before it."""


@dataclass(frozen=True)
class KeypointLossConfig:
    """What is learned.

    Args:
        kind: ``mse`` as ViTPose, or ``distill``: adaptive wing on labels, and on a teacher where there is one.
            A SimCC head has RTMPose's loss whatever it says.
        ld_form: which LDLoss; None for none.
        ld_weight: its weight; None for the form's usual one.
        presence_weight: of cross-entropy of the presence head.
        peak_weight: weight of a map's peak beside its floor, for ``mse`` from scratch; 0 as published.
        absent_weight: teach points known to be absent an empty map, by this share of a label's weight; 0 as published.
        teacher_share: a of (1 - a) labels + a teacher.
    """

    kind: Literal["mse", "distill"] = "mse"
    ld_form: LDLossForm | None = "pairwise"
    ld_weight: float | None = None
    presence_weight: float = 1e-3
    peak_weight: float = 0.0
    absent_weight: float = 0.0
    teacher_share: float = 0.7


class KeypointModule(FusedOptimiser):
    """A keypoint model in training; the defaults are ViTPose's.

    Args:
        model: What is trained.
        first: A folder of `save_keypoints`, or a published model, to start from; one of 17 points grows to 25.
        pretrained: ImageNet weights for a student's backbone (downloads).
        teacher: A keypoint model's folder or a published one, of 17 or 25 points; for kind ``distill``.
        loss: Its terms.
        learning_rate, weight_decay: Of AdamW; norms and biases do not decay.
        layer_decay: Factor per block of a ViT; None for ViTPose's of that size.
        warmup_steps: Linear, from a thousandth.
        schedule: ``cosine`` to 1 % at the last step, ``steps`` (a tenth at 81 % and again at 95 % of all steps, as
            ViTPose), or ``constant``.
        flip_test: In validation.

    Logged: ``train/`` total and its terms; ``val/`` error_px (median over labelled points of the crop), residual_px
    (of residual ends alone), pck (share within a tenth of the crop's width), contradictions (share of limbs of which
    two points that exclude each other score above 0.3), and ``val/score``, the mean of
    exp(-(d/10)^2 / 2), to select by.
    """

    def __init__(
        self,
        model: KeypointConfig | None = None,
        first: Path | None = None,
        pretrained: bool = False,
        teacher: Path | None = None,
        loss: KeypointLossConfig | None = None,
        learning_rate: float = 5e-4,
        weight_decay: float = 0.1,
        layer_decay: float | None = None,
        warmup_steps: int = 500,
        schedule: Literal["cosine", "steps", "constant"] = "steps",
        flip_test: bool = True,
    ) -> None:
        super().__init__()
        self.config, self.terms = model or KeypointConfig(), loss or KeypointLossConfig()
        if self.config.points != 25:
            raise UserError(f"points is {self.config.points}; training data have 25")
        needs_teacher = self.terms.kind == "distill" and self.terms.teacher_share > 0
        if needs_teacher != (teacher is not None):
            raise UserError(
                "a teacher goes with loss kind distill and a teacher_share above 0; give both or neither"
            )
        if self.terms.ld_form == "algorithm1" and self.config.presence == "none":
            raise UserError(
                "ld_form algorithm1 needs a presence head; set model.presence to pool, keypoint or body"
            )
        if self.terms.kind == "distill" and self.config.head_kind == "simcc":
            raise UserError("distillation is of heat maps; give another head than simcc")
        self.model = KeypointModel(self.config, pretrained=pretrained)
        if first is not None:
            _start_from(self.model, first)
        # in a tuple, so not a submodule: a teacher does not travel with a checkpoint
        self._teacher = () if teacher is None else (open_model(teacher).requires_grad_(False).eval(),)
        self.ld_loss = (
            None if self.terms.ld_form is None else LDLoss(self.terms.ld_form, self.terms.ld_weight)
        )
        self.distillation = DistillationLoss(self.terms.teacher_share, absent_weight=self.terms.absent_weight)
        self.learning_rate, self.weight_decay, self.layer_decay = learning_rate, weight_decay, layer_decay
        self.warmup_steps, self.schedule, self.flip_test = warmup_steps, schedule, flip_test
        self._errors: list[tuple[Tensor, Tensor, Tensor]] = []

    # ------------------------------------------------------------------------------------------ steps

    def training_step(self, batch: KeypointBatch, batch_idx: int) -> Tensor:
        image = normalise(batch.pixels)
        logs = self.losses(self.model(image), image, batch)
        size = len(batch.pixels)
        self.log_dict({f"train/{name}": value for name, value in logs.items()}, batch_size=size)
        self.log("loss", logs["total"], prog_bar=True, logger=False, batch_size=size)
        return logs["total"]

    def losses(
        self, output: KeypointOutput, image: Tensor, batch: KeypointBatch
    ) -> dict[str, Float[Tensor, ""]]:
        """The weighted terms and their total."""
        labelled = batch.visibility > 0
        joint = torch.from_numpy(JOINT_WEIGHTS.copy()).to(image.device)
        terms = {"keypoints": self._keypoint_loss(output, image, batch, labelled, joint)}
        if self.ld_loss is not None:
            terms["ld"] = self.ld_loss(output.peaks, output.presence_logits, labelled, batch.presence)
        if output.presence_logits is not None and self.terms.presence_weight:
            terms["presence"] = self.terms.presence_weight * presence_loss(
                output.presence_logits, batch.presence
            )
        return {"total": torch.stack(list(terms.values())).sum(), **terms}

    def _keypoint_loss(
        self, output: KeypointOutput, image: Tensor, batch: KeypointBatch, labelled: Tensor, joint: Tensor
    ) -> Tensor:
        if output.simcc is not None:
            target, seen = simcc_targets(batch.points, labelled, self.config.split_ratio)
            return simcc_loss(output.simcc, target, seen * joint)
        assert output.heatmaps is not None
        maps = heatmap_targets(batch.points, labelled)
        weights = maps.seen * joint
        if self.terms.kind == "distill":
            taught = None
            if self._teacher:
                with torch.no_grad():
                    taught = self._teacher[0](image).heatmaps
            return self.distillation(output.heatmaps, maps.heatmaps, weights, batch.presence, taught)
        weights = torch.where(absent_points(batch.presence), self.terms.absent_weight, weights)
        return heatmap_mse(output.heatmaps, maps.heatmaps, weights, self.terms.peak_weight)

    def _apply(self, fn: Any, recurse: bool = True) -> KeypointModule:
        """Also takes the teacher along to another device."""
        for teacher in self._teacher:
            teacher._apply(fn)
        return super()._apply(fn, recurse)

    # ------------------------------------------------------------------------------------- validation

    def on_validation_epoch_start(self) -> None:
        self._errors = []

    def validation_step(self, batch: KeypointBatch, batch_idx: int) -> None:
        output = predict(self.model, normalise(batch.pixels), self.flip_test)
        if output.heatmaps is not None:
            found = decode_heatmaps(output.heatmaps)
        else:
            assert output.simcc is not None
            found = decode_simcc(output.simcc, self.config.split_ratio)
        distance = (found.points - batch.points).norm(dim=-1)
        self._errors.append((distance.cpu(), (batch.visibility > 0).cpu(), output.scores.float().cpu()))

    def on_validation_epoch_end(self) -> None:
        distance, seen, scores = (torch.cat(part) for part in zip(*self._errors, strict=True))
        for name, value in validation_figures(distance, seen, scores).items():
            self.log(f"val/{name}", value, prog_bar=name == "score", sync_dist=True)

    def test_step(self, batch: KeypointBatch, batch_idx: int) -> None:
        self.validation_step(batch, batch_idx)

    on_test_epoch_start = on_validation_epoch_start
    on_test_epoch_end = on_validation_epoch_end

    # -------------------------------------------------------------------------------------- optimiser

    def configure_optimizers(self) -> Any:
        groups = parameter_groups(self.model, self.learning_rate, self.weight_decay, self.layer_decay)
        optimizer = torch.optim.AdamW(groups, self.learning_rate, fused=may_fuse(self._trainer))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.learning_rate_factor(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """Warm-up times schedule at a step."""
        warmup = min(1.0, 0.001 + 0.999 * step / self.warmup_steps) if self.warmup_steps else 1.0
        if self.schedule == "constant":
            return warmup
        done = step / max(1, int(self.trainer.estimated_stepping_batches))
        if self.schedule == "steps":
            return warmup * 0.1 ** ((done >= 170 / 210) + (done >= 200 / 210))
        return warmup * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))

    # ------------------------------------------------------------------------------------ checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[_CONFIG_KEY] = self.config.to_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if checkpoint.get(_CONFIG_KEY) != self.config.to_dict():
            raise UserError("the checkpoint is of another keypoint model; give the YAML it was made with")


def validation_figures(
    distance: Float[Tensor, "people points=25"], seen: Tensor, scores: Float[Tensor, "people points=25"]
) -> dict[str, float]:
    """Figures of a validation, in px of the crop; NaN where nothing is labelled."""
    residual = seen & (torch.arange(seen.shape[1]) >= 17)
    errors = distance[seen]
    claimed = np.asarray(scores > 0.3)
    impossible = np.asarray((claimed[:, :, None] & claimed[:, None] & EXCLUDES).any(-1))
    return {
        "error_px": float(errors.median()) if len(errors) else math.nan,
        "residual_px": float(distance[residual].median()) if residual.any() else math.nan,
        "pck": float((errors < 19.2).float().mean()) if len(errors) else math.nan,
        "contradictions": float(np.mean(impossible[:, LIMB_POINTS].any(-1))),
        "score": float(torch.exp(-((errors / 10) ** 2) / 2).mean()) if len(errors) else math.nan,
    }


def parameter_groups(
    model: KeypointModel, learning_rate: float, weight_decay: float, layer_decay: float | None = None
) -> list[dict[str, Any]]:
    """AdamW's groups: norms, biases and positions do not decay; a ViT's early blocks learn more slowly."""
    depth = model.config.vit.depth if model.config.is_vit else 0
    decay = 1.0 if not depth else (layer_decay or LAYER_DECAY[model.config.backbone])
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if name.startswith("backbone.blocks."):
            layer = int(name.split(".")[2]) + 1
        elif depth and name.startswith(("backbone.patch_embed", "backbone.pos_embed")):
            layer = 0
        else:
            layer = depth + 1 if not name.startswith("backbone.") else depth
        decays = parameter.ndim > 1 and "pos_embed" not in name
        rate = learning_rate * decay ** (depth + 1 - layer)
        group = groups.setdefault(
            (layer, decays), {"params": [], "lr": rate, "weight_decay": weight_decay if decays else 0.0}
        )
        group["params"].append(parameter)
    return list(groups.values())


def open_model(path: str | Path) -> KeypointModel:
    """A keypoint model of this project or a published one, whichever the path is."""
    path = Path(path)
    try:
        return load_keypoints(path)
    except UserError as ours:
        if not path.exists():
            raise
        try:
            return import_keypoints(path)
        except (UserError, InputError) as published:
            raise UserError(f"{ours}; nor is it a published one ({published})") from None


def load_trained(path: str | Path) -> KeypointModel:
    """The model in a training checkpoint, in evaluation mode on the CPU."""
    checkpoint = read_checkpoint(path)
    if _CONFIG_KEY not in checkpoint:
        raise UserError(f"{path}: not a checkpoint of a keypoint model")
    model = KeypointModel(KeypointConfig.from_dict(checkpoint[_CONFIG_KEY], str(path)))
    state = checkpoint["state_dict"]
    model.load_state_dict(
        {k.removeprefix(_STATE_PREFIX): v for k, v in state.items() if k.startswith(_STATE_PREFIX)}
    )
    return model.eval()


def _start_from(model: KeypointModel, path: Path) -> None:
    first: nn.Module = open_model(path)
    assert isinstance(first, KeypointModel)
    if first.config.points == 17:
        first = with_residual_ends(first)
    config = model.config
    if (first.config.backbone, first.config.head_kind) != (config.backbone, config.head_kind):
        raise UserError(
            f"{path}: has {first.config.backbone} and head {first.config.head_kind}, the model {config.backbone} and "
            f"{config.head_kind}; change one of them"
        )
    state = first.state_dict()
    if first.config.presence != config.presence:  # another head: it starts anew
        state = {name: value for name, value in state.items() if not name.startswith("presence_head.")}
    missing, unexpected = model.load_state_dict(state, strict=False)
    left = [name for name in (*missing, *unexpected) if not name.startswith("presence_head.")]
    if left:
        raise UserError(f"{path}: {len(left)} tensors do not fit ({left[0]})")
