"""``ajahr-synth preview``: a dataset's labels drawn over its pictures."""

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
    parser.add_argument("--count", type=int, default=24, help="pictures")
    parser.add_argument(
        "--layout", type=Literal["ldpose25", "j44", "coco17"], default="ldpose25", help="keypoints"
    )
    options = parser.parse_args(list(argv))
    out = options.out or options.folder / "preview.png"
    print(preview(options.folder, out, count=options.count, layout=options.layout))
    return 0
