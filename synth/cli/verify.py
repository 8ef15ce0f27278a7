"""``ajahr-synth verify``: check every file, hash, count and label of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ajahr.cli.console import Parser
from ajahr.data.dataset import read_manifest
from synth.progress import Progress
from synth.verify import matching_body, verify_dataset

PROBLEMS_FOUND = 1


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr-synth verify", description=__doc__)
    parser.add_argument("folder", type=Path, help="the dataset")
    options = parser.parse_args(list(argv))
    manifest = read_manifest(options.folder)
    with Progress().bar("samples", sum(entry.samples for entry in manifest.shards)) as tick:
        report = verify_dataset(options.folder, body=matching_body(manifest), tick=tick)
    for problem in report.problems:
        print(problem)
    checked = f"{report.shards} shards, {report.samples} pictures, {report.people} people, {report.pairs} twin pairs"
    if report.good:
        print(f"{checked}: all good")
        return 0
    print(f"{checked}: {report.num_problems} problems")
    return PROBLEMS_FOUND
