"""``ajahr test``: see `ajahr.cli.fit`."""

from __future__ import annotations

from collections.abc import Sequence

from ajahr.cli.fit import run_job


def main(argv: Sequence[str]) -> int:
    run_job("test", argv)
    return 0
