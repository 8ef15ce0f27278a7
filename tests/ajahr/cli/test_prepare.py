from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ajahr.cli.main import main
from ajahr.data.pose_banks import sampled
from tokenizer.banks import open_bank

PIN = Path(__file__).parents[1] / "data" / "pose_banks" / "moyo_joblib_1.6.pkl"


def test_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sampled, "CHUNK", 40)
    argv = ["prepare", "sampled", "--output", str(tmp_path / "banks"), "--workers", "1"]
    assert main([*argv, "--train", "30", "--val", "10", "--test", "0", "--seed", "3"]) == 0
    assert sorted(p.name for p in (tmp_path / "banks").iterdir()) == [
        "sampled_train.safetensors", "sampled_val.safetensors",
    ]  # fmt: skip
    bank = open_bank(tmp_path / "banks" / "sampled_train.safetensors")
    assert len(bank) == 30 and 0 < bank.is_amputee().sum() < 30
    assert "30 poses" in capsys.readouterr().out


def test_amass_and_moyo_land_where_the_configs_look(tmp_path: Path) -> None:
    (tmp_path / "amass" / "CMU" / "01").mkdir(parents=True)
    np.savez(tmp_path / "amass" / "CMU" / "01" / "01_01_poses.npz", poses=np.full((60, 156), 0.1))
    (tmp_path / "moyo" / "val").mkdir(parents=True)
    shutil.copy(PIN, tmp_path / "moyo" / "val" / "x.pkl")
    for source in ("amass", "moyo"):
        assert main(["prepare", source, str(tmp_path / source), "--output", str(tmp_path / "out")]) == 0
    assert len(open_bank(tmp_path / "out/smplh/train/train_CMU.npz")) == 4
    assert len(open_bank(tmp_path / "out/smplh/val/val_MOYO.npz")) == 4


def test_a3d_and_hmr2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poses = np.random.default_rng(0).normal(0, 0.3, (4, 72)).astype(np.float32)
    np.savez(tmp_path / "1.npz", body_pose=poses, labels=[[3], [12], [12], [12]])
    np.savez(tmp_path / "2.npz", body_pose=poses, has_body_pose=[1, 1, 0, 0])
    files = [str(tmp_path / "1.npz"), str(tmp_path / "2.npz")]
    for source in ("a3d", "hmr2"):
        target = tmp_path / "x" / f"{source}.safetensors"
        assert main(["prepare", source, *files, "--output", str(target)]) == 0
        bank = open_bank(target)
        assert len(bank) == 6 and bank.is_amputee().tolist() == [True] + [False] * 5
    assert "left out: 2 people without a pose" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["samplid"], "did you mean sampled"),
        (["sampled", "--trian", "4"], "did you mean --train"),
        (["sampled", "--train", "-4", "--workers", "1"], "-4 poses"),
        (["amass", "nowhere"], "nowhere: no such folder"),
        (["a3d", "nowhere.npz"], "nowhere.npz: no such file"),
        (["hmr2"], "files"),
    ],
)
def test_errors_are_one_line(
    argv: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", *argv]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and text in lines[0]


def test_help_names_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare"]) == 0
    text = capsys.readouterr().out
    assert all(f"ajahr prepare {source}" in text for source in ("sampled", "amass", "moyo", "a3d", "hmr2"))
