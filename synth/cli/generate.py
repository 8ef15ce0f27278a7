"""``ajahr-synth generate``: photographs in, a dataset of people with limb loss out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from ajahr.cli.console import Parser
from synth.config import GenerateConfig
from synth.generate import generate
from synth.progress import Progress
from synth.summary import summary_table, write_sheet


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr-synth generate", description=__doc__)
    parser.add_argument("--config", action="config", help="a YAML file such as configs/synth/demo.yaml")
    parser.add_class_arguments(GenerateConfig, None)
    values = vars(parser.instantiate(parser.parse_args(list(argv))))
    config = GenerateConfig(**{name: value for name, value in values.items() if name != "config"})
    manifest = generate(config, Progress())
    console = Console()
    if manifest is None:
        console.print(
            f"this machine's shards are in {config.output}; the last machine to finish writes dataset.json"
        )
        return 0
    sheet = write_sheet(config.output, config.run.sheet)
    console.print(summary_table(manifest, config.output))
    if sheet is not None:
        console.print(f"contact sheet: {sheet}", soft_wrap=True)
    return 0
