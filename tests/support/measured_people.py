"""Results of an invented model, for the tests of reports."""

from __future__ import annotations

import numpy as np

from ajahr.evaluation.measured import Measured
from ajahr.evaluation.protocols import PROTOCOLS


def invented(
    model: str = "ours", shift: float = 0.0, *, nan: bool = False, labels: str = "truth"
) -> Measured:
    """Six people, two of a picture; the third is an amputee of whom the model says nothing is lost."""
    protocol = PROTOCOLS["a3d"].variant(labels=labels)
    values = np.array([50.0, 60, 120, 70, 80, 90]) + shift
    finite = np.ones(6, bool)
    if nan:
        values[1], finite[1] = np.nan, False
    levels = np.zeros((6, 4), int)
    levels[2] = (0, 2, 0, 0)
    return Measured(
        model=model,
        dataset="a3d",
        protocol=protocol,
        keys=[f"A3D/{i}" for i in range(6)],
        clusters=np.array([0, 0, 1, 1, 2, 2]),
        limb_levels=levels,
        said_levels=np.zeros((6, 4), int),
        probabilities=None,
        finite=finite,
        view=np.array(["front"] * 3 + ["back"] * 3, object),
        occlusion=np.array(["unknown"] * 6, object),
        errors={metric: values.copy() for metric in protocol.metrics},
        measured={metric: np.ones(6, bool) for metric in protocol.metrics},
        by_limb={metric: {"left_arm": values, "trunk": values / 2} for metric in protocol.metrics},
        pck={},
        seconds=2.0,
    )
