from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ajahr.cli import evaluate
from ajahr.cli.main import main
from tokenizer.banks import write_bank
from tokenizer.config import TokenizerConfig
from tokenizer.vqvae import PoseTokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
]


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    write_bank(tmp_path / "b.npz", np.random.default_rng(0).normal(0, 0.3, (6, 63)).astype(np.float32))
    return tmp_path / "b.npz"


def test_two_checkpoints_on_one_bank(tmp_path: Path, bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for tokens in (20, 40):
        path = tmp_path / f"t{tokens}.safetensors"
        PoseTokenizer(TokenizerConfig(num_tokens=tokens, num_codes=8, code_dim=8, width=8)).save(path)
        paths.append(str(path))
    argv = ["evaluate", "tokenizer", "--checkpoints", *paths, "--bank", f"AMASS={bank}", "--limit", "4"]
    assert main([*argv, "--output", str(tmp_path / "out")]) == 0
    assert "AMASS (paper)" in capsys.readouterr().out
    stored = json.loads((tmp_path / "out" / "table_c.json").read_text())["ours"]
    assert [entry["name"] for entry in stored] == ["t20", "t40"]
    assert stored[0]["scores"][0]["whole"]["poses"] == 4


SWEEP = """
bank: [mine={bank}]
output: {out}
sweep:
  fit: {fit}
  sizes:
    - {{num_tokens: 20, num_codes: 8, code_dim: 8}}
    - {{num_tokens: 40, num_codes: 8, code_dim: 4}}
"""
FIT = """
model:
  class_path: tokenizer.module.TokenizerModule
  init_args:
    config: {{width: 8}}
    loss: {{joints: 0, vertices: 0}}
data:
  class_path: tokenizer.datamodule.PoseDataModule
  init_args:
    batch_size: 4
    amputee_probability: 0.0
    train_intact: [{{path: {bank}}}]
    validation: [{{path: {bank}}}]
trainer:
  max_steps: 2
  val_check_interval: 2
  check_val_every_n_epoch: null
  num_sanity_val_steps: 0
  enable_progress_bar: false
  enable_model_summary: false
  log_every_n_steps: 1
  accelerator: cpu
  callbacks:
    - class_path: pytorch_lightning.callbacks.ModelCheckpoint
      init_args: {{monitor: val/score, filename: best}}
"""


def test_sweep_trains_every_size_once(
    tmp_path: Path, bank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fit.yaml").write_text(FIT.format(bank=bank))
    text = SWEEP.format(bank=bank, out=tmp_path / "out", fit=tmp_path / "fit.yaml")
    (tmp_path / "sweep.yaml").write_text(text)
    argv = ["evaluate", "tokenizer", "--config", str(tmp_path / "sweep.yaml")]
    assert main(argv) == 0
    stored = json.loads((tmp_path / "out" / "table_c.json").read_text())["ours"]
    assert [(e["config"]["num_tokens"], e["config"]["code_dim"], e["config"]["width"]) for e in stored] == [
        (20, 8, 8),
        (40, 4, 8),
    ]
    assert [e["name"] for e in stored] == ["8x8_20tokens", "4x8_40tokens"]
    monkeypatch.setattr(evaluate, "run_job", None)  # nothing is trained again
    assert main(argv) == 0
    assert json.loads((tmp_path / "out" / "table_c.json").read_text())["ours"] == stored


def test_names_tell_runs_apart() -> None:
    runs = [Path(f"out/{run}/version_0/checkpoints/best.ckpt") for run in ("amputee", "intact")]
    assert evaluate._names(runs) == ["amputee", "intact"]
    versions = [Path(f"out/intact/version_{n}/checkpoints/last.ckpt") for n in (0, 1)]
    assert evaluate._names(versions) == ["version_0", "version_1"]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["tokeniser"], "did you mean tokenizer"),
        (["tokenizer"], "give --bank"),
        (["tokenizer", "--bank", "{bank}"], "give --checkpoints"),
        (["tokenizer", "--bank", "A3D=nowhere.npz", "--checkpoints", "x.ckpt"], "nowhere.npz: no such file"),
        (["tokenizer", "--bank", "{bank}", "--checkpoints", "x.ckpt"], "x.ckpt: no such checkpoint"),
    ],
)
def test_errors_are_one_line(
    argv: list[str], text: str, bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *(part.format(bank=bank) for part in argv)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and text in lines[0]
    assert torch.is_grad_enabled()
