"""Self-intersections against every pair in fractions, and surfaces whose count is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import trimesh

from ajahr.residual_limb.intersections import (
    _pierce_exactly,
    intersection_curves,
    self_intersections,
)


def test_twin_of_all_pairs_in_fractions() -> None:
    rng = np.random.default_rng(4)
    vertices = rng.normal(0, 1, (36, 3)).astype(np.float32)
    faces = np.array([rng.choice(36, 3, replace=False) for _ in range(30)])
    # on a coarse grid many vertices lie in the planes and on the edges of other faces
    for places in (vertices, np.round(2 * vertices) / 2):
        slow = [
            pair for pair in combinations(range(30), 2)
            if _pierce_exactly(places.astype(np.float64), faces[pair[0]], faces[pair[1]])
        ]  # fmt: skip
        assert len(slow) > 20
        assert self_intersections(places, faces).tolist() == [list(pair) for pair in slow]


def test_a_sphere_has_none_and_two_have_a_closed_curve() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    assert len(self_intersections(ball.vertices, ball.faces)) == 0
    vertices = np.concatenate([ball.vertices, ball.vertices + np.array([1.0, 0.013, 0.007])])
    faces = np.concatenate([ball.faces, ball.faces + len(ball.vertices)])
    pairs = self_intersections(vertices, faces)
    assert (pairs[:, 0] < len(ball.faces)).all() and (pairs[:, 1] >= len(ball.faces)).all()
    # every face on the curve is left by it through two edges
    _, times = np.unique(pairs, return_counts=True)
    assert len(pairs) > 50 and times.min() >= 1
    apart = np.concatenate([ball.vertices, ball.vertices + np.array([2.1, 0, 0])])
    assert len(self_intersections(apart, faces)) == 0
    turned = self_intersections(vertices[:, ::-1] * 1000, faces[::-1])
    assert len(turned) == len(pairs)


def test_touching_is_no_piercing() -> None:
    one = trimesh.creation.box()
    vertices = np.concatenate(
        [one.vertices, one.vertices + np.array([1, 0, 0]), one.vertices + np.array([0.25, 1, 0.25])]
    )
    faces = np.concatenate([one.faces, one.faces + 8, one.faces + 16])
    assert len(self_intersections(vertices, faces)) == 0
    vertices[16:] -= (0, 0.25, 0)
    assert len(self_intersections(vertices, faces)) > 0


def test_nothing_and_one_face() -> None:
    assert self_intersections(np.zeros((0, 3)), np.zeros((0, 3), int)).shape == (0, 2)
    assert self_intersections(np.eye(3), np.array([[0, 1, 2]])).shape == (0, 2)


def _crossing_tubes(sections: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A tube of radius 0.25 m that runs right through one of radius 1 m, both capped."""
    thick = trimesh.creation.cylinder(1.0, 2.0, sections=sections)
    thin = trimesh.creation.cylinder(0.25, 4.0, sections=sections)
    for _ in range(rows):
        thick, thin = thick.subdivide(), thin.subdivide()
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0.01, 0.02])
    thin.apply_transform(turn)
    return (
        np.concatenate([thick.vertices, thin.vertices]),
        np.concatenate([thick.faces, thin.faces + len(thick.vertices)]),
    )


def test_curves_do_not_depend_on_how_fine_the_faces_are() -> None:
    found = []
    for rows in (0, 1, 2):
        vertices, faces = _crossing_tubes(32, rows)
        pairs = self_intersections(vertices, faces)
        lengths, curves = intersection_curves(vertices, faces, pairs)
        assert len(np.unique(curves)) == 2, "in on one side and out on the other"
        found.append((len(pairs), lengths.sum()))
    (few, length), (many, same) = found[0], found[2]
    assert many > 2 * few and same == pytest.approx(length, rel=1e-6)
    # the thin tube's outline twice, a little longer for the bend of the thick one
    assert 2 * 2 * np.pi * 0.25 * 0.99 < length < 2 * 2 * np.pi * 0.25 * 1.05


def test_a_curve_may_begin_at_a_corner_that_two_faces_share() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, -1], [1, 1, 1.0]])
    faces = np.array([[0, 1, 2], [0, 3, 4]])
    pairs = self_intersections(vertices, faces)
    lengths, curves = intersection_curves(vertices, faces, pairs)
    assert pairs.tolist() == [[0, 1]] and len(curves) == 1
    assert lengths[0] == pytest.approx(np.sqrt(0.5))
    assert [len(x) for x in intersection_curves(vertices, faces, np.zeros((0, 2), int))] == [0, 0]
