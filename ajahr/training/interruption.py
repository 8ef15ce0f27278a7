"""A run that is told to stop (SIGTERM) saves, and the same command goes on with it, in the same folder.

What a preempted job, `kill` or a closing container send is SIGTERM. The step under way is finished first, so the
checkpoint is one of a whole step and nothing is computed twice.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import SIGTERMException

NAME = "interrupted.ckpt"


class SaveOnTermination(pl.Callback):
    """Writes ``interrupted.ckpt`` beside the run's logs on SIGTERM, and removes it when the run is done."""

    saved: Path | None = None

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        folder = run_folder(trainer)
        if isinstance(exception, SIGTERMException) and folder is not None:
            self.saved = folder / NAME
            trainer.save_checkpoint(self.saved)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        folder = run_folder(trainer)
        if trainer.is_global_zero and folder is not None:
            (folder / NAME).unlink(missing_ok=True)


def run_folder(trainer: pl.Trainer) -> Path | None:
    """Where the run logs; None without a logger.

    `Trainer.log_dir` asks the other ranks, and waits for them for ever where only one asks; this does not. On
    ranks other than 0, which write nothing, it may name another folder.
    """
    folders = [getattr(logger, "log_dir", None) for logger in trainer.loggers]
    return next((Path(folder) for folder in folders if folder), None)


def find_interrupted(output: Path) -> Path | None:
    """The checkpoint of the last run in ``output``, if that was interrupted and not gone on with."""
    runs = [(int(found[1]), path) for path in output.glob("version_*") if (found := _version(path))]
    if not runs:
        return None
    checkpoint = max(runs)[1] / NAME
    return checkpoint if checkpoint.is_file() else None


def run_version(checkpoint: Path) -> int:
    """Number of the run that a checkpoint of `find_interrupted` belongs to."""
    found = _version(checkpoint.parent)
    assert found is not None
    return int(found[1])


def _version(path: Path) -> re.Match[str] | None:
    return re.fullmatch(r"version_(\d+)", path.name)


def continued_table(output: Path, version: int) -> CSVLogger:
    """A CSV log that goes on where an interrupted run's ended; Lightning's own would begin anew."""
    table = CSVLogger(output, name="", version=version)
    metrics = Path(table.log_dir) / "metrics.csv"
    before = metrics.read_text() if metrics.is_file() else ""
    writer = table.experiment  # removes the file
    if before and hasattr(writer, "metrics_keys"):  # a rank that does not write has a stand-in
        metrics.write_text(before)
        writer.metrics_keys = before.splitlines()[0].split(",")
    return table
