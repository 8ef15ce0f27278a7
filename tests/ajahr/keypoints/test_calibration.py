"""calibration.json beside a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ajahr.errors import UserError
from ajahr.keypoints.calibration import (
    CALIBRATION,
    HkaCalibration,
    KeypointCalibration,
    LimbCalibration,
    load_calibration,
    save_calibration,
)


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    mine = KeypointCalibration(LimbCalibration(0.4, (0, 1, 2.5, -1)), HkaCalibration(1.1, -0.2, 1.7, 0.3))
    save_calibration(mine, tmp_path / "model")
    assert load_calibration(tmp_path / "model") == mine


def test_a_model_without_one_has_the_defaults(tmp_path: Path) -> None:
    assert load_calibration(tmp_path) == KeypointCalibration()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"}, {"limbs": {"weight": 1.0}}, {"limbs": {"weight": -1, "bias": [0, 0, 0, 0]}},
        {"hka": {"slope": 0}}, {"hka": {"gradient": 1}}, {"limbs": 3},
    ],
)  # fmt: skip
def test_what_is_no_calibration(tmp_path: Path, change: dict) -> None:
    path = save_calibration(KeypointCalibration(), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError) as error:
        load_calibration(tmp_path)
    assert "\n" not in str(error.value)
    path.write_text("{")
    with pytest.raises(UserError, match=CALIBRATION):
        load_calibration(tmp_path)
