"""Seconds per step: what passes between beginnings, validation left out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl

import ajahr.training.step_timer as step_timer
from ajahr.errors import UserError
from ajahr.training.step_timer import StepTimer, read_seconds_per_step

MODULE = pl.LightningModule()


def trainer(steps: int) -> pl.Trainer:
    return Mock(spec=pl.Trainer, is_global_zero=True, global_step=steps)


def test_validation_and_the_first_steps_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(step_timer, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    timer = StepTimer(tmp_path / "new" / "seconds.json")
    for step in range(12):
        timer.on_train_batch_start(trainer(step))
        clock[0] += 7.0 if step < 5 else 2.0 if step < 8 else 4.0
        if step == 9:
            timer.on_validation_start(trainer(step), MODULE)
            clock[0] += 100
    timer.on_fit_end(trainer(12), MODULE)
    values = json.loads((tmp_path / "new" / "seconds.json").read_text())
    assert values == {"seconds_per_step": 2.0, "mean_seconds_per_step": (3 * 2 + 4 + 4) / 5, "steps": 12}
    assert read_seconds_per_step(tmp_path / "new" / "seconds.json") == pytest.approx(2.8)


def test_a_run_without_steps_writes_nothing(tmp_path: Path) -> None:
    timer = StepTimer(tmp_path / "seconds.json")
    timer.on_fit_end(trainer(0), MODULE)
    for text in (None, "{", '{"mean_seconds_per_step": 0}'):
        if text is not None:
            (tmp_path / "seconds.json").write_text(text)
        with pytest.raises(UserError):
            read_seconds_per_step(tmp_path / "seconds.json")
