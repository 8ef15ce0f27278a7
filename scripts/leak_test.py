"""Can anything but the body tell an amputee from their intact twin?

Classifiers see only pixels outside the union of both twins' silhouettes, their shadows and the JPEG blocks these
touch, hidden alike in both pictures. They are trained on one half of the scenes and asked about the other half: an
accuracy whose 95 % interval leaves out 50 % is a leak. Then the same with a leak planted on purpose, which must be
found, or the test would prove nothing.

    python scripts/leak_test.py --dataset out/twins       # any finished dataset of twins
    python scripts/leak_test.py --scenes 400              # makes one on the demo's photographs first

Exit code 1 if there is a leak, or a planted one is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ajahr.cli.console import run
from ajahr.data.dataset import open_dataset
from synth.config import GenerateConfig, PhotoSource, RunConfig
from synth.generate import generate
from synth.leak.classifiers import FeatureClassifier, PixelClassifier
from synth.leak.trial import (
    Pair,
    columns_lifted,
    picture_lifted,
    read_pairs,
    run_side_by_side,
    run_trial,
)
from synth.progress import Progress


def make_twins(folder: Path, scenes: int, workers: int) -> None:
    """A dataset of twins on the photographs that installed packages carry, with everything on."""
    config = GenerateConfig(
        output=folder,
        num_images=2 * scenes,
        shard_size=100,
        twins=True,
        photos=[PhotoSource(kind="demo", name="demo"), PhotoSource(kind="clean", name="scenes")],
        run=RunConfig(workers=workers, sheet=0),
    )
    generate(config, Progress())


def trials(pairs: list[Pair], steps: int, table: Table) -> bool:
    """Fill the table; whether the dataset is clean and every planted leak is found."""
    good = True
    for name, plant in (
        ("as they are", None),
        ("planted: every second column a grey level brighter", columns_lifted),
        ("planted: all of it a grey level brighter", picture_lifted),
    ):
        # all of it brighter by one level cannot be told without the twin: scenes differ by more
        single = [] if plant is picture_lifted else [FeatureClassifier(), PixelClassifier(steps)]
        outcomes = [*run_trial(pairs, single, plant=plant), run_side_by_side(pairs, plant=plant)]
        for outcome in outcomes:
            low, high = outcome.interval
            good &= outcome.by_chance if plant is None else low > 0.5
            table.add_row(
                name,
                outcome.classifier,
                f"{outcome.accuracy:.1%}",
                f"{low:.1%} to {high:.1%}",
                str(outcome.total),
            )
    return good


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, help="a finished dataset of twins; one is made when left out")
    parser.add_argument("--scenes", type=int, default=400, help="scenes to make, or at most to read")
    parser.add_argument("--steps", type=int, default=300, help="training steps of the network")
    parser.add_argument("--workers", type=int, default=0, help="processes that make the dataset")
    options = parser.parse_args(argv)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="leak_test_") as temporary:
        folder = options.dataset
        if folder is None:
            folder = Path(temporary) / "twins"
            make_twins(folder, options.scenes, options.workers)
        dataset = open_dataset(folder)
        shadows = bool(dataset.manifest.run.config.get("realism", {}).get("shadow", False))
        pairs = read_pairs(dataset, shadows=shadows, limit=options.scenes)
        same = sum(pair.identical for pair in pairs)
        seen = sum(float((~pair.hidden).mean()) for pair in pairs) / len(pairs)
        console.print(
            f"{len(pairs)} pairs, {seen:.0%} of a picture seen on average; {same} pairs are the same to the last bit "
            "outside the hidden zone"
        )
        table = Table("pictures", "classifier", "right", "95 % interval", "asked about")
        good = trials(pairs, options.steps, table)
    console.print(table)
    console.print("no leak found" if good else "LEAK, or the test misses planted ones")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(run(main, "leak_test"))
