"""ajahr bench keypoints: one table; no claim about time is made here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ajahr.cli.main import main


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["bench", "keypoints", "--backbones", "shufflenet_v2_x0_5", "--repeats", "1", "--batch", "2"]
    assert (
        main([*argv, "--points", "17", "--onnx", "false", "--output", str(tmp_path / "a" / "table.json")])
        == 0
    )
    assert "shufflenet_v2_x0_5" in capsys.readouterr().out
    (row,) = json.loads((tmp_path / "a" / "table.json").read_text())
    assert row["parameters_m"] == pytest.approx(3.2, abs=0.1) and row["onnx"] is None
    assert row["torch"]["latency_ms"] > 0 and row["torch"]["images_per_s"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keypoints", "--backbones", "efficientnet_b9"], "did you mean efficientnet_b"),
        (["keypoints", "--threads", "0"], "at least 1"),
        (["speed"], "nothing to measure"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
