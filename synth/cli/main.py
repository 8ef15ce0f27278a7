"""The `ajahr-synth` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ajahr import __version__
from ajahr.cli.console import Command, dispatch, run

ABOUT = "Make data of people with limb loss from photographs."
COMMANDS = {
    "generate": Command("synth.cli.generate", "make a dataset; run again to go on where it stopped"),
    "backgrounds": Command("synth.cli.backgrounds", "clean backgrounds once, for any number of datasets"),
    "preview": Command("synth.cli.preview", "draw keypoints, part masks and labels into one picture"),
    "report": Command("synth.cli.report", "one HTML page of what is in a dataset and how good it is"),
    "export-a3d": Command("synth.cli.export_a3d", "a dataset in A3D's released layout"),
    "verify": Command("synth.cli.verify", "check a dataset, and that others share nothing with it"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run(
        lambda args: dispatch("ajahr-synth", ABOUT, __version__, COMMANDS, args),
        "ajahr-synth",
        argv,
        on_interrupt="interrupted; finished shards are kept, the same command goes on",
    )


if __name__ == "__main__":
    sys.exit(main())
