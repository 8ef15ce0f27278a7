from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from ajahr.cli.fit import _JobCli
from ajahr.cli.main import main
from tokenizer.banks import write_bank
from tokenizer.module import TokenizerModule, load_trained

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*Checkpoint directory.*"),
]
CONFIG = """
seed_everything: 0
threads: 1
model:
  class_path: tokenizer.module.TokenizerModule
  init_args:
    config: {{num_tokens: 20, num_codes: 16, code_dim: 8, width: 8}}
    mesh_fn:
      class_path: ajahr.training.pose_mesh.PoseMesh
      init_args: {{num_vertices: 20}}
    milestones: [3]
data:
  class_path: tokenizer.datamodule.PoseDataModule
  init_args:
    batch_size: 8
    train_intact: [{{path: {bank}}}]
    train_amputee: [{{path: {bank}}}]
    validation: [{{path: {bank}}}]
trainer:
  max_steps: 6
  val_check_interval: 2
  check_val_every_n_epoch: null
  num_sanity_val_steps: 0
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
  accelerator: cpu
  callbacks:
    - class_path: pytorch_lightning.callbacks.ModelCheckpoint
      init_args: {{monitor: val/score, save_last: true, filename: best}}
    - class_path: ajahr.training.tokenizer.ReconstructionPictures
      init_args: {{poses: 1}}
    - class_path: ajahr.training.tokenizer.Curves
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    absent = np.zeros((24, 21), bool)
    absent[::2, 19] = True
    write_bank(tmp_path / "bank.npz", np.random.default_rng(0).normal(0, 0.3, (24, 63)).astype("f4"), absent)
    (tmp_path / "c.yaml").write_text(CONFIG.format(bank=tmp_path / "bank.npz"))
    return tmp_path / "c.yaml"


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def _losses(run: Path) -> dict[int, float]:
    rows = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    return {int(row["step"]): float(row["train/total"]) for row in rows if row["train/total"]}


def test_killed_and_resumed_equals_uninterrupted(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["fit", "--config", str(config), "--output", str(whole)]) == 0
    assert "best checkpoint" in capsys.readouterr().out
    run = whole / "version_0"
    found = {path.name.split(".")[0] for path in run.iterdir()}
    assert {"metrics", "curves", "reconstructions", "config", "checkpoints"} <= found
    assert load_trained(run / "checkpoints" / "best.ckpt").config.num_codes == 16

    step = TokenizerModule.training_step

    def killed(self: TokenizerModule, batch, batch_idx: int):
        if self.global_step == 5:
            raise MemoryError("killed")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(TokenizerModule, "training_step", killed)
        with pytest.raises(MemoryError):
            main(["fit", "--config", str(config), "--output", str(cut)])
    last = cut / "version_0" / "checkpoints" / "last.ckpt"
    argv = ["fit", "--config", str(config), "--output", str(cut), "--ckpt_path", str(last)]
    assert main(argv) == 0
    after, expected = _losses(cut / "version_1"), _losses(run)
    assert sorted(after) == [4, 5] and len(expected) == 6
    assert all(after[i] == expected[i] for i in after)

    assert main(["validate", "--config", str(config), "--ckpt_path", str(last)]) == 0
    assert main(["test", "--config", str(config), "--ckpt_path", str(last)]) == 0
    assert "mpjpe_mm" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--trainer.max_stepz=3"], "did you mean"),
        (["--ckpt_path=nowhere.ckpt"], "nowhere.ckpt: no such checkpoint"),
        (["--threads=0"], "threads is 0"),
        (["--model.init_args.config.num_tokens=33"], "33"),
        (["--model.init_args.mesh_fn=null"], "give mesh_fn"),
        (["--data.init_args.validation=[{path: nowhere.npz}]"], "nowhere.npz: no such file"),
    ],
)
def test_errors_are_one_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], text: str
) -> None:
    assert main(["fit", "--config", str(config), "--output", str(tmp_path / "o"), *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert text in error[-1] and error[-1].startswith("ajahr: error:")


def test_bad_checkpoint_and_bank(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    argv = ["validate", "--config", str(config)]
    assert main([*argv, "--ckpt_path", str(tmp_path / "junk.ckpt")]) == 2
    assert main(argv) == 2
    (tmp_path / "bank.npz").write_bytes((tmp_path / "bank.npz").read_bytes()[:300])
    assert main(["fit", "--config", str(config), "--output", str(tmp_path / "o")]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ajahr: error:")]
    assert ["junk.ckpt" in errors[0], "--ckpt_path" in errors[1], "bank.npz" in errors[2]] == [True] * 3


def test_a_file_may_change_another(config: Path, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "warm.yaml").write_text("base: c.yaml\nmodel: {init_args: {warmup_steps: 7}}\n")
    top = tmp_path / "deeper" / "top.yaml"
    top.write_text("base: ../warm.yaml\nmodel: {init_args: {gamma: 0.5, config: {num_codes: 8}}}\n")
    cli = _JobCli("fit", ["--config", str(top), "--trainer.max_steps", "2"])
    assert (cli.model.warmup_steps, cli.model.gamma, cli.trainer.max_steps) == (7, 0.5, 2)
    codes = cli.model.tokenizer.config
    assert (codes.num_codes, codes.num_tokens) == (8, 20)
    assert _JobCli("fit", [f"--config={config}"]).model.warmup_steps == 0


@pytest.mark.parametrize(
    ("base", "text"), [("nowhere.yaml", "base nowhere.yaml is not there"), ("d.yaml", "leads back to itself")]
)
def test_bases_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], base: str, text: str
) -> None:
    (tmp_path / "d.yaml").write_text(f"base: {base}\n")
    assert main(["fit", "--config", str(tmp_path / "d.yaml")]) == 2
    assert text in capsys.readouterr().err


def test_nothing_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit"]) == 2
    assert capsys.readouterr().err.startswith("ajahr: error:")
