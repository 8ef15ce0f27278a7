"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """Where commands report to. ``quiet`` says nothing.

    A terminal gets a live bar; a log file gets one line when a step starts, every ``log_seconds`` and when it ends.
    """

    def __init__(
        self, console: Console | None = None, *, quiet: bool = False, log_seconds: float = 30.0
    ) -> None:
        self.console = console or Console(file=sys.stderr)
        self.quiet, self.log_seconds = quiet, log_seconds

    def note(self, text: str) -> None:
        """One line."""
        if not self.quiet:
            self.console.print(text, highlight=False)

    @contextmanager
    def bar(self, name: str, total: int | None) -> Iterator[Callable[[], None]]:
        """A step of ``total`` units (None: nobody knows); call what it yields once for each."""
        if self.quiet or total == 0:
            yield lambda: None
        elif self.console.is_terminal:
            columns = (
                TextColumn("{task.description:<12}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
            )
            with RichProgress(*columns, console=self.console) as bar:
                task = bar.add_task(name, total=total, rate="")
                started = time.monotonic()

                def advance() -> None:
                    done = bar.tasks[task].completed + 1
                    rate = f"{done / max(time.monotonic() - started, 1e-3):.1f}/s"
                    bar.update(task, advance=1, rate=rate)

                yield advance
        else:
            yield from self._lines(name, total)

    def _lines(self, name: str, total: int | None) -> Iterator[Callable[[], None]]:
        started = last = time.monotonic()
        done = 0

        def advance() -> None:
            nonlocal done, last
            done += 1
            now = time.monotonic()
            if done == total or (now - last >= self.log_seconds and done >= 5):  # the first ones compile
                last = now
                rate = done / max(now - started, 1e-3)
                left = "" if total is None else f", {(total - done) / rate:.0f} s left"
                self.note(f"{name}: {done}{of}, {rate:.1f}/s{left}")

        of = "" if total is None else f"/{total}"
        self.note(name if total is None else f"{name}: {total}")
        yield advance
