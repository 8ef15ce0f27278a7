"""``ajahr-synth export-a3d``: a dataset in A3D's released layout.

Sources called coco, mpii and h36m go to their parts by themselves (coco by the dataset's split); others are named:
--parts '{demo: COCO_train}'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ajahr.cli.console import Parser
from synth.engine.local import worker_count
from synth.export_a3d import export_a3d
from synth.progress import Progress


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr-synth export-a3d", description=__doc__)
    parser.add_argument("folder", type=Path, help="the dataset")
    parser.add_argument("--output", type=Path, required=True, help="A3D folder to make")
    parser.add_argument(
        "--parts", type=dict[str, str], default={}, help="parts of A3D by the names of sources"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 takes one per core")
    options = parser.parse_args(list(argv))
    rows = export_a3d(
        options.folder,
        options.output,
        dict(options.parts),
        workers=worker_count(options.workers),
        progress=Progress(),
    )
    for part, count in rows.items():
        print(f"{options.output / part}: {count} people")
    return 0
