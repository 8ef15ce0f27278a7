"""One ablation table in one command: its models trained, evaluated, and printed beside the paper's rows.

    python scripts/ablation.py 4a --base configs/hmr/tiny.yaml --datasets shards:test=data/small/test
    python scripts/ablation.py 4d --tokenizers configs/tokenizer/amputee.yaml configs/tokenizer/intact.yaml \
        --base configs/hmr/paper.yaml --datasets a3d=data/A3D_Dataset itw_amputee=data/ITW
    python scripts/ablation.py B D --plan

Tables: 4a 4b 4c 4d 4e B D. What stands in --base (data, tokenizers, length) holds for every row; further options
after -- go to `ajahr fit`. Resumable: the same command goes on where it was ended.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ajahr.cli.console import run
from ajahr.evaluation.reproduction.ablation import TABLES, ablation_steps
from ajahr.evaluation.reproduction.runner import Folder, Runner, span
from ajahr.evaluation.tables import Section, rich_tables


def main(argv: Sequence[str]) -> int:
    own, more = list(argv), []
    if "--" in own:
        place = own.index("--")
        own, more = own[:place], own[place + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tables", nargs="+", metavar="TABLE", help=" ".join(TABLES))
    parser.add_argument(
        "--base", type=Path, default=Path("configs/hmr/tiny.yaml"), help="YAML of the unchanged AJAHR"
    )
    parser.add_argument("--tokenizers", type=Path, nargs=2, metavar=("AMPUTEE", "INTACT"),
                        default=(Path("configs/tokenizer/amputee_small.yaml"),
                                 Path("configs/tokenizer/intact_small.yaml")),
                        help="YAML of both tokenizers, for 4d")  # fmt: skip
    parser.add_argument("--datasets", nargs="+", default=[], help="as of ajahr evaluate hmr")
    parser.add_argument("--output", type=Path, default=Path("out/ablations"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--plan", action="store_true", help="print the steps and stop")
    options = parser.parse_args(own)
    steps = ablation_steps(
        options.tables,
        options.base,
        options.output,
        datasets=options.datasets,
        tokenizers=dict(zip(("amputee", "intact"), options.tokenizers, strict=True)),
        threads=options.threads,
        options=more,
    )
    rows = [
        [row.step.name, row.step.about, row.state, "" if row.seconds is None else span(row.seconds)]
        for row in Folder(options.output, steps).rows()
    ]
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(*rich_tables([Section("Steps", ["step", "what", "state", "took"], rows, 3)]))
    if options.plan:
        return 0
    runner = Runner(options.output, steps, jobs=options.jobs, threads=options.threads)
    runner.run()
    if options.datasets:
        print(f"tables: {options.output / 'evaluation' / 'hmr.md'}, hmr.html")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, "ablation", sys.argv[1:], on_interrupt="stopped; the same command goes on"))
