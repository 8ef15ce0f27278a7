"""A finished run's regressor as a folder of safetensors, which `ajahr predict` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytorch_lightning as pl

from ajahr.models.pretrained import save_pretrained
from ajahr.training.hmr_module import HmrModule, load_trained
from ajahr.training.interruption import run_folder


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
        if not trainer.is_global_zero or run is None or not isinstance(pl_module, HmrModule):
            return
        folder = run / "pretrained"
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if self.which == "best" and best:
            export(best, folder, pl_module)
        else:
            save_pretrained(pl_module.regressor, folder)
