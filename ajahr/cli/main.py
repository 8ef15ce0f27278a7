"""The `ajahr` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ajahr import __version__
from ajahr.cli.console import Command, dispatch, run

ABOUT = "Recover the 3D body of people with limb loss from photographs."
COMMANDS = {
    "prepare": Command(
        "ajahr.cli.prepare", "make pose banks from AMASS, MOYO, A3D, HMR2 files or the sampler"
    ),
    "fit": Command("ajahr.cli.fit", "train what a YAML file of configs/ describes"),
    "validate": Command("ajahr.cli.validate", "measure a checkpoint on the validation data"),
    "test": Command("ajahr.cli.test", "measure a checkpoint on the test data"),
    "evaluate": Command("ajahr.cli.evaluate", "the papers' tables, ours beside theirs"),
    "measure": Command("ajahr.cli.measure", "hip-knee-ankle angles in photographs, or why there is none"),
    "bench": Command("ajahr.cli.bench", "parameters, FLOPs and speed of the keypoint models, one table"),
    "import-weights": Command(
        "ajahr.cli.import_weights",
        "published checkpoints (ViTPose, HMR2.0, TokenHMR, AJAHR) to ours, and back",
    ),
    "predict": Command(
        "ajahr.cli.predict", "photographs or a video in; limb status, bodies, meshes and pictures out"
    ),
    "adapt": Command(
        "ajahr.cli.adapt", "another method's bodies and 25 keypoints in; residual limbs and closed meshes out"
    ),
    "doctor": Command("ajahr.cli.doctor", "which assets are here, what each unlocks, where to get it"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return run(lambda args: dispatch("ajahr", ABOUT, __version__, COMMANDS, args), "ajahr", argv)


if __name__ == "__main__":
    sys.exit(main())
