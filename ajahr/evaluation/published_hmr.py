"""Rows of AJAHR's tables, to stand beside ours: (MVE, MPJPE, PA-MPJPE) in mm per benchmark (facts 8.1)."""

from __future__ import annotations

from ajahr.evaluation.protocols import Benchmark, LabelsFrom

Triple = tuple[float, float, float]
METRICS = ("mve_mm", "mpjpe_mm", "pa_mpjpe_mm")
_SETS: tuple[Benchmark, ...] = ("emdb1", "3dpw", "a3d", "itw_amputee")


def row(*values: float) -> dict[Benchmark, Triple]:
    """A row of a table: triples of EMDB, 3DPW, A3D and ITW-amputee, or of the last so many of them."""
    triples = [(values[i], values[i + 1], values[i + 2]) for i in range(0, len(values), 3)]
    return dict(zip(_SETS[-len(triples) :], triples, strict=True))


ERRORS: dict[LabelsFrom, dict[str, dict[Benchmark, Triple]]] = {
    "truth": {
        "HMR2.0, fine-tuned (Table 2/3)": row(
            141.41, 117.66, 75.89, 95.29, 81.64, 53.95, 89.35, 96.75, 86.14, 110.33, 154.43, 121.83
        ),
        "BEDLAM-CLIFF, fine-tuned (Table 2/3)": row(
            129.00, 97.88, 62.40, 99.32, 76.45, 51.21, 83.38, 88.12, 56.45, 128.09, 150.12, 117.74
        ),
        "TokenHMR, fine-tuned (Table 2/3)": row(
            113.26, 93.77, 58.98, 90.23, 72.87, 47.17, 76.01, 74.70, 49.94, 136.52, 146.12, 91.00
        ),
        "AJAHR (Table 2/3)": row(
            112.83, 91.74, 58.62, 95.26, 71.77, 44.94, 73.42, 73.19, 49.42, 116.42, 129.25, 77.18
        ),
    },
    "predicted": {
        "HMR2.0 + BPAC (Table 4c)": row(
            149.31, 125.69, 80.74, 100.21, 89.74, 56.91, 104.72, 104.75, 94.32, 134.71, 176.46, 132.27
        ),
        "BEDLAM-CLIFF + BPAC (Table 4c)": row(
            133.75, 100.29, 73.24, 103.98, 83.21, 54.28, 92.77, 96.48, 75.87, 147.51, 166.07, 126.90
        ),
        "AJAHR (Table 4)": row(
            114.52, 93.73, 58.01, 97.02, 71.97, 44.98, 87.11, 87.91, 68.01, 139.64, 143.74, 84.91
        ),
    },
}
"""By whose labels remove body parts."""
LIMB_STATUS: dict[Benchmark, tuple[float, float, float, float]] = {
    "a3d": (0.881, 0.756, 0.922, 0.820),
    "3doh50k": (0.956, 0.956, 1.000, 0.977),
}
"""Accuracy, precision, recall, F1 of Table 5; how it averaged is not published."""
