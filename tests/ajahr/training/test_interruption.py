from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import pytest
import torch
from hmr_runs import write_run
from torch import Tensor

from ajahr.cli.fit import EXIT_TERMINATED
from ajahr.cli.main import main
from ajahr.data.batch import Batch
from ajahr.training.hmr_module import HmrModule, load_trained
from ajahr.training.interruption import NAME, find_interrupted

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Checkpoint directory.*"),
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start.*"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty.*"),
]


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def rows(run: Path) -> dict[int, dict[str, str]]:
    """Training rows of metrics.csv by step."""
    table = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    return {int(row["step"]): row for row in table if row["train/total"]}


def test_terminated_and_started_again_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights, optimiser, data, drop path: all go on as if nothing had been."""
    config = write_run(tmp_path)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["fit", "--config", str(config), "--output", str(whole)]) == 0
    assert not (whole / "version_0" / NAME).exists()
    argv = ["fit", "--config", str(config), "--output", str(cut)]

    step = HmrModule.training_step

    def terminated(self: HmrModule, batch: Batch, batch_idx: int) -> Tensor:
        if self.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(HmrModule, "training_step", terminated)
        with pytest.raises(SystemExit) as stopped:
            main(argv)
    assert stopped.value.code == EXIT_TERMINATED
    assert "the same command goes on" in capsys.readouterr().out
    saved = find_interrupted(cut)
    assert saved == cut / "version_0" / NAME
    assert sorted(rows(cut / "version_0")) == [0, 1, 2]  # the step under way was finished

    assert main(argv) == 0
    assert "going on with the interrupted run" in capsys.readouterr().out
    assert find_interrupted(cut) is None and not (cut / "version_1").exists()
    ours, expected = rows(cut / "version_0"), rows(whole / "version_0")
    assert sorted(ours) == sorted(expected) == list(range(6))
    for number in expected:
        assert ours[number] == expected[number], number
    last = [load_trained(run / "version_0" / "checkpoints" / "last.ckpt") for run in (whole, cut)]
    for (name, a), b in zip(last[0].state_dict().items(), last[1].state_dict().values(), strict=True):
        assert torch.equal(a, b), name

    assert main(argv) == 0  # a finished run is not gone on with
    assert (cut / "version_1").exists()


def test_only_the_last_run_is_looked_at(tmp_path: Path) -> None:
    assert find_interrupted(tmp_path) is None
    for number in (2, 10):
        (tmp_path / f"version_{number}").mkdir()
    (tmp_path / "version_2" / NAME).touch()
    (tmp_path / "version_x").mkdir()
    assert find_interrupted(tmp_path) is None
    (tmp_path / "version_10" / NAME).touch()
    assert find_interrupted(tmp_path) == tmp_path / "version_10" / NAME
