"""What the runs of a reproduction leave on disk: versions, checkpoints, how far a training is; and their YAML files."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ajahr.errors import UserError


def gathered(folder: Path) -> Path:
    """The report of an evaluation.

    Raises:
        UserError: there is none.
    """
    if not (folder / "hmr.json").is_file():
        raise UserError(f"{folder}: no hmr.json in it, though the evaluation ended well")
    return folder / "hmr.json"


def evaluation_folder(output: Path, seed: int) -> Path:
    return output / f"seed_{seed}" / "evaluation"


def versions(folder: Path) -> list[Path]:
    """A run's version_0, version_1 ..., the newest first."""
    found = [(int(match[1]), path) for path in folder.glob("version_*")
             if (match := re.fullmatch(r"version_(\d+)", path.name))]  # fmt: skip
    return [path for _, path in sorted(found, reverse=True)]


def newest(folder: Path, pattern: str) -> Path:
    """What matches in the newest version of a run that has it.

    Raises:
        UserError: none has.
    """
    for version in versions(folder):
        if found := list(version.glob(pattern)):
            return max(found, key=lambda path: path.stat().st_mtime_ns)
    raise UserError(
        f"{folder}: no {pattern} in any run there; delete the marker of that step to run it again"
    )


def checkpoint_to_continue(folder: Path) -> Path | None:
    """The newest checkpoint of an unfinished run; None for a new one, and where `ajahr fit` finds it itself."""
    runs = versions(folder)
    found = [path for run in runs for pattern in ("interrupted.ckpt", "checkpoints/last*.ckpt")
             for path in run.glob(pattern)]  # fmt: skip
    if not found:
        return None
    chosen = max(found, key=lambda path: path.stat().st_mtime_ns)
    return None if chosen == runs[0] / "interrupted.ckpt" else chosen


def training_progress(folder: Path, limit: Any) -> str:
    """How far a training run's table says it is."""
    for version in versions(folder)[:1]:
        try:
            with (version / "metrics.csv").open(newline="") as file:
                last = max((int(row["step"]) for row in csv.DictReader(file) if row.get("step")), default=0)
        except (OSError, ValueError, KeyError):
            return ""
        try:
            return f"step {last} of {limit()}"
        except UserError:
            return f"step {last}"
    return ""


def configs_digest(configs: Sequence[Path]) -> str:
    """Of YAML files and of those they build on.

    Raises:
        UserError: one is not there.
    """
    digest = hashlib.sha256()
    for config in configs:
        try:
            text = config.read_text()
        except OSError as error:
            raise UserError(
                f"{config}: cannot be read ({error.strerror}); run this beside configs/"
            ) from error
        digest.update(text.encode())
        values = yaml.safe_load(text)
        if isinstance(values, dict) and values.get("base"):
            digest.update(configs_digest([config.parent / str(values["base"])]).encode())
    return digest.hexdigest()[:16]


def training_steps(config: Path, options: Sequence[str]) -> int:
    """trainer.max_steps of a YAML file, or of the options; 0 if neither says."""
    for option in reversed(options):
        if option.startswith("--trainer.max_steps="):
            return int(option.partition("=")[2])
    try:
        values = yaml.safe_load(config.read_text()) or {}
    except OSError:
        return 0
    trainer = values.get("trainer")
    if isinstance(trainer, str):
        trainer = yaml.safe_load((config.parent / trainer).read_text())
    if isinstance(trainer, dict) and "max_steps" in trainer:
        return int(trainer["max_steps"])
    return training_steps(config.parent / str(values["base"]), ()) if values.get("base") else 0
