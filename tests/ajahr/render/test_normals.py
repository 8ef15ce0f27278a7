from __future__ import annotations

import numpy as np

from ajahr.body.data import load_body
from ajahr.render.normals import sum_normals, unit_normals


def test_normals_are_those_of_a_plain_loop() -> None:
    body = load_body()
    corners = body.v_template[body.faces].astype(np.float64)
    of_faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    expected = np.zeros(body.v_template.shape)
    for k in range(3):
        np.add.at(expected, body.faces[:, k], of_faces)
    found = np.full(expected.shape, 7, np.float32)
    sum_normals(body.v_template, body.faces, found)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(unit_normals(body.v_template, body.faces), expected, atol=2e-3)


def test_a_vertex_without_area_has_some_normal() -> None:
    normals = unit_normals(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
