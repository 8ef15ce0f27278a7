from __future__ import annotations

import json

import pytest
from fake_dataset import write_dataset
from least_regressor import save_least_regressor

from ajahr.cli.evaluate_residual import open_people
from ajahr.cli.main import main
from ajahr.errors import UserError


def test_from_end_to_end(tmp_path, capsys) -> None:
    write_dataset(tmp_path / "set", shards=1)
    weights = save_least_regressor(tmp_path / "weights")
    argv = ["evaluate", "residual", "--models", str(weights), "--datasets", f"shards={tmp_path / 'set'}"]
    assert main([*argv, "--output", str(tmp_path / "out"), "--limit", "2", "--device", "cpu"]) == 0
    told = json.loads((tmp_path / "out" / "residual.json").read_text())
    assert [r["method"] for r in told["results"]] == ["joint", "midpoint", "head"], (
        "nothing is fitted to labels"
    )
    assert all(r["metrics"]["res_limb_px"]["people"] == 2 for r in told["results"])
    assert "ResiHMR (HSMR)" in capsys.readouterr().out
    assert main([*argv, "--methods", "rafo", "--output", str(tmp_path / "no")]) == 2
    assert "needs detected residual ends" in capsys.readouterr().err and not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shards", "no KIND=PATH"),
        ("a3d=x", "kinds are shards, limbloss, progait"),
        ("shards=nowhere", "no such file"),
    ],
)
def test_datasets_that_are_none(text, said) -> None:
    with pytest.raises(UserError, match=said):
        open_people(text)
