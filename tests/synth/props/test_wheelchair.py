"""The chair fits whoever sits in it."""

import numpy as np
import pytest

from ajahr.anatomy import JOINT
from synth.props.wheelchair import _TYRE, WheelchairLook, upright_frame, wheelchair

LOOK = WheelchairLook((9, 9, 9), (5, 5, 5), True, True)


def seat(person, clearance=0.045):
    frame = upright_frame(person.T_cam_world[:, 1], person.rotations[0])
    ground = float((person.joints @ frame[:, 1]).min()) - 0.04 - clearance
    mesh = wheelchair(LOOK, person.joints, frame, ground)
    return frame, ground, mesh, (mesh.vertices - person.joints[0]) @ frame


@pytest.mark.parametrize("seed", range(4))
def test_it_stands_on_the_ground_under_the_sitter(posed, seed):
    person = posed("wheelchair", seed=seed, yaw=seed)
    frame, ground, mesh, local = seat(person)
    floor = ground - person.joints[0] @ frame[:, 1]
    assert local[:, 1].min() == pytest.approx(floor, abs=0.02)
    tyres = local[np.isclose(mesh.rgb[:, 0], _TYRE[0])]
    assert tyres[:, 1].min() == pytest.approx(floor, abs=0.02)
    cushion = local[np.isclose(mesh.rgb[:, 0], 5) & (local[:, 1] < 0.0)]
    hips = (person.joints[[1, 2]] - person.joints[0]) @ frame
    below = hips[:, 1].min() - cushion[:, 1].max()
    assert 0.05 < below < 0.15
    assert cushion[:, 2].min() < -0.1 and cushion[:, 2].max() > 0.15
    assert mesh.volume > 0


@pytest.mark.parametrize("seed", range(4))
def test_its_back_is_behind_and_its_wheels_are_beside_the_sitter(posed, seed):
    person = posed("wheelchair", seed=seed, yaw=-seed)
    _, _, mesh, local = seat(person)
    back = local[np.isclose(mesh.rgb[:, 0], 5) & (local[:, 1] > 0.15)]
    assert back[:, 2].max() < -0.08
    assert local[:, 0].max() == pytest.approx(-local[:, 0].min(), abs=0.01)
    assert 0.26 < local[:, 0].max() < 0.36


def test_the_frame_is_level_however_the_sitter_leans(posed):
    person = posed("wheelchair", "leaning_forward", seed=1, yaw=0.4)
    frame = upright_frame(person.T_cam_world[:, 1], person.rotations[0])
    assert frame.T @ frame == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(frame) == pytest.approx(1)
    assert frame[:, 1] == pytest.approx(person.T_cam_world[:, 1])
    left = person.joints[JOINT["left_hip"]] - person.joints[JOINT["right_hip"]]
    assert left @ frame[:, 0] > 0.15


def test_without_armrests_and_handles_there_is_less_of_it(posed):
    person = posed("wheelchair", seed=2)
    frame = upright_frame(person.T_cam_world[:, 1], person.rotations[0])
    full = wheelchair(LOOK, person.joints, frame, -1.0)
    bare = wheelchair(WheelchairLook((9, 9, 9), (5, 5, 5), False, False), person.joints, frame, -1.0)
    assert len(bare.faces) < len(full.faces)
    assert WheelchairLook.draw(np.random.default_rng(1)) == WheelchairLook.draw(np.random.default_rng(1))
