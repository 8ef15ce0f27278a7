"""``ajahr evaluate keypoints``: results files of keypoint models against annotations, LDPose's table beside."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ajahr.cli.console import call, parser_of, print_tables
from ajahr.data.ldpose import SIGMAS, check_sigmas
from ajahr.data.readers.keypoint_results import read_detections
from ajahr.data.readers.ldpose import AreaMode, read_ldpose
from ajahr.errors import UserError
from ajahr.evaluation.keypoints_ap import THRESHOLD, compare
from ajahr.evaluation.keypoints_report import measure, sections, write_reports
from ajahr.evaluation.tables import rich_tables


def keypoints(
    annotations: Path,
    detections: list[Path],
    output: Path = Path("out/evaluate/keypoints"),
    area: AreaMode = "as_given",
    threshold: float = THRESHOLD,
    sigmas: list[float] | None = None,
) -> None:
    """COCO AP and AR, LD AP and AR in every mode, LiCC, of one or several results files.

    Args:
        annotations: LDPose's or COCO's keypoint JSON.
        detections: Results files: lists of image_id, keypoints, score. With annotation_id in every entry, people
            are paired by their box for LiCC.
        output: Folder of keypoints.md and keypoints.json.
        area: OKS's area: as the file has it, 0.53 of the box, or the mask's.
        threshold: Scores above it claim a point; 0.3 for peaks of heat maps, 0.5 for probabilities.
        sigmas: 25 tolerances instead of COCO's and those of the joints that residual ends stand for.
    """
    if not detections:
        raise UserError("no detections; give --detections with one results file or several")
    tolerances = SIGMAS if sigmas is None else check_sigmas(sigmas)
    truth = read_ldpose(annotations, area=area)
    for line in truth.describe_problems():
        print(f"{annotations}: {line}", file=sys.stderr)
    for id_, limb in truth.conflicts():
        print(f"{annotations}: annotation {id_} contradicts itself about its {limb}", file=sys.stderr)
    results = [
        measure(path.stem, compare(truth, read_detections(path, truth), tolerances), threshold)
        for path in detections
    ]
    print_tables(rich_tables(sections(results)), width=150)
    for path in write_reports(results, output):
        print(path)


def main(argv: Sequence[str]) -> int:
    parser = parser_of(keypoints, "ajahr evaluate keypoints")
    parser.add_argument("--detections", type=Path, nargs="+", default=[], help="results files, any number")
    return call(keypoints, parser, argv)
