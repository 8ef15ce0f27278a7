"""The steps of ablation tables: a training run for every row, one evaluation of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ajahr.errors import UserError
from ajahr.evaluation.ablations import ABLATIONS, OURS
from ajahr.evaluation.reproduction.run_files import (
    checkpoint_to_continue,
    configs_digest,
    gathered,
    newest,
    training_progress,
    training_steps,
)
from ajahr.evaluation.reproduction.runner import Step, python

TABLES: dict[str, tuple[str, ...]] = {
    "4a": ("4a",), "4b": ("4b",), "4c": ("4c",), "4d": ("4d",), "4e": ("4e",), "B": ("Ba", "Bb"), "D": ("D",),
}  # fmt: skip
"""What a command calls a table, and which of `ABLATIONS` it is."""
_ELSEWHERE = "cliff_bpac"


def ablation_steps(
    tables: Sequence[str],
    base: Path,
    output: Path,
    *,
    datasets: Sequence[str],
    tokenizers: Mapping[str, Path],
    threads: int = 1,
    options: Sequence[str] = (),
) -> list[Step]:
    """Trainings and their evaluation.

    Args:
        tables: Of `TABLES`.
        base: YAML of the unchanged AJAHR; the overlays change it.
        datasets: As `ajahr evaluate hmr` takes them; empty trains only.
        tokenizers: YAML of the ``amputee`` and ``intact`` tokenizer, for Table 4(d).
        options: Further ones for `ajahr fit` of every regressor.

    Raises:
        UserError: no such table, or no such YAML file.
    """
    if unknown := [table for table in tables if table not in TABLES]:
        raise UserError(f"'{unknown[0]}' is no table of ablations; there are {', '.join(TABLES)}")
    keys = [key for table in dict.fromkeys(tables) for key in TABLES[table]]
    names = list(dict.fromkeys(name for key in keys for name in ABLATIONS[key].names if name != _ELSEWHERE))
    steps: list[Step] = []
    trained: list[str] = []
    for name in (OURS, *names):
        configs, late, before = [base], list[str](), tuple[str, ...]()
        if name.startswith("tokens_"):
            overlay = Path("configs/tokenizer/ablations") / f"{name}.yaml"
            for which, config in tokenizers.items():
                steps.append(
                    _fit(f"tokenizers/{name}/{which}", [config, overlay], output, [], threads, which)
                )
                late.append(which)
            before = tuple(f"tokenizers/{name}/{which}" for which in tokenizers)
        if name.endswith("_bpac"):
            prefix = "" if base.stem == "paper" else f"{base.stem}_"
            configs = [base.parent / f"{prefix}{name}.yaml"]
        elif name != OURS:
            configs.append(base.parent / "ablations" / f"{name}.yaml")
        about = "AJAHR as it is" if name == OURS else name.replace("_", " ")
        folder = "ajahr" if name == OURS else name
        steps.append(
            _fit(folder, configs, output, list(options), threads, about, before, tokens=name if late else "")
        )
        trained.append(folder)
    if datasets:
        steps.append(_evaluation(trained, output, datasets))
    return steps


def _fit(
    name: str,
    configs: Sequence[Path],
    output: Path,
    options: list[str],
    threads: int,
    about: str,
    after: tuple[str, ...] = (),
    tokens: str = "",
) -> Step:
    folder = output / name
    digest = configs_digest(configs)

    def commands() -> list[list[str]]:
        argv = [word for config in configs for word in ("--config", str(config))]
        argv += [
            "--output",
            str(folder),
            f"--threads={threads}",
            "--trainer.enable_progress_bar=false",
            *options,
        ]
        for which in ("amputee", "intact") if tokens else ():
            path = newest(output / "tokenizers" / tokens / which, "checkpoints/best*.ckpt")
            argv.append(f"--model.init_args.tokenizers.{which}={path}")
        if checkpoint := checkpoint_to_continue(folder):
            argv += ["--ckpt_path", str(checkpoint)]
        return [python("-m", "ajahr.cli.main", "fit", *argv)]

    return Step(
        name,
        commands,
        after,
        {"configs": digest, "options": options},
        result=lambda: newest(folder, "checkpoints/*.ckpt"),
        progress=lambda: training_progress(folder, lambda: training_steps(configs[0], options)),
        about=about,
    )


def _evaluation(names: Sequence[str], output: Path, datasets: Sequence[str]) -> Step:
    folder = output / "evaluation"

    def commands() -> list[list[str]]:
        models = [newest(output / name, "checkpoints/last*.ckpt") for name in names]
        argv = ["evaluate", "hmr", "--models", *models, "--datasets", *datasets, "--output", folder]
        return [python("-m", "ajahr.cli.main", *argv)]

    return Step(
        "evaluation", commands, tuple(names), {"datasets": list(datasets)}, again=True,
        result=lambda: gathered(folder), about="all rows on the datasets, the paper's beside",
    )  # fmt: skip
