"""Fig. 5's layout: four matrices whose columns add up."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ajahr.evaluation.confusion_picture import draw_confusion
from ajahr.evaluation.limb_status import Confusion


def test_a_picture_of_any_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    some = Confusion(rng.integers(0, 90, (4, 4, 4)))
    pictures = [cv2.imread(str(draw_confusion(one, tmp_path / f"{i}.png", "title")))
                for i, one in enumerate((some, Confusion(np.zeros((4, 4, 4), np.int64))))]  # fmt: skip
    assert all(picture is not None and picture.shape[1] > 2 * picture.shape[0] for picture in pictures)
    blue = [(picture[..., 0].astype(int) - picture[..., 2] > 60).mean() for picture in pictures]
    assert blue[0] > 0.05 > blue[1], "an empty matrix has no colour"
