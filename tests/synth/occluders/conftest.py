import numpy as np
import pytest

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody


@pytest.fixture(scope="session")
def standing() -> np.ndarray:
    """Joints of somebody in the rest pose seen from the front, 100 px per m, pelvis at (160, 130)."""
    joints = FastBody(load_body()).pose_joints(np.zeros(10), np.tile(np.eye(3), (24, 1, 1))).astype(float)
    return (joints[:, :2] - joints[0, :2]) * (-100, -100) + (160, 130)
