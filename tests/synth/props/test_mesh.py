"""Shapes: closed, facing outwards, of the volume they should have."""

from collections import Counter

import numpy as np
import pytest

from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.props.mesh import Mesh, across, bar, box, ellipsoid, join, ring, sweep, tube, unit

RED = (200.0, 10.0, 20.0)
SHAPES = {
    "box": (box((0.1, 0.2, 0.3), (0.5, 0.25, 1.0), RED), 1.0),
    "tube": (tube([(0, 0, 0), (0, 3, 0)], 0.5, RED, 64), np.pi * 0.75),
    "bent tube": (tube([(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 1)], 0.05, RED), None),
    "ring": (ring((1, 2, 3), (0, 1, 1), 1.0, 0.2, RED, 96, 32), 2 * np.pi**2 * 0.04),
    "ellipsoid": (ellipsoid((1, 1, 1), (1.0, 0.5, 2.0), RED, rings=41, sides=64), 4 / 3 * np.pi),
    "bar": (bar(np.array([[0.0, i, 0.1 * i * i] for i in range(5)]), (1, 0, 0), np.full(5, 0.3), 0.02, RED), None),
}  # fmt: skip


def edges_used(mesh: Mesh) -> Counter:
    """How often each directed edge between places is used; corners in one place are one."""
    _, place = np.unique(mesh.vertices.round(6), axis=0, return_inverse=True)
    corners = place.ravel()[mesh.faces]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    return Counter(map(tuple, edges.tolist()))


# law


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_closed_and_faces_outwards(name):
    mesh, volume = SHAPES[name]
    used = edges_used(mesh)
    assert all(count == 1 and used[b, a] == 1 for (a, b), count in used.items())
    assert mesh.volume > 0
    if volume is not None:
        assert mesh.volume == pytest.approx(volume, rel=0.02)
    assert (mesh.rgb == RED).all() and len(mesh.rgb) == len(mesh.vertices)


@pytest.mark.parametrize("name", SHAPES)
def test_moved_and_mirrored_shapes_still_face_outwards(name):
    mesh, _ = SHAPES[name]
    moved = mesh.placed(rotvec_to_rotmat(np.array([0.4, -1.0, 2.0])), np.array([1.0, 2.0, 3.0]), 2.0)
    assert moved.volume == pytest.approx(8 * mesh.volume, rel=1e-3)
    assert mesh.mirrored().volume == pytest.approx(mesh.volume, rel=1e-3)


def test_joined_meshes_keep_their_places():
    one, other = SHAPES["box"][0], SHAPES["ring"][0]
    both = join([one, other])
    assert both.volume == pytest.approx(one.volume + other.volume, rel=1e-4)
    assert np.array_equal(both.vertices[both.faces[-1]], other.vertices[other.faces[-1]])


def test_a_tube_has_its_radius_all_along():
    line = np.array([[0, 0, 0], [0, 1, 0], [0, 2, 0.5], [1, 2, 1]], float)
    mesh = tube(list(line), [0.1, 0.2, 0.3, 0.1], RED, 12)
    for i, radius in enumerate((0.1, 0.2, 0.3, 0.1)):
        ring_ = mesh.vertices[12 * i : 12 * i + 12]
        assert np.linalg.norm(ring_ - line[i], axis=1) == pytest.approx(np.full(12, radius), abs=1e-5)


def test_a_tube_along_its_hint_has_thickness():
    assert tube([(0, 0, 0), (0.31, 0.62, 0.72)], 0.1, RED).volume > 0.9 * np.pi * 0.01 * 0.95


def test_an_elliptic_sweep_is_as_wide_as_it_is_told():
    points = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, 2]])
    x, y = (np.tile(axis, (3, 1)) for axis in np.eye(3)[:2])
    mesh = sweep(points, np.array([[0.2, 0.1]] * 3), x, y, RED, 40)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([0.4, 0.2, 2.0], abs=1e-5)


# edge


def test_no_direction_has_a_fallback():
    assert unit((0, 0, 0)) == pytest.approx([0, 1, 0])
    side = across((0, 0, 1), (0, 0, 5))
    assert abs(side @ [0, 0, 1]) < 1e-9 and np.linalg.norm(side) == pytest.approx(1)


def test_nothing_joined_is_an_empty_mesh():
    assert len(join([]).vertices) == len(join([]).faces) == 0
