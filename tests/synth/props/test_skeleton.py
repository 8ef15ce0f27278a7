"""Rotations of every joint's bone."""

import numpy as np
import pytest

from ajahr.anatomy import PARENTS
from ajahr.body.fast import FastBody


@pytest.mark.parametrize("seed", range(3))
def test_bones_of_the_rest_pose_turned_by_them_are_the_posed_ones(body, posed, seed):
    person = posed("sport", seed=seed, yaw=0.7)
    rest = FastBody(body).shape(np.zeros(10, np.float32))[1]
    for joint in range(1, 24):
        parent = PARENTS[joint]
        bone = person.rotations[parent] @ (rest[joint] - rest[parent])
        assert bone == pytest.approx(person.joints[joint] - person.joints[parent], abs=1e-4)
