"""``ajahr-synth preview``: a dataset's labels drawn over its pictures, or its realism step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ajahr.cli.console import Parser
from synth.preview import preview


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr-synth preview", description=__doc__)
    parser.add_argument("folder", type=Path, help="the dataset")
    parser.add_argument(
        "--out", type=Path | None, default=None, help="the PNG; FOLDER/preview.png when left out"
    )
    parser.add_argument("--count", type=int | None, default=None, help="pictures, 24; with --realism rows, 6")
    parser.add_argument(
        "--layout", type=Literal["ldpose25", "j44", "coco17"], default="ldpose25", help="keypoints"
    )
    parser.add_argument(
        "--realism",
        action="store_true",
        help="instead, scenes made again: the plain paste, then one step of realism more in each picture "
        "(FOLDER/realism.png)",
    )
    options = parser.parse_args(list(argv))
    out = options.out or options.folder / ("realism.png" if options.realism else "preview.png")
    if options.realism:
        from synth.strips import write_strips

        print(write_strips(options.folder, out, count=6 if options.count is None else options.count))
        return 0
    count = 24 if options.count is None else options.count
    print(preview(options.folder, out, count=count, layout=options.layout))
    return 0
