"""The `ajahr` command."""

from __future__ import annotations

from collections.abc import Sequence

from ajahr import __version__
from ajahr.cli.console import Command, dispatch, run

ABOUT = "Recover the 3D body of people with limb loss from photographs."
COMMANDS = {
    "doctor": Command("ajahr.cli.doctor", "which assets are here, what each unlocks, where to get it"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run(lambda args: dispatch("ajahr", ABOUT, __version__, COMMANDS, args), "ajahr", argv)
