"""One command a table: a run for each row, which `ajahr fit` takes, and one evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from touched import touch

from ajahr.cli.fit import _JobCli
from ajahr.errors import UserError
from ajahr.evaluation.reproduction.ablation import TABLES, ablation_steps
from ajahr.evaluation.reproduction.runner import Step

REPOSITORY = Path(__file__).parents[4]
TINY, PAPER = Path("configs/hmr/tiny.yaml"), Path("configs/hmr/paper.yaml")
TOKENIZERS = {name: Path(f"configs/tokenizer/{name}_small.yaml") for name in ("amputee", "intact")}


@pytest.fixture(autouse=True)
def beside_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def steps(tables: list[str], base: Path, output: Path, *datasets: str) -> dict[str, Step]:
    found = ablation_steps(tables, base, output, datasets=datasets, tokenizers=TOKENIZERS)
    return {step.name: step for step in found}


@pytest.mark.parametrize("base", [TINY, PAPER])
def test_rows_of_every_table(tmp_path: Path, base: Path) -> None:
    everything = steps([*TABLES], base, tmp_path)
    assert {"ajahr", "noise_75", "image_only", "hmr2_bpac", "tokenhmr_bpac", "tokens_640", "single_intact", "full",
            "full_no_cross_attention", "share_100", "tokenizers/tokens_160/amputee"} <= set(everything)  # fmt: skip
    assert "evaluation" not in everything and "cliff_bpac" not in everything
    assert list(steps(["4b"], base, tmp_path, "a3d=x")) == [
        "ajahr",
        "image_only",
        "keypoints_only",
        "evaluation",
    ]


def test_tokens_are_trained_first_and_used(tmp_path: Path) -> None:
    found = steps(["4d"], TINY, tmp_path)
    assert found["tokens_160"].after == ("tokenizers/tokens_160/amputee", "tokenizers/tokens_160/intact")
    for which in TOKENIZERS:
        touch(tmp_path / f"tokenizers/tokens_160/{which}/version_0/checkpoints/best.ckpt")
    (argv,) = found["tokens_160"].commands()  # type: ignore[operator]
    threads = torch.get_num_threads()
    cli = _JobCli("fit", [*argv[4:], "--trainer.accelerator=cpu"])
    torch.set_num_threads(threads)
    assert (
        str(cli.model.tokenizers["amputee"])
        == f"{tmp_path}/tokenizers/tokens_160/amputee/version_0/checkpoints/best.ckpt"
    )
    assert cli.config.output == tmp_path / "tokens_160"


def test_evaluation_is_of_all_rows(tmp_path: Path) -> None:
    found = steps(["4e"], TINY, tmp_path, "a3d=x")
    for name in ("ajahr", "single_amputee", "single_intact"):
        touch(tmp_path / name / "version_0/checkpoints/last.ckpt")
    (argv,) = found["evaluation"].commands()  # type: ignore[operator]
    models = argv[argv.index("--models") + 1 : argv.index("--datasets")]
    assert [Path(path).parts[-4] for path in models] == ["ajahr", "single_amputee", "single_intact"]


def test_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are 4a, 4b"):
        steps(["5"], TINY, tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        steps(["4a"], Path("configs/hmr/nothing.yaml"), tmp_path)
