"""Tables of 25-keypoint results: COCO's and LDPose's metrics, LiCC, the threshold sweep, the paper's rows beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ajahr.evaluation.keypoints_ap import Evaluation, Scores, all_scores
from ajahr.evaluation.keypoints_licc import Licc, licc
from ajahr.evaluation.keypoints_oks import Mode
from ajahr.evaluation.tables import Section, json_text, markdown, write_texts

PublishedRow = tuple[str, str, bool, bool, tuple[float, ...], tuple[float, ...] | None]
PUBLISHED: tuple[PublishedRow, ...] = (
    ("YOLO-Pose", "csp-d53-l", False, False, (47.6, 59.2, 50.1, 51.3), None),
    ("YOLO-Pose", "csp-d53-l", True, False, (51.9, 72.1, 53.9, 56.5), (44.4, 71.2, 46.2, 51.1)),
    ("YOLO-Pose", "csp-d53-l", True, True, (50.9, 71.5, 52.4, 55.3), (45.5, 70.5, 46.0, 51.4)),
    ("RTMPose", "CSPNeXt-s", False, False, (69.1, 86.5, 73.8, 71.5), None),
    ("RTMPose", "CSPNeXt-s", True, False, (77.1, 91.4, 81.8, 79.1), (61.8, 88.3, 64.6, 66.4)),
    ("RTMPose", "CSPNeXt-s", True, True, (72.0, 90.2, 78.4, 75.0), (69.5, 89.2, 74.7, 73.3)),
    ("RTMPose", "CSPNeXt-m", False, False, (72.9, 88.6, 77.1, 75.0), None),
    ("RTMPose", "CSPNeXt-m", True, False, (76.6, 91.4, 81.9, 78.7), (62.2, 88.4, 65.8, 67.1)),
    ("RTMPose", "CSPNeXt-m", True, True, (73.3, 90.4, 79.5, 76.5), (71.1, 90.3, 76.7, 74.9)),
    ("RTMPose", "CSPNeXt-l", False, False, (74.2, 89.6, 78.3, 76.2), None),
    ("RTMPose", "CSPNeXt-l", True, False, (80.8, 92.5, 85.1, 82.7), (69.1, 90.5, 75.3, 73.5)),
    ("RTMPose", "CSPNeXt-l", True, True, (74.9, 91.4, 80.6, 77.8), (72.6, 91.3, 78.9, 76.3)),
    ("ViTPose", "ViT-S", False, False, (74.3, 90.4, 78.0, 76.4), None),
    ("ViTPose", "ViT-S", True, False, (76.8, 91.4, 81.7, 79.3), (66.8, 90.3, 72.3, 71.9)),
    ("ViTPose", "ViT-S", True, True, (74.9, 90.3, 80.4, 77.6), (72.0, 90.2, 78.1, 75.1)),
    ("ViTPose", "ViT-B", False, False, (76.9, 91.5, 81.0, 79.1), None),
    ("ViTPose", "ViT-B", True, False, (78.2, 92.4, 82.8, 80.5), (69.6, 90.4, 76.1, 74.3)),
    ("ViTPose", "ViT-B", True, True, (78.9, 92.1, 84.3, 81.7), (75.9, 92.1, 82.1, 79.2)),
    ("ViTPose", "ViT-L", False, False, (80.0, 92.6, 84.2, 82.1), None),
    ("ViTPose", "ViT-L", True, False, (82.6, 93.7, 87.3, 84.7), (75.5, 92.7, 82.1, 79.6)),
    ("ViTPose", "ViT-L", True, True, (80.9, 93.1, 85.5, 84.0), (78.4, 93.1, 84.3, 81.6)),
)
"""LDPose's table: method, backbone, fine-tuned, with LDLoss, then AP, AP50, AP75, AR of COCO and of LD."""
CAPTION = (
    "AP, AP50, AP75, AR in per cent. The paper's LD figures depend on scores and threshold of its own code and are "
    "not comparable with mode symmetric or text; beside them belongs mode pattern."
)


@dataclass(frozen=True)
class Result:
    """One file of detections."""

    name: str
    modes: dict[Mode, Scores]
    sweep: dict[float, Scores]
    """Mode ``symmetric`` at several thresholds; empty without residual ends."""
    licc: Licc | None
    threshold: float

    @property
    def sweep_mean_ap(self) -> float:
        """Mean LD AP over the sweep; NaN without one."""
        values = [scores.AP for scores in self.sweep.values()]
        return sum(values) / len(values) if values else math.nan


def measure(name: str, evaluation: Evaluation, threshold: float) -> Result:
    """Everything that applies to one file of detections."""
    with_ends = evaluation.points == 25
    return Result(
        name,
        all_scores(evaluation, threshold),
        evaluation.sweep() if with_ends else {},
        licc(evaluation) if with_ends else None,
        threshold,
    )


def _per_cent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def main_rows(results: Sequence[Result], published: bool = True) -> tuple[list[str], list[list[str]]]:
    """Ours, one line per mode, then the paper's."""
    heading = ["model", "metric", "AP", "AP50", "AP75", "AP medium", "AP large", "AR"]
    rows = []
    for result in results:
        for mode, s in result.modes.items():
            metric = "COCO" if mode == "coco" else f"LD {mode}, {result.threshold:g}"
            values = (s.AP, s.AP50, s.AP75, s.AP_medium, s.AP_large, s.AR)
            rows.append([result.name, metric, *map(_per_cent, values)])
    for method, backbone, tuned, with_loss, coco, ld in PUBLISHED if published else ():
        name = f"{method} {backbone}" + (", fine-tuned" if tuned else "") + (", LDLoss" if with_loss else "")
        for metric, values in (("COCO (paper)", coco), ("LD (paper)", ld)):
            if values is not None:
                ap, ap50, ap75, ar = (f"{v:.1f}" for v in values)
                rows.append([name, metric, ap, ap50, ap75, "-", "-", ar])
    return heading, rows


def licc_rows(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """LiCC and the sweep of those with residual ends."""
    heading = ["model", "LiCC", "per person", "intact points", "residual ends", "people", "paired by"]
    thresholds = list(dict.fromkeys(t for result in results for t in result.sweep))
    heading += [f"LD AP at {t:g}" for t in thresholds] + ["mean"]
    rows = []
    for result in results:
        found = result.licc
        if found is None:
            continue
        shares = (found.points, found.people, found.intact_points, found.residual_points)
        aps = [_per_cent(result.sweep[t].AP) if t in result.sweep else "-" for t in thresholds]
        pairing = [f"{found.paired} of {found.labelled}", "box" if found.by_box else "OKS > 0.5"]
        mean = _per_cent(result.sweep_mean_ap)
        rows.append([result.name, *map(_per_cent, shares), *pairing, *aps, mean])
    return heading, rows


SECTIONS = (
    ("COCO and LD metrics", main_rows, 2, CAPTION),
    ("LiCC, and LD AP (symmetric) by threshold", licc_rows, 0, ""),
)


def sections(results: Sequence[Result]) -> list[Section]:
    """Every table that has a row."""
    made = [Section(title, *make(results), names=names, note=note) for title, make, names, note in SECTIONS]
    return [section for section in made if section.rows]


def write_reports(results: Sequence[Result], folder: str | Path) -> list[Path]:
    """keypoints.md and keypoints.json, each whole or as it was. UserError if the folder cannot be written to."""
    document = [{**asdict(r), "sweep": {str(t): asdict(s) for t, s in r.sweep.items()}} for r in results]
    return write_texts(
        folder, {"keypoints.md": markdown(sections(results)), "keypoints.json": json_text(document)}
    )
