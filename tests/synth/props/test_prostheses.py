"""Prostheses sit on the residual limb, are as long as what is lost and point as it did."""

import numpy as np
import pytest

from ajahr.anatomy import JOINT, LIMBS, PARENTS, Limb, amputation_joint
from ajahr.data.record import PROSTHESES
from synth.props.mesh import across, unit
from synth.props.prostheses import Look, Prosthetist, kinds_for

PLACES = [(kind, limb) for kind, (is_arm, _) in PROSTHESES.items() for limb in LIMBS if limb.is_arm == is_arm]
LOOK = Look((1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4))
SOCKET = 2.0


@pytest.fixture(scope="module")
def prosthetist(body) -> Prosthetist:
    return Prosthetist(body)


def made(prosthetist, kind, limb, person):
    return prosthetist(kind, limb, LOOK, person.joints, person.rotations, person.vertices)


# law


@pytest.mark.parametrize("kind, limb", PLACES)
@pytest.mark.parametrize("family", ["", "sport", "seated"])
def test_it_reaches_from_the_residual_limb_to_where_the_lost_part_ended(
    prosthetist, posed, kind, limb, family
):
    person = posed(family, seed=4)
    mesh = made(prosthetist, kind, limb, person)
    cut = amputation_joint(limb, PROSTHESES[kind][1])
    above = person.joints[PARENTS[cut]]
    along = unit(person.joints[cut] - above)
    length = np.linalg.norm(person.joints[cut] - above)
    place = (mesh.vertices[mesh.rgb[:, 0] == SOCKET] - above) @ along / length
    assert 0.3 < place.min() < 0.55 and 0.95 < place.max() < 1.3
    end = person.joints[JOINT[f"{limb.side}_{'hand' if limb.is_arm else 'foot'}"]]
    reach = np.linalg.norm(mesh.vertices - end, axis=1).min()
    assert reach < (0.30 if kind == "blade" else 0.08)
    assert np.isfinite(mesh.vertices).all() and mesh.volume > 0


@pytest.mark.parametrize("kind, limb", PLACES)
def test_the_socket_covers_the_skin_it_is_worn_on(prosthetist, body, posed, kind, limb):
    person = posed("everyday", seed=1)
    mesh = made(prosthetist, kind, limb, person)
    cut = amputation_joint(limb, PROSTHESES[kind][1])
    origin = person.joints[PARENTS[cut]].astype(float)
    along = unit(person.joints[cut] - origin)
    length = np.linalg.norm(person.joints[cut] - origin)
    skin = person.vertices[body.part_labels == PARENTS[cut]] - origin
    socket = mesh.vertices[mesh.rgb[:, 0] == SOCKET] - origin

    def radius(points, share):
        near = np.abs(points @ along / length - share) < 0.06
        flat = points[near] - np.outer(points[near] @ along, along)
        return np.linalg.norm(flat - flat.mean(axis=0), axis=1)

    for share in (0.6, 0.75):
        covered = np.quantile(radius(skin, share), 0.5)
        assert covered < radius(socket, share).max() < covered + 0.06


@pytest.mark.parametrize("kind", ["pylon_foot", "blade", "foot"])
@pytest.mark.parametrize("limb", [Limb.LEFT_LEG, Limb.RIGHT_LEG])
def test_who_stands_stands_on_it(prosthetist, posed, kind, limb):
    person = posed()  # upright on both feet
    ground = person.vertices[:, 1].max()
    assert made(prosthetist, kind, limb, person).vertices[:, 1].max() == pytest.approx(ground, abs=0.025)


@pytest.mark.parametrize("kind", ["pylon_foot", "blade"])
@pytest.mark.parametrize("limb", [Limb.LEFT_LEG, Limb.RIGHT_LEG])
def test_toes_point_forwards(prosthetist, posed, kind, limb):
    person = posed(yaw=0.9)
    forwards = person.rotations[0] @ [0, 0, 1]
    low = made(prosthetist, kind, limb, person).vertices
    low = low[low[:, 1] > low[:, 1].max() - 0.05]
    ankle = person.joints[JOINT[f"{limb.side}_ankle"]]
    assert ((low - ankle) @ forwards).max() > 0.12


