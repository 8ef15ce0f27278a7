"""A finished run's regressor or keypoint model as a folder of safetensors, which `ajahr predict` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytorch_lightning as pl

from ajahr.keypoints.model import save_keypoints
from ajahr.models.pretrained import save_pretrained
from ajahr.training.hmr_module import HmrModule, load_trained
from ajahr.training.interruption import run_folder
from ajahr.training.keypoints_module import KeypointModule
from ajahr.training.keypoints_module import load_trained as load_trained_keypoints


def export(checkpoint: str | Path, folder: str | Path, module: HmrModule | None = None) -> Path:
    """Write the regressor of a training checkpoint as config.json and model.safetensors.

    Args:
        module: The module that trained it, whose body it needs; None: it was the embedded one.

    Raises:
        UserError, InputError: not a checkpoint of a regressor, or one made with another body.
    """
    return save_pretrained(load_trained(checkpoint, None if module is None else module.body), folder)


class ExportPretrained(pl.Callback):
    """After the run, ``pretrained/`` beside its logs.

    Args:
        which: ``best``, by the checkpoint callback's measure, or ``last``, where the number of steps is given and
            the validation data must not choose.
    """

    def __init__(self, which: Literal["best", "last"] = "best") -> None:
        self.which = which

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        run = run_folder(trainer)
        if not trainer.is_global_zero or run is None:
            return
        folder = run / "pretrained"
        best = getattr(trainer.checkpoint_callback, "best_model_path", "") if self.which == "best" else ""
        if isinstance(pl_module, KeypointModule):
            save_keypoints(load_trained_keypoints(best) if best else pl_module.model, folder)
        elif isinstance(pl_module, HmrModule):
            if best:
                export(best, folder, pl_module)
            else:
                save_pretrained(pl_module.regressor, folder)
