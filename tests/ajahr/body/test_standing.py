"""Knees of a standing body have the alignment asked for."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import JOINT
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.body.standing import standing_pose


@pytest.mark.parametrize("yaw", [0.0, 25.0])
def test_angles_in_the_bodys_own_planes(yaw: float) -> None:
    body, betas = FastBody(load_body()), np.linspace(-1, 1, 10).astype(np.float32)
    pose = standing_pose(body, betas, (-7.0, 4.0), (2.0, 12.0), yaw)
    posed = body(betas, pose, np.zeros(24, bool), np.zeros(3))
    own = np.asarray(posed.joints, np.float64) @ pose[0]  # back into the body's frame
    for side, sign, deviation, flexion in (("left", 1, -7, 2), ("right", -1, 4, 12)):
        hip, knee, ankle = (own[JOINT[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        angles = [np.degrees(np.arctan2(v[:1], -v[1])) for v in (knee - hip, ankle - knee)]
        ahead = [np.degrees(np.arctan2(v[2], -v[1])) for v in (knee - hip, ankle - knee)]
        assert sign * float((angles[1] - angles[0])[0]) == pytest.approx(deviation, abs=1e-3)
        assert ahead[0] - ahead[1] == pytest.approx(flexion, abs=1e-3)
    head, ankle = posed.joints[JOINT["head"]], posed.joints[JOINT["left_ankle"]]
    assert head[1] < ankle[1]  # upright: y is down
