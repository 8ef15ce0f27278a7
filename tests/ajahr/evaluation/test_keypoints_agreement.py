"""Bland-Altman figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ajahr.errors import UserError
from ajahr.evaluation.keypoints_agreement import agreement, draw_bland_altman


def test_figures_by_hand(tmp_path: Path) -> None:
    ours, reference = np.array([1.0, 4.0, 9.0]), np.array([0.0, 5.0, 6.0])
    found = draw_bland_altman(ours, reference, tmp_path / "plot.png")
    assert (found.count, found.bias, found.sd) == (3, 1.0, 2.0)
    assert (found.lower, found.upper) == pytest.approx((1 - 3.92, 1 + 3.92))
    assert found.mean_absolute == pytest.approx(5 / 3)
    assert found.correlation == pytest.approx(np.corrcoef(ours, reference)[0, 1])
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_too_few_and_constant() -> None:
    with pytest.raises(UserError, match="1 angles have a reference"):
        agreement(np.ones(1), np.ones(1))
    assert np.isnan(agreement(np.ones(3), np.arange(3.0)).correlation)
