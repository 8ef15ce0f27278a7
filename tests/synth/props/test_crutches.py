"""Crutches go from the hand to the ground."""

import numpy as np
import pytest

from ajahr.anatomy import JOINT, Limb
from synth.props.crutches import CrutchLook, crutch
from synth.props.wheelchair import upright_frame

LOOK = CrutchLook((9, 9, 9), (5, 5, 5))


@pytest.mark.parametrize("archetype", ["crutch_stance", "crutch_walking"])
@pytest.mark.parametrize("limb", [Limb.LEFT_ARM, Limb.RIGHT_ARM])
@pytest.mark.parametrize("seed", range(3))
def test_from_the_hand_to_the_ground_past_the_forearm(posed, archetype, limb, seed):
    person = posed("everyday", archetype, seed=seed, yaw=0.5)
    frame = upright_frame(person.T_cam_world[:, 1], person.rotations[0])
    ground = float((person.joints @ frame[:, 1]).min()) - 0.04
    mesh = crutch(LOOK, limb, person.joints, person.rotations, frame, ground)
    assert (mesh.vertices @ frame[:, 1]).min() == pytest.approx(ground, abs=0.02)
    hand, wrist, elbow = (person.joints[JOINT[f"{limb.side}_{name}"]] for name in ("hand", "wrist", "elbow"))
    grip = mesh.vertices[np.isclose(mesh.rgb[:, 0], 5)]
    assert np.linalg.norm(grip - hand, axis=1).min() < 0.08
    cuff = wrist + 0.78 * (elbow - wrist)
    distance = np.linalg.norm(grip - cuff, axis=1)
    assert 0.03 < distance.min() < 0.08
    shaft = mesh.vertices[np.isclose(mesh.rgb[:, 0], 9)]
    low = shaft[(shaft @ frame[:, 1]).argmin()]
    sideways = (low - hand) @ frame
    assert np.linalg.norm(sideways[[0, 2]]) < 0.2  # nearly upright
    assert mesh.volume > 0
