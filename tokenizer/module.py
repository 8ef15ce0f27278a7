"""Training of a pose tokenizer: loss, metrics, optimiser. Model, losses and data live in their own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.utilities import GradClipAlgorithmType
from torch import Tensor, nn

from tokenizer.checkpoints import read_checkpoint
from tokenizer.config import TokenizerConfig
from tokenizer.datamodule import PoseBatch
from tokenizer.errors import InputError
from tokenizer.losses import (
    LossTerms,
    LossWeights,
    Mesh,
    MeshFn,
    area_vertex_weights,
    position_error_mm,
    tokenizer_loss,
)
from tokenizer.quantizer import perplexity
from tokenizer.rotations import geodesic_angle
from tokenizer.vqvae import PoseTokenizer, Reconstruction

_CONFIG_KEY = "tokenizer_config"
_STATE_PREFIX = "tokenizer."


class FusedOptimiser(pl.LightningModule):
    """A module whose gradients are clipped under an optimiser that `may_fuse`: Lightning refuses fused ones under any
    mixed precision, although in bfloat16 nothing is scaled."""

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        plugin = self.trainer.precision_plugin
        if gradient_clip_val and isinstance(plugin, MixedPrecision) and plugin.scaler is None:
            norm = GradClipAlgorithmType(gradient_clip_algorithm or "norm")
            Precision.clip_gradients(plugin, optimizer, gradient_clip_val, norm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)


class TokenizerModule(FusedOptimiser):
    """A tokenizer in training. The defaults are the paper's (AJAHR Sec. 3.3.2 and supplementary H).

    Args:
        config: Shape of the tokenizer.
        mesh_fn: Rotations to vertices and joints of a body with root at identity and mean shape. Without one
            only rotations are learned and measured, and the joint and vertex weights must be 0.
        loss: Weights of the loss terms.
        learning_rate, betas, weight_decay: Of AdamW.
        milestones: Steps at which the learning rate is multiplied by ``gamma``.
        warmup_steps: Steps over which the learning rate rises linearly to its value.
        freeze_codebook_after: Step from which the codebook stays as it is. TokenHMR's released
            trainer does so by accident at 2500; None, the default, never.

    Logged per step: ``train/`` loss, its terms, perplexity, dead_codes (share of codes the moving average
    gave up). Per validation: ``val/`` score, rotation_deg, mpjpe_mm, mve_mm (also for amputees and intact
    poses apart), perplexity and dead_codes over all validation poses. The score, mpjpe_mm + mve_mm or else
    rotation_deg, is the one to select checkpoints by.
    """

    def __init__(
        self,
        config: TokenizerConfig | None = None,
        mesh_fn: MeshFn | None = None,
        loss: LossWeights | None = None,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 1e-5,
        milestones: list[int] | None = None,
        gamma: float = 0.05,
        warmup_steps: int = 0,
        freeze_codebook_after: int | None = None,
    ) -> None:
        super().__init__()
        self.tokenizer = PoseTokenizer(config)
        self.loss = loss or LossWeights()
        if mesh_fn is None and self.loss.needs_mesh:
            raise InputError("joint and vertex losses need a body: give mesh_fn, or set their weights to 0")
        # in a tuple, so not a submodule: a body file's arrays must not travel with a checkpoint
        self._mesh_fn = (mesh_fn,)
        self._vertex_weights: Tensor | None = None
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay
        self.milestones = [75_000, 100_000] if milestones is None else milestones
        self.gamma, self.warmup_steps = gamma, warmup_steps
        self.freeze_codebook_after = freeze_codebook_after
        self._code_counts = torch.zeros(self.tokenizer.config.num_codes, dtype=torch.long)

    @property
    def mesh_fn(self) -> MeshFn | None:
        """The body, if there is one."""
        return self._mesh_fn[0]

    def _apply(self, fn: Any, recurse: bool = True) -> TokenizerModule:
        """Also takes the body along to another device."""
        if isinstance(self.mesh_fn, nn.Module):
            self.mesh_fn._apply(fn)
        return super()._apply(fn, recurse)

    # ------------------------------------------------------------------------------------------ steps

    def training_step(self, batch: PoseBatch, batch_idx: int) -> Tensor:
        freeze = self.freeze_codebook_after
        self.tokenizer.quantizer.updating = freeze is None or self.global_step < freeze
        reconstruction, terms, _, _ = self._reconstruct(batch)
        logs = {f"train/{name}": value for name, value in terms._asdict().items()}
        logs["train/perplexity"] = reconstruction.quantized.perplexity
        logs["train/dead_codes"] = self.tokenizer.quantizer.dead_code_fraction
        self.log_dict(logs, batch_size=len(batch.rotmats))
        self.log("loss", terms.total, prog_bar=True, logger=False, batch_size=len(batch.rotmats))
        return terms.total

    def on_validation_epoch_start(self) -> None:
        self._code_counts = torch.zeros(self.tokenizer.config.num_codes, dtype=torch.long, device=self.device)

    def validation_step(self, batch: PoseBatch, batch_idx: int) -> None:
        reconstruction, terms, mesh, target = self._reconstruct(batch)
        self._log_means(
            "val", {name: value.expand(len(batch.rotmats)) for name, value in terms._asdict().items()}
        )
        errors = {"rotation_deg": geodesic_angle(reconstruction.rotmats, batch.rotmats).mean(-1).rad2deg()}
        score = errors["rotation_deg"]
        if mesh is not None and target is not None:
            errors["mpjpe_mm"] = position_error_mm(mesh.joints, target.joints)
            errors["mve_mm"] = position_error_mm(mesh.vertices, target.vertices)
            score = errors["mpjpe_mm"] + errors["mve_mm"]
        self._log_means("val", errors)
        amputee = batch.absent_joints.any(-1)
        for kind, mine in (("amputee", amputee), ("intact", ~amputee)):
            self._log_means("val", {f"{name}_{kind}": value[mine] for name, value in errors.items()})
        self.log("val/score", score.mean(), batch_size=len(score), sync_dist=True, prog_bar=True)
        self._code_counts += torch.bincount(
            reconstruction.quantized.indices.flatten(), minlength=len(self._code_counts)
        )

    def on_validation_epoch_end(self) -> None:
        counts = self.trainer.strategy.reduce(self._code_counts, reduce_op="sum")
        assert isinstance(counts, Tensor)
        self.log("val/perplexity", perplexity(counts))
        self.log("val/dead_codes", (counts == 0).float().mean())

    def on_test_epoch_start(self) -> None:
        self.on_validation_epoch_start()

    def test_step(self, batch: PoseBatch, batch_idx: int) -> None:
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        self.on_validation_epoch_end()

    def _reconstruct(self, batch: PoseBatch) -> tuple[Reconstruction, LossTerms, Mesh | None, Mesh | None]:
        """Whole poses, absent joints included: their original rotations are learned."""
        reconstruction: Reconstruction = self.tokenizer(batch.rot6d)
        mesh = target = None
        if self.mesh_fn is not None:
            mesh = Mesh(*self.mesh_fn(reconstruction.rotmats))
            with torch.no_grad():
                target = Mesh(*self.mesh_fn(batch.rotmats))
        vertex_weights = self._area_weights(batch.rotmats) if self.loss.area_weighted_vertices else None
        terms = tokenizer_loss(self.loss, reconstruction, batch.rotmats, mesh, target, vertex_weights)
        return reconstruction, terms, mesh, target

    @torch.no_grad()
    def _area_weights(self, like: Float[Tensor, "batch joints 3 3"]) -> Float[Tensor, " vertices"]:
        if self._vertex_weights is None or self._vertex_weights.device != like.device:
            faces = getattr(self.mesh_fn, "faces", None)
            if self.mesh_fn is None or faces is None:
                raise InputError(
                    "area_weighted_vertices needs a mesh_fn with faces; give one, or set it to false"
                )
            rest = torch.eye(3, device=like.device).expand(1, like.shape[1], 3, 3)
            vertices, _ = self.mesh_fn(rest)
            self._vertex_weights = area_vertex_weights(
                vertices[0], torch.as_tensor(faces, device=like.device)
            )
        return self._vertex_weights

    def _log_means(self, prefix: str, values: Mapping[str, Float[Tensor, " batch"]]) -> None:
        """Means over all poses of the epoch, whatever the batches' sizes. Nothing for an empty kind."""
        for name, value in values.items():
            if len(value):
                self.log(
                    f"{prefix}/{name}", value.mean(), batch_size=len(value), on_epoch=True, sync_dist=True
                )

    # -------------------------------------------------------------------------------------- optimiser

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.tokenizer.parameters(),
            self.learning_rate,
            self.betas,
            weight_decay=self.weight_decay,
            fused=may_fuse(self._trainer),
        )
        # a plain function: what else is callable, LambdaLR would put into the checkpoint
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.learning_rate_factor(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """Warm-up times milestones: the factor on ``learning_rate`` at a step."""
        warmup = min(1.0, (step + 1) / (self.warmup_steps + 1))
        return warmup * self.gamma ** sum(step >= milestone for milestone in self.milestones)

    # ------------------------------------------------------------------------------------ checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[_CONFIG_KEY] = self.tokenizer.config.to_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.tokenizer.config.require_equal(_config_of(checkpoint, "the checkpoint"), "the checkpoint")


def may_fuse(trainer: pl.Trainer | None) -> bool:
    """Whether the optimiser may be a fused one: with float16 it would unscale gradients after they were clipped.

    Args:
        trainer: of the run; None, or one that is not there yet, may.
    """
    if trainer is None or not trainer.gradient_clip_val:
        return True
    plugin = trainer.precision_plugin
    return not isinstance(plugin, MixedPrecision) or plugin.scaler is None


def load_trained(path: str | Path) -> PoseTokenizer:
    """The tokenizer in a training checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: not such a checkpoint.
    """
    checkpoint = read_checkpoint(path)
    tokenizer = PoseTokenizer(_config_of(checkpoint, str(path)))
    state = checkpoint["state_dict"]
    tokenizer.load_state_dict({name.removeprefix(_STATE_PREFIX): value for name, value in state.items()})
    return tokenizer.eval()


def _config_of(checkpoint: dict[str, Any], what: str) -> TokenizerConfig:
    if _CONFIG_KEY not in checkpoint:
        raise InputError(
            f"{what} is not one of a pose tokenizer; give one that this project's training wrote"
        )
    return TokenizerConfig.from_dict(checkpoint[_CONFIG_KEY])
