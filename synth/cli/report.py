"""``ajahr-synth report``: one HTML page of what is in a dataset and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ajahr.cli.console import Parser
from ajahr.data.dataset import read_manifest
from synth.progress import Progress
from synth.report.gather import MAX_SHARDS
from synth.report.page import write_report


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr-synth report", description=__doc__)
    parser.add_argument("folder", type=Path, help="the dataset")
    parser.add_argument(
        "--out", type=Path | None, default=None, help="the page; FOLDER/report.html when left out"
    )
    parser.add_argument("--per_class", type=int, default=4, help="gallery pictures of each amputation class")
    parser.add_argument("--pictures", type=int, default=64, help="pictures whose silhouettes are measured")
    parser.add_argument(
        "--plain", type=int, default=32, help="of these, pictures made again without realism, to compare"
    )
    options = parser.parse_args(list(argv))
    shards = sum(1 for entry in read_manifest(options.folder).shards if entry.samples)
    with Progress().bar("shards", min(shards, MAX_SHARDS)) as tick:
        path = write_report(
            options.folder,
            options.out,
            per_class=options.per_class,
            ring_pictures=options.pictures,
            plain_pictures=options.plain,
            tick=tick,
        )
    print(path)
    return 0
