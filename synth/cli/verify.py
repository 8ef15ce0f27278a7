"""``ajahr-synth verify``: check every file, hash, count and label of a dataset, and that others share nothing with it.

Exit codes: 0 all good, 1 something is wrong with the dataset, 2 another dataset shares a photograph, texture,
identity or scene with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ajahr.cli.console import Parser
from ajahr.data.dataset import read_manifest
from synth.overlap import Overlap, overlap
from synth.progress import Progress
from synth.verify import matching_body, verify_dataset

PROBLEMS_FOUND = 1
OVERLAP_FOUND = 2
_NAMED = 20
_PLURAL = {
    "photograph": "photographs",
    "texture": "textures",
    "identity": "identities, in pictures",
    "scene": "scenes, in pictures",
}


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr-synth verify", description=__doc__)
    parser.add_argument("folder", type=Path, help="the dataset")
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="OTHER",
        help="datasets that must share no photograph, texture, identity or scene with it",
    )
    options = parser.parse_args(list(argv))
    overlaps = [(other, overlap(options.folder, other)) for other in options.against]
    manifest = read_manifest(options.folder)
    with Progress().bar("samples", sum(entry.samples for entry in manifest.shards)) as tick:
        report = verify_dataset(options.folder, body=matching_body(manifest), tick=tick)
    for problem in report.problems:
        print(problem)
    checked = f"{report.shards} shards, {report.samples} pictures, {report.people} people, {report.pairs} twin pairs"
    print(f"{checked}: {'all good' if report.good else f'{report.num_problems} problems'}")
    for other, found in overlaps:
        _print_overlap(other, found)
    if not all(found.none for _, found in overlaps):
        return OVERLAP_FOUND
    return 0 if report.good else PROBLEMS_FOUND


def _print_overlap(other: Path, found: Overlap) -> None:
    if found.none:
        print(f"nothing shared with {other}")
    for kind, names in found.shared.items():
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            print(f"shared with {other}: {len(names)} {_PLURAL[kind]}: {', '.join(names[:_NAMED])}{more}")
