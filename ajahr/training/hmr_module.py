"""Training of the regressor: steps, freezing, optimiser, validation, checkpoints. Model, losses, metrics and data
live in their own files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.batch import Batch
from ajahr.errors import UserError
from ajahr.models.calibration import fit_loss_threshold, fit_temperatures
from ajahr.models.config import RegressorConfig
from ajahr.models.outputs import RegressorOutput
from ajahr.models.pretrained import body_kind
from ajahr.models.regressor import Regressor, TrainablePart
from ajahr.training.hmr_losses import HmrLoss, LossConfig, LossTerms, absent_joints
from ajahr.training.hmr_model import (
    FirstWeights,
    ModelSpec,
    build_regressor,
    config_difference,
    load_first_weights,
)
from ajahr.training.hmr_validation import Meter, person_errors
from ajahr.training.loss_watch import LossWatch
from ajahr.training.residual_validation import ResidualMeter
from tokenizer.checkpoints import read_checkpoint
from tokenizer.module import FusedOptimiser, may_fuse

_STAMP = "regressor"
_STATE_PREFIX = "regressor."
_LOGGED = (
    "total", "keypoints_3d", "keypoints_2d", "global_orient", "body_pose", "betas", "classification",
    "residual",
)  # fmt: skip


class HmrModule(FusedOptimiser):
    """A regressor in training. The defaults are the paper's (AJAHR Sec. 3.3.3 and supplementary F).

    BPAC-Net is trained with the rest. Its own decision chooses each person's tokenizer (Eq. 3). What takes body
    parts off is the label in training, so that keypoints are compared with their like, and BPAC-Net in validation.

    Args:
        model: What is trained.
        tokenizers: Checkpoints of the frozen tokenizers by name: ``amputee`` and ``intact``, or ``single``.
        body: An SMPL-format file, and which gender where there are several; None for the embedded body.
        first: Weights to start from.
        loss: Terms and their weights.
        fine_tune: What learns: ``all``; ``partial``, the paper's (last four blocks, embeddings, last two
            decoder layers, heads, BPAC-Net); ``heads``, all but the backbone; ``bpac`` alone.
        learning_rate, betas, weight_decay: Of AdamW.
        decay_norms_and_biases: As upstream. False: weight decay on matrices only.
        warmup_steps: Steps over which the learning rate rises linearly.
        schedule: ``constant``, as upstream, or ``cosine`` down to 1 % at the last step (trainer.max_steps).
        label_switch_steps: Steps in which the labels choose the tokenizer, until BPAC-Net knows something.
        calibrate: Fit BPAC-Net's temperatures and the residual head's standard deviations after every validation, on
            its data.
        seed: Of what is random in a step (drop path, noise). A step's numbers depend on it and the step alone,
            so a resumed run draws what an uninterrupted one would have.

    Logged per step: ``train/`` total and its terms. Per validation: ``val/`` total and terms, mpjpe_mm, pa_mpjpe_mm,
    mve_mm (also of amputees and intact people), limb_accuracy, limb_precision, limb_recall, limb_f1,
    hallucinated_limb_rate, false_amputation_rate, not_finite, with the residual head residual_lambda_mae,
    residual_length_mm, residual_end_mm and residual_coverage_95, and ``val/score``, mve_mm + pa_mpjpe_mm, to select
    checkpoints by: a limb drawn or removed wrongly shows in both. Without 3D labels it is the loss.
    """

    regressor: Regressor

    def __init__(
        self,
        model: ModelSpec | None = None,
        tokenizers: dict[str, Path] | None = None,
        body: Path | None = None,
        gender: str = "neutral",
        first: FirstWeights | None = None,
        loss: LossConfig | None = None,
        fine_tune: TrainablePart = "all",
        learning_rate: float = 5e-6,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 1e-4,
        decay_norms_and_biases: bool = True,
        warmup_steps: int = 0,
        schedule: Literal["constant", "cosine"] = "constant",
        label_switch_steps: int = 0,
        calibrate: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.spec = model or ModelSpec()
        self.spec.config()  # what is wrong with it is said before anything large is built
        self.tokenizers, self.body_file, self.gender = tokenizers, body, gender
        self.first = first or FirstWeights()
        self.fine_tune: TrainablePart = fine_tune
        self.loss = HmrLoss(loss)
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay
        self.decay_norms_and_biases = decay_norms_and_biases
        self.warmup_steps, self.schedule = warmup_steps, schedule
        self.label_switch_steps, self.calibrate, self.seed = label_switch_steps, calibrate, seed
        self._watch = LossWatch()
        self._meter: Meter | None = None
        self._ends: ResidualMeter | None = None
        self._loss_sums: Tensor | None = None
        self._from_checkpoint = False

    # ------------------------------------------------------------------------------------------ model

    def configure_model(self) -> None:
        """Build the regressor. Lightning calls it before it looks at a checkpoint."""
        if hasattr(self, "regressor"):
            return
        self.regressor = build_regressor(self.spec, self.tokenizers, self.body_file, self.gender)
        self.regressor.set_trainable(self.fine_tune)
        bpac = self.regressor.bpac
        config = self.regressor.config
        if bpac is not None and not (config.bpac_cross_attention or config.residual_head):
            bpac.projection.requires_grad_(False)  # nothing reads it: DDP would wait for its gradient

    @property
    def body(self) -> Body:
        """The body of predictions and labels."""
        return self.regressor.body

    def forward(self, batch: Batch) -> RegressorOutput:
        """As at inference: BPAC-Net's decision removes body parts."""
        return self.regressor(batch.image, batch.bpac_keypoints)

    # ------------------------------------------------------------------------------------------ steps

    def on_fit_start(self) -> None:
        if self._from_checkpoint:  # it has all weights, the tokenizers' too
            return
        load_first_weights(self.regressor, self.first)
        if self.tokenizers is None and self.regressor.switch is not None:
            names = " and ".join(self.regressor.config.tokenizer_names)
            raise UserError(
                f"no tokenizers: the pose head {self.regressor.config.pose_head} needs {names}; train them "
                "(configs/tokenizer) and name their checkpoints under model.init_args.tokenizers"
            )

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        step = self.trainer.fit_loop.epoch_loop.total_batch_idx
        torch.manual_seed((self.seed * 1_000_003 + step) * 65_537 + self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        terms = self.loss(self.training_output(batch), batch)
        self._watch(terms.per_person, batch.keys, self.global_step)
        self.log_dict({f"train/{name}": getattr(terms, name) for name in _LOGGED}, batch_size=len(batch))
        self.log("loss", terms.total, prog_bar=True, logger=False, batch_size=len(batch))
        return terms.total

    def training_output(self, batch: Batch) -> RegressorOutput:
        """What the loss sees: body parts are off where the labels say so; unknown limbs are drawn."""
        return self.regressor(
            batch.image,
            batch.bpac_keypoints,
            limb_levels=self._switch_levels(batch),
            removal=batch.limb_levels.clamp(min=0),
            mesh=False,
        )

    def _switch_levels(self, batch: Batch) -> Int[Tensor, "batch limbs=4"] | None:
        return batch.limb_levels if self.global_step < self.label_switch_steps else None

    def on_validation_epoch_start(self) -> None:
        self._meter, self._ends = Meter(self.device), ResidualMeter(self.device)
        self._loss_sums = torch.zeros(len(_LOGGED) + 1, dtype=torch.double, device=self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        assert self._meter is not None and self._ends is not None and self._loss_sums is not None
        output = self(batch)
        absent = absent_joints(batch.limb_levels, self.loss._absent_table)
        self._meter.add(person_errors(output, batch, self.body, absent), output, batch.limb_levels)
        self._ends.add(output, batch, self.body)
        terms: LossTerms = self.loss(output, batch)
        values = [getattr(terms, name).double() for name in _LOGGED]
        people = float(len(batch)) if self.loss.config.reduction == "mean" else 1.0
        self._loss_sums += torch.stack([*values, values[0].new_ones(())]) * people

    def on_validation_epoch_end(self) -> None:
        assert self._meter is not None and self._ends is not None and self._loss_sums is not None
        self._meter.reduce(self._sum_over_ranks)
        self._ends.reduce(self._sum_over_ranks)
        *sums, count = self._sum_over_ranks(self._loss_sums).tolist()
        values = {name: value / max(count, 1.0) for name, value in zip(_LOGGED, sums, strict=True)}
        values |= self._meter.results() | self._ends.results()
        values["score"] = (
            values["mve_mm"] + values["pa_mpjpe_mm"] if "mve_mm" in values and "pa_mpjpe_mm" in values
            else values.get("pa_mpjpe_mm", values["total"])
        )  # fmt: skip
        self.log_dict({f"val/{name}": value for name, value in values.items()}, sync_dist=True)
        self.log("score", values["score"], prog_bar=True, logger=False, sync_dist=True)
        if self.calibrate and self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            self._calibrate(self._meter)
            if self.regressor.residual_head is not None:
                self.regressor.residual_head.std_scale.copy_(self._ends.std_scales())
        self._meter = self._ends = self._loss_sums = None

    def on_test_epoch_start(self) -> None:
        self.on_validation_epoch_start()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        self.on_validation_epoch_end()

    def _sum_over_ranks(self, value: Tensor) -> Tensor:
        total = self.trainer.strategy.reduce(value, reduce_op="sum")
        assert isinstance(total, Tensor)
        return total

    def _calibrate(self, meter: Meter) -> None:
        """Temperatures by the logits of all ranks, which need not have equally many."""
        bpac = self.regressor.bpac
        if bpac is None or not meter.logits:
            return
        mine = (torch.cat(meter.logits).cpu(), torch.cat(meter.levels).cpu())
        everybody = [mine]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            everybody = [mine] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(everybody, mine)
        logits, levels = (torch.cat(parts) for parts in zip(*everybody, strict=True))
        if bool((levels >= 0).any()) and bool(logits.isfinite().all()):
            bpac.temperature.copy_(fit_temperatures(logits, levels))
            if bpac.config.loss_first:
                chances = bpac.probabilities(logits.to(bpac.temperature))
                bpac.loss_threshold.fill_(fit_loss_threshold(chances, levels.to(chances.device)))

    # -------------------------------------------------------------------------------------- optimiser

    def configure_optimizers(self) -> Any:
        groups = parameter_groups(self.regressor, self.weight_decay, everything=self.decay_norms_and_biases)
        fused = may_fuse(self._trainer)
        optimizer = torch.optim.AdamW(groups, self.learning_rate, self.betas, fused=fused)
        # a plain function: what else is callable, LambdaLR would put into the checkpoint
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.learning_rate_factor(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """Warm-up times schedule: the factor on ``learning_rate`` at a step.

        Raises:
            UserError: a cosine without an end.
        """
        warmup = min(1.0, (step + 1) / (self.warmup_steps + 1))
        if self.schedule == "constant":
            return warmup
        last = self.trainer.max_steps
        if last <= 0:
            raise UserError("the cosine schedule needs an end; give trainer.max_steps")
        done = min(max(step - self.warmup_steps, 0) / max(last - self.warmup_steps, 1), 1.0)
        return warmup * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)

    # ------------------------------------------------------------------------------------ checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._watch.settle()  # weights that a bad step has spoilt are not written
        checkpoint[_STAMP] = {
            "config": self.regressor.config.to_dict(),
            "body": body_kind(self.body),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        config, body = _stamp_of(checkpoint, "the checkpoint")
        if difference := config_difference(config, self.regressor.config):
            raise UserError(
                f"the checkpoint is of another model: {difference}; give the YAML it was made with"
            )
        if body != body_kind(self.body):
            raise UserError(
                f"the checkpoint was trained with the body {body}, not {body_kind(self.body)}; give that body"
            )
        self._from_checkpoint = True


def parameter_groups(module: nn.Module, weight_decay: float, *, everything: bool) -> list[dict[str, Any]]:
    """Parameters that learn, for AdamW; without ``everything``, vectors (norms, biases) in a group without decay."""
    learning = [p for p in module.parameters() if p.requires_grad]
    if everything:
        return [{"params": learning, "weight_decay": weight_decay}]
    return [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]


def load_trained(path: str | Path, body: Body | None = None) -> Regressor:
    """The regressor in a training checkpoint, in evaluation mode on the CPU, its frozen tokenizers included.

    Raises:
        UserError, InputError: not such a checkpoint, or one made with another body.
    """
    checkpoint = read_checkpoint(path)
    config, trained_with = _stamp_of(checkpoint, str(path))
    body = body or Body(load_body())
    if trained_with != body_kind(body):
        raise UserError(
            f"{path}: trained with the body {trained_with}, not {body_kind(body)}; give that body"
        )
    regressor = Regressor(config, body, empty=True)
    state: Mapping[str, Tensor] = checkpoint["state_dict"]
    own = {k.removeprefix(_STATE_PREFIX): v for k, v in state.items() if k.startswith(_STATE_PREFIX)}
    for name in config.tokenizer_names:
        if not any(key.startswith(f"switch.decoders.{name}.") for key in own):
            raise UserError(
                f"{path}: no tokenizer '{name}' in it, without which its codes are no pose; train again with "
                "model.init_args.tokenizers, or give another checkpoint"
            )
    regressor.load_state_dict(own, assign=True)
    return regressor.eval()


def _stamp_of(checkpoint: dict[str, Any], what: str) -> tuple[RegressorConfig, str]:
    if _STAMP not in checkpoint:
        raise UserError(f"{what} is not one of a regressor; give one that `ajahr fit` wrote from configs/hmr")
    return RegressorConfig.from_dict(checkpoint[_STAMP]["config"]), checkpoint[_STAMP]["body"]
