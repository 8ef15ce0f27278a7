import itertools

import numpy as np
import pytest

from ajahr.anatomy import LIMBS, absent_joint_mask
from ajahr.body.fast import FastBody
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.meshes import COLLAPSED, JointCutter, Mesh
from ajahr.render.overlay import RESIDUAL_COLOUR

ONE_LIMB = [tuple(level if i == limb else 0 for i in LIMBS) for limb in LIMBS for level in (1, 2, 3)]
SEVERAL = [(3, 3, 3, 3), (1, 2, 3, 1), (0, 1, 2, 0)]


@pytest.fixture(scope="module")
def cutter(body):
    return JointCutter(body.weights, body.faces)


def posed(body, levels, seed=0):
    rng = np.random.default_rng(seed)
    rotmats = rotvec_to_rotmat(rng.normal(0, 0.25, (24, 3))).astype(np.float32)
    return FastBody(body)(
        rng.normal(0, 1, 10).astype(np.float32), rotmats, absent_joint_mask(levels)
    ).vertices


def edges_of(faces):
    """Directed edges as numbers, sorted, and the same edges turned round."""
    a, b = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64).T
    return np.sort(a << 32 | b), np.sort(b << 32 | a)


def areas(mesh):
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def volume(mesh):
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("fc,fc->", a, np.cross(b, c)) / 6)


# law


@pytest.mark.parametrize("levels", ONE_LIMB + SEVERAL)
def test_what_stays_is_closed_clean_and_the_models_own_surface(body, cutter, levels):
    vertices = posed(body, levels)
    mesh, cut = cutter(vertices, levels), cutter.cut(levels)
    edges, turned = edges_of(mesh.faces)
    assert (np.diff(edges) > 0).all()  # no edge twice in one direction: consistent winding, manifold
    assert np.array_equal(edges, turned)  # closed
    assert np.array_equal(np.unique(mesh.faces), np.arange(len(mesh.vertices)))  # nothing unreferenced
    assert areas(mesh).min() > 1e-9
    assert np.array_equal(mesh.vertices[: len(cut.kept)], vertices[cut.kept])
    assert len(cut.rims) == sum(level > 0 for level in levels)
    share = body.weights[:, absent_joint_mask(levels)].sum(1)
    assert share[cut.kept].max() <= COLLAPSED
    # Euler's number is kept; a closed mesh has three half edges a face
    assert 2 * len(mesh.vertices) - len(mesh.faces) == 2 * len(vertices) - len(body.faces)
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)
    assert mesh.colours.shape == mesh.vertices.shape


@pytest.mark.parametrize("limb", LIMBS)
def test_the_more_is_lost_the_less_is_left(body, cutter, limb):
    volumes, counts = [], []
    for level in range(4):
        levels = tuple(level if i == limb else 0 for i in LIMBS)
        mesh = cutter(posed(body, levels), levels)
        volumes.append(volume(mesh))
        counts.append(len(mesh.faces))
    assert all(a > b > 0 for a, b in itertools.pairwise(volumes))
    assert all(a > b for a, b in itertools.pairwise(counts))


def test_an_intact_body_is_untouched(body, cutter):
    vertices = posed(body, (0, 0, 0, 0))
    mesh = cutter(vertices, np.zeros(4, np.int64))
    assert np.array_equal(mesh.vertices, vertices)
    assert np.array_equal(mesh.faces, body.faces)
    assert not (mesh.colours == RESIDUAL_COLOUR).all(1).any()


def test_the_end_is_marked_and_only_the_end(body, cutter):
    levels = (2, 0, 0, 0)
    mesh, cut = cutter(body.v_template, levels), cutter.cut(levels)
    marked = (mesh.colours == RESIDUAL_COLOUR).all(1)
    assert marked[len(cut.kept)] and marked[cut.rims[0]].all()
    assert 0 < marked.sum() < 0.05 * len(marked)
    arm_share = body.weights[cut.kept][:, absent_joint_mask((3, 0, 0, 0))].sum(1)
    assert arm_share[marked[: len(cut.kept)]].min() > 0.5


def test_colours_tell_left_from_right(body, cutter):
    colours = cutter.colours((0, 0, 0, 0)).astype(int)
    hand = {side: body.weights[:, 22 + k] > 0.9 for k, side in enumerate(("left", "right"))}
    left, right = (colours[hand[side]].mean(0) for side in ("left", "right"))
    assert left[0] > left[2] + 50 and right[2] > right[0] + 50  # orange, blue


# edge


def toy(weights: dict[int, float], size: int = 7):
    """A flat sheet of ``size`` x ``size`` vertices; ``weights`` of vertices on the left hand."""
    place = np.arange(size * size).reshape(size, size)
    a, b, c, d = place[:-1, :-1], place[:-1, 1:], place[1:, 1:], place[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    table = np.zeros((size * size, 24), np.float32)
    table[:, 0] = 1
    for vertex, weight in weights.items():
        table[vertex, 0], table[vertex, 20] = 1 - weight, weight
    y, x = np.divmod(np.arange(size * size), size)
    return faces.astype(np.int32), table, np.stack([x, y, 0 * x], -1).astype(np.float32)


def toy_cutter(weights, size=7):
    faces, table, vertices = toy(weights, size)
    return JointCutter(table, faces), vertices


def test_an_open_body_stays_open_where_it_was():
    cutter, vertices = toy_cutter({24: 1.0})
    cut = cutter.cut((1, 0, 0, 0))
    assert len(cut.rims) == 1 and len(cut.rims[0]) == 6
    edges, turned = edges_of(cutter(vertices, (1, 0, 0, 0)).faces)
    assert (~np.isin(edges, turned)).sum() == 24  # the sheet's own border


def test_holes_that_touch_become_one():
    # two lost vertices on a diagonal that is no edge share two neighbours; on the other they share an edge
    cutter, vertices = toy_cutter({16: 1.0, 32: 1.0})
    mesh = cutter(vertices, (1, 0, 0, 0))
    edges, _ = edges_of(mesh.faces)
    assert (np.diff(edges) > 0).all()
    starts = np.bincount(np.concatenate(cutter.cut((1, 0, 0, 0)).rims))
    assert starts.max() == 1


def test_a_piece_cut_off_goes_with_the_limb():
    inner = {(y, x) for y in (3, 4) for x in (3, 4)}
    ring = {(y, x) for y in range(2, 6) for x in range(2, 6)} - inner
    cutter, vertices = toy_cutter({9 * y + x: 1.0 for y, x in ring}, 9)
    cut = cutter.cut((1, 0, 0, 0))
    assert not set(cut.kept.tolist()) & {9 * y + x for y, x in inner}
    assert len(cut.rims) == 1
    assert cutter(vertices, (1, 0, 0, 0)).vertices.shape[0] == len(cut.kept) + 1


def test_a_cut_into_the_border_of_an_open_body_stays_open():
    cutter, vertices = toy_cutter({3: 1.0})
    mesh = cutter(vertices, (1, 0, 0, 0))
    assert not cutter.cut((1, 0, 0, 0)).rims
    assert len(np.unique(mesh.faces)) == len(mesh.vertices) < 49


def test_levels_out_of_range(cutter, body):
    with pytest.raises(ValueError, match=r"0\.\.3"):
        cutter(body.v_template, (4, 0, 0, 0))


# twin


def test_a_vertex_without_area_still_has_a_normal():
    flat = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32), np.zeros((3, 3), np.uint8))
    assert np.allclose(np.linalg.norm(flat.normals, axis=1), 1)
