"""A trained run as the weights that come with the package: ajahr/inference/weights/tiny and its model card.

    python scripts/ship_weights.py out/reproduce/seed_0/ajahr/version_0/checkpoints/last.ckpt \
        --keypoints out/reproduce/pretraining/version_0/pretrained \
        --data out/reproduce/data/train --figures out/reproduce/report/table.md

With --keypoints-only, SOURCE is a 25-point model, and its folder is NAME alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ajahr.cli.console import run
from ajahr.errors import UserError
from ajahr.evaluation.shipping import Card, ship, ship_keypoints
from ajahr.inference.shipped import SHIPPED_WEIGHTS


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, help="a .ckpt of ajahr fit, or a folder of weights")
    parser.add_argument("--name", default="tiny", help="of the folder; predict's --weights")
    parser.add_argument("--keypoints", type=Path, help="a 25-point model, .ckpt or folder")
    parser.add_argument("--keypoints-only", action="store_true", help="source is a 25-point model")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="datasets it was trained on")
    parser.add_argument("--figures", type=Path, help="Markdown for the card, such as a report's table.md")
    parser.add_argument("--limits", nargs="+", default=[], help="further limits, one sentence each")
    parser.add_argument("--made-with", default="scripts/reproduce_small.py", help="the command, for the card")
    parser.add_argument(
        "--folder", type=Path, default=SHIPPED_WEIGHTS, help="where the folder of --name goes"
    )
    options = parser.parse_args(argv)
    try:
        figures = options.figures.read_text() if options.figures else ""
    except OSError as error:
        raise UserError(f"{options.figures}: cannot be read ({error.strerror})") from error
    if options.keypoints_only:
        card = Card(f"25 points, {options.name}", limits=options.limits)
        folder = ship_keypoints(options.source, options.folder / options.name, data=options.data, card=card,
                                figures=figures, made_with=options.made_with)  # fmt: skip
        print(folder)
        return 0
    card = Card(title=f"AJAHR, {options.name}", limits=(*Card().limits, *options.limits))
    folder = ship(
        options.source, options.folder / options.name, data=options.data, card=card, figures=figures,
        keypoints=options.keypoints, made_with=options.made_with,
    )  # fmt: skip
    for path in sorted([*folder.iterdir(), *folder.with_name(f"{folder.name}-keypoints").glob("*")]):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, "ship_weights", sys.argv[1:]))
