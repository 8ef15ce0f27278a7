"""``ajahr-synth backgrounds``: photographs in, a bank of backgrounds without people out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from ajahr.cli.console import Parser
from synth.config import BackgroundsConfig
from synth.make_bank import bank_table, make_bank
from synth.progress import Progress


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr-synth backgrounds", description=__doc__)
    parser.add_argument(
        "--config", action="config", help="a YAML file such as configs/synth/a3d_backgrounds.yaml"
    )
    parser.add_class_arguments(BackgroundsConfig, None)
    values = vars(parser.instantiate(parser.parse_args(list(argv))))
    config = BackgroundsConfig(**{name: value for name, value in values.items() if name != "config"})
    counts, sheet = make_bank(config, Progress())
    console = Console()
    console.print(bank_table(counts, config.output))
    if sheet is not None:
        console.print(f"before and after: {sheet}", soft_wrap=True)
    return 0
