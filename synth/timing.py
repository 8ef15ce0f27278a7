"""Where the time of a dataset goes: seconds per stage, beside the dataset and no part of its bytes.

.work/timings/000000.json     pictures that were timed in a shard, seconds in each stage
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ajahr.data.files import make_folder, write_atomic
from synth.record import Record, Stage

TIMINGS = "timings"
"""Folder inside the work folder."""
WRITE = "Write"
"""The name under which writing the shard is counted."""


@dataclass
class StageClock:
    """Adds up seconds by the name of the stage. What is dropped has cost its time too."""

    seconds: dict[str, float] = field(default_factory=dict)
    running: bool = True

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time inside, while the clock is running."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            if self.running:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def timed(self, stages: Sequence[Stage]) -> list[Stage]:
        """The same stages with a clock at each."""
        return [_Timed(stage, self) for stage in stages]

    def write(self, work: Path, shard: int, pictures: int) -> None:
        """Leave what was measured in the work folder; nothing when no picture was timed.

        Args:
            work: the work folder.
            shard: its number.
            pictures: pictures that were timed.
        """
        if pictures == 0:
            return
        seconds = {name: round(value, 6) for name, value in self.seconds.items()}
        make_folder(work / TIMINGS)
        tree = {"pictures": pictures, "seconds": seconds}
        write_atomic(work / TIMINGS / f"{shard:06d}.json", json.dumps(tree).encode())


class _Timed:
    """One stage with a clock."""

    def __init__(self, stage: Stage, clock: StageClock) -> None:
        self.stage, self.clock = stage, clock
        self.name = getattr(stage, "__name__", type(stage).__name__)

    def __call__(self, record: Record) -> Record:
        with self.clock.measure(self.name):
            return self.stage(record)


@dataclass(frozen=True)
class Cost:
    """What a picture costs, from all timings of a dataset.

    Attributes:
        seconds: a picture in each stage, in the order of the recipe.
        pictures: pictures it was measured on.
    """

    seconds: dict[str, float]
    pictures: int

    @property
    def total(self) -> float:
        """Seconds a picture on one core."""
        return sum(self.seconds.values())

    @property
    def bottleneck(self) -> str:
        return max(self.seconds, key=lambda name: self.seconds[name])


def read_cost(work: Path) -> Cost | None:
    """The cost from the timings in a work folder; None where there are none. What cannot be read is left out."""
    seconds: dict[str, float] = {}
    pictures = 0
    for path in sorted((work / TIMINGS).glob("*.json")):
        try:
            tree = json.loads(path.read_bytes())
            count, parts = int(tree["pictures"]), {str(k): float(v) for k, v in tree["seconds"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        pictures += count
        for name, value in parts.items():
            seconds[name] = seconds.get(name, 0.0) + value
    return Cost({name: value / pictures for name, value in seconds.items()}, pictures) if pictures else None
