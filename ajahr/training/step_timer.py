"""How long a training step takes, for plans and tables: written once, when the run ends."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ajahr.data.files import make_folder, write_atomic
from ajahr.errors import UserError

_WARMUP = 5
"""Steps not counted: they compile, allocate and fill the readers' queues."""


class StepTimer(pl.Callback):
    """Writes ``{"seconds_per_step", "steps"}``: from one step's beginning to the next one's, reading included.

    Args:
        path: Of the JSON file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._began: list[float] = []
        self._gaps: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        now = time.perf_counter()
        if self._began:
            self._gaps.append(now - self._began[-1])
        self._began = [now]

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = []  # the time between steps is not theirs

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        counted = self._gaps[_WARMUP:] or self._gaps
        if not counted or not trainer.is_global_zero:
            return
        values = {
            "seconds_per_step": statistics.median(counted),
            "mean_seconds_per_step": statistics.fmean(counted),
            "steps": trainer.global_step,
        }
        make_folder(self.path.parent)
        write_atomic(self.path, (json.dumps(values) + "\n").encode())


def read_seconds_per_step(path: Path) -> float:
    """What a `StepTimer` wrote: the mean, which a budget in minutes must count with.

    Raises:
        UserError: no such file, or a damaged one.
    """
    try:
        seconds = float(json.loads(path.read_text())["mean_seconds_per_step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no time of a step in it; the step that measures it has not run") from error
    if not seconds > 0:
        raise UserError(f"{path}: a step takes {seconds} s; delete it and measure again")
    return seconds