def test_left_and_right_are_mirror_images(prosthetist, posed):
    person = posed()
    left = made(prosthetist, "blade", Limb.LEFT_LEG, person).vertices - person.joints[0]
    right = made(prosthetist, "blade", Limb.RIGHT_LEG, person).vertices - person.joints[0]
    for axis, sign in ((0, -1), (1, 1), (2, 1)):
        assert np.sort(sign * left[:, axis])[[0, -1]] == pytest.approx(
            np.sort(right[:, axis])[[0, -1]], abs=0.012
        )


@pytest.mark.parametrize("kind, limb", PLACES)
@pytest.mark.parametrize("fraction", [0.15, 0.45, 0.7])
def test_on_a_limb_that_ends_inside_a_bone_it_is_as_long_and_closes_around_the_end(
    prosthetist, posed, kind, limb, fraction
):
    person = posed("everyday", seed=2)
    at_joint = made(prosthetist, kind, limb, person)
    mesh = prosthetist(kind, limb, LOOK, person.joints, person.rotations, person.vertices, fraction)
    cut = amputation_joint(limb, PROSTHESES[kind][1])
    above = person.joints[PARENTS[cut]]
    along, length = unit(person.joints[cut] - above), np.linalg.norm(person.joints[cut] - above)

    def places(one):
        return (one.vertices - above) @ along / length

    # no hole between the socket and what it carries, and the same foot or hand
    end = person.joints[JOINT[f"{limb.side}_{'hand' if limb.is_arm else 'foot'}"]]
    reach = [np.linalg.norm(one.vertices - end, axis=1).min() for one in (at_joint, mesh)]
    assert reach[0] == pytest.approx(reach[1], abs=1e-6)
    socket = places(mesh)[mesh.rgb[:, 0] == SOCKET]
    tip = 1 - fraction
    assert socket.min() < tip - 0.05 and (socket > tip).any()
    bridge = places(mesh)
    bridge = bridge[(bridge > tip - 0.05) & (bridge <= 1.05)]
    assert bridge.min() < tip and bridge.max() > 0.97
    assert np.isfinite(mesh.vertices).all() and mesh.volume > 0


@pytest.mark.parametrize("kind, limb", PLACES)
def test_the_cup_has_the_end_of_the_limb_inside(prosthetist, body, posed, kind, limb):
    """What is left of the skin just above the cut lies within the cup's outline, but for a fold."""
    person, fraction = posed("everyday", seed=1), 0.4
    cut = amputation_joint(limb, PROSTHESES[kind][1])
    cup = prosthetist._cup(cut, person.joints, person.rotations, person.vertices, (0, 0, 0), 1 - fraction)
    origin = person.joints[PARENTS[cut]].astype(float)
    along = unit(person.joints[cut] - origin)
    length = np.linalg.norm(person.joints[cut] - origin)
    skin = person.vertices[body.part_labels == PARENTS[cut]] - origin
    place = skin @ along / length
    skin = skin[(place > 0.45) & (place < 0.58)]
    u = across(along, [0.3, 0.5, 0.8])
    v = np.cross(along, u)
    ring = cup.vertices - origin
    near = np.abs(ring @ along / length - 0.52) < 0.06

    def reach(points, way):
        return (points @ way).max()

    for turn in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        way = np.cos(turn) * u + np.sin(turn) * v
        assert reach(ring[near], way) > reach(skin, way) - 0.003


# edge


def test_nothing_is_worn_at_shoulder_and_hip_or_on_whole_limbs():
    for limb in LIMBS:
        assert kinds_for(limb, 0) == kinds_for(limb, 3) == ()
    assert set(kinds_for(Limb.LEFT_LEG, 2)) == {"pylon_foot", "blade"}
    assert kinds_for(Limb.RIGHT_ARM, 1) == ("cosmetic_hand",)


def test_looks_are_colours_and_the_same_for_the_same_numbers():
    one, other = (Look.draw(np.random.default_rng(3)) for _ in range(2))
    assert one == other
    assert Look.draw(np.random.default_rng(4)) != one
    for colour in vars(one).values():
        assert all(0 <= value <= 255 for value in colour)
