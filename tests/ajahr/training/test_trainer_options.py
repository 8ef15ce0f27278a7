"""What runs are run with: two processes by DDP, which share the stream without repeats or gaps; bf16 and clipping."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import torch
from hmr_runs import write_run
from torch import Tensor

from ajahr.cli.main import main
from ajahr.data.batch import Batch
from ajahr.training.hmr_module import HmrModule


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the ranks are forked")
def test_ranks_share_the_stream_and_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = str(write_run(tmp_path))
    step = HmrModule.training_step

    def noted(self: HmrModule, batch: Batch, batch_idx: int) -> Tensor:
        with (self.notes / f"{self.global_rank}.txt").open("a") as file:
            file.write(" ".join(batch.keys) + "\n")
        return step(self, batch, batch_idx)

    def ended(self: HmrModule) -> None:
        torch.save(self.regressor.state_dict(), self.notes / f"{self.global_rank}.pt")

    monkeypatch.setattr(HmrModule, "training_step", noted)
    monkeypatch.setattr(HmrModule, "on_train_end", ended, raising=False)
    steps = {"one": 6, "two": 3}
    for name, count in steps.items():
        (tmp_path / name).mkdir()
        monkeypatch.setattr(HmrModule, "notes", tmp_path / name, raising=False)
        argv = ["fit", "--config", config, "--output", str(tmp_path / name / "out")]
        argv += ["--trainer.max_steps", str(count), "--trainer.val_check_interval", str(count)]
        if name == "two":
            argv += ["--trainer.devices", "2", "--trainer.strategy", "ddp_fork"]
        assert main(argv) == 0

    stream = (tmp_path / "one" / "0.txt").read_text().splitlines()
    ranks = [(tmp_path / "two" / f"{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    assert len(stream) == 6 and [ranks[n % 2][n // 2] for n in range(6)] == stream
    ours, theirs = (torch.load(tmp_path / "two" / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for key, value in ours.items():
        if not key.endswith(("running_mean", "running_var")):  # batch statistics are each rank's own
            assert torch.equal(value, theirs[key]), key
    rows = list(
        csv.DictReader((tmp_path / "two" / "out" / "version_0" / "metrics.csv").read_text().splitlines())
    )
    assert any(row.get("val/pa_mpjpe_mm") for row in rows), "validated by both, written by one"


def test_mixed_precision_with_clipped_gradients(tmp_path: Path) -> None:
    argv = ["fit", "--config", str(write_run(tmp_path)), "--output", str(tmp_path / "out")]
    argv += ["--trainer.precision", "bf16-mixed", "--trainer.gradient_clip_val", "1.0"]
    assert main([*argv, "--trainer.max_steps", "2", "--trainer.val_check_interval", "2"]) == 0
    rows = list(csv.DictReader((tmp_path / "out" / "version_0" / "metrics.csv").read_text().splitlines()))
    losses = [float(row["train/total"]) for row in rows if row["train/total"]]
    assert len(losses) == 2 and all(0 < loss < 1e3 for loss in losses)
