from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from ajahr.errors import UserError
from ajahr.training.curves import draw_curves, read_metrics

CSV = "epoch,step,train/total,val/mpjpe_mm\n0,0,8.0,\n0,9,4.0,\n0,9,,33.5\n0,19,2.0,\n"


def test_columns_have_their_own_steps(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(CSV)
    assert read_metrics(tmp_path / "metrics.csv") == {
        "train/total": ([0, 9, 19], [8, 4, 2]),
        "val/mpjpe_mm": ([9], [33.5]),
    }


def test_picture_has_a_panel_for_each_group_there_is(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(CSV)
    two = cv2.imread(str(draw_curves(tmp_path / "metrics.csv", tmp_path / "two.png")))
    one = cv2.imread(
        str(draw_curves(tmp_path / "metrics.csv", tmp_path / "one.png", {"loss": ["train/total"]}))
    )
    assert two is not None and one is not None
    assert two.shape[1] == 2 * one.shape[1] and one.std() > 5


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no steps"), ("a,b\n1,2\n", "no steps"), ("step,other\n1,2\n", "none of the columns")],
)
def test_no_metrics(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        draw_curves(tmp_path / "m.csv", tmp_path / "p.png")
    with pytest.raises(UserError, match="cannot be read"):
        read_metrics(tmp_path / "missing.csv")
