"""From nothing to a table: data, tokenizers, AJAHR and its baselines at equal budget, evaluated over seeds.

    python scripts/reproduce_small.py                               the plan, then everything; about a night
    python scripts/reproduce_small.py --seeds 0 --minutes-per-model 20 --jobs 2
    python scripts/reproduce_small.py --preset gpu --device cuda    a larger one, on a GPU
    python scripts/reproduce_small.py --status                      where it stands, from another terminal

Everything is resumable: end it at any moment (Ctrl-C lets trainings save) and give the same command again. Seeds
may be added later. The report is in OUTPUT/report: table.md, table.json and plots.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ajahr.cli.console import run
from ajahr.errors import UserError
from ajahr.evaluation.reproduction.run import Reproduction, load_recipe
from ajahr.evaluation.tables import rich_tables


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--preset", default="cpu", help="a name in configs/reproduce, or a YAML file like them"
    )
    parser.add_argument("--output", type=Path, default=Path("out/reproduce"))
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument(
        "--models", nargs="+", help="ajahr tokenhmr hmr2 tokenhmr_bpac hmr2_bpac ajahr_image ..."
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes-per-model", type=float, help="as many steps for all as AJAHR makes in it")
    budget.add_argument("--steps", type=int, help="of every model")
    parser.add_argument(
        "--given",
        nargs="+",
        metavar="STEP=PATH",
        default=None,
        help="results made elsewhere: data/train=FOLDER, tokenizers/intact=CKPT, pretraining=FOLDER ...",
    )
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--plan", action="store_true", help="print the plan and stop")
    parser.add_argument("--status", action="store_true", help="print where it stands, and the table so far")
    options = parser.parse_args(argv)
    recipe = load_recipe(
        options.preset,
        seeds=options.seeds,
        models=options.models,
        steps=options.steps,
        minutes_per_model=options.minutes_per_model,
        given=None if options.given is None else dict(_given(text) for text in options.given),
    )
    job = Reproduction(recipe, options.output, options.device, options.threads, options.jobs)
    console = Console() if sys.stdout.isatty() else Console(width=220)
    console.print(*rich_tables([job.plan()]))
    if options.plan:
        return 0
    if not options.status:
        job.run(lambda text: print(text, flush=True))
    tables, held, files = job.report()
    console.print(*rich_tables(tables[:2]))
    for line in (*(one.line() for one in held), *map(str, files)):
        print(line)
    return 0


def _given(text: str) -> tuple[str, Path]:
    step, equals, path = text.partition("=")
    if not equals:
        raise UserError(f"--given {text}: give STEP=PATH")
    return step, Path(path)


if __name__ == "__main__":
    sys.exit(run(main, "reproduce_small", sys.argv[1:], on_interrupt="stopped; the same command goes on"))
