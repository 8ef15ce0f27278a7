from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ajahr.errors import UserError
from synth.appearance.atlas import REGION_NAMES, build_atlas


def texel_of(uv, size):
    return np.clip((uv * size).astype(int), 0, size - 1).T


def seam_pairs(body):
    """Two UV indices of every vertex that lies on a seam."""
    corner = np.unique(np.stack([body.faces.ravel(), body.uv_faces.ravel()], 1), axis=0)
    vertex, first, count = np.unique(corner[:, 0], return_index=True, return_counts=True)
    first = first[count > 1]
    assert len(first) > 100 and len(vertex)
    return corner[first, 1], corner[first + 1, 1]


def test_law_every_texel_of_the_square_is_filled_from_the_nearest_island(atlas):
    assert atlas.nearest.min() >= 0 and atlas.nearest.max() < len(atlas.xyz)
    assert np.array_equal(atlas.nearest[atlas.covered], np.arange(atlas.covered.sum()))
    places = np.argwhere(atlas.covered)
    for y, x in np.random.default_rng(0).integers(0, atlas.size, (200, 2)):  # brute force
        distance = np.hypot(*(places - (y, x)).T)
        assert distance[atlas.nearest[y, x]] == pytest.approx(distance.min())


def test_law_texels_lie_where_the_mesh_says(body, atlas):
    uv_of = np.zeros(len(body.v_template), int)
    uv_of[body.faces.ravel()] = body.uv_faces.ravel()
    y, x = texel_of(body.uv[uv_of][:, ::-1], atlas.size)
    texel = atlas.nearest[y, x]
    away = np.linalg.norm(atlas.xyz[texel] - body.v_template, axis=1)
    assert np.quantile(away / atlas.texel_m[texel], 0.95) < 2
    assert 0.6 < atlas.covered.mean() < 0.65  # the layout covers 62.6 % of the square
    assert np.quantile(np.linalg.norm(atlas.normal, axis=1), 0.01) > 0.9


def test_law_both_sides_of_a_seam_are_one_place(body, atlas):
    a, b = (atlas.nearest[tuple(texel_of(body.uv[i][:, ::-1], atlas.size))] for i in seam_pairs(body))
    away = np.linalg.norm(atlas.xyz[a] - atlas.xyz[b], axis=1)
    assert np.quantile(away / np.maximum(atlas.texel_m[a], atlas.texel_m[b]), 0.95) < 3


def test_law_landmarks_are_symmetric_and_ordered(atlas):
    lm = atlas.landmarks
    np.testing.assert_allclose(lm.eyes[0] * (-1, 1, 1), lm.eyes[1], atol=2e-3)
    assert lm.crown > lm.eyes[0, 1] > lm.nose[1] > lm.mouth[1] > lm.chin[1] > lm.joint("neck")[1] > lm.ground
    assert 0.009 < lm.eye_radius < 0.016 and lm.scale == pytest.approx(1, abs=0.01)
    assert lm.ear[0] > 0.05 and lm.nose[2] > lm.ear[2]


def test_law_weights_and_coordinates_match_the_limb(atlas):
    x, y = atlas.xyz[:, 0], atlas.xyz[:, 1]
    assert x[atlas.weight[:, 0] > 0.9].min() > 0 > x[atlas.weight[:, 1] > 0.9].max()
    assert y[atlas.leg > 0.9].max() < atlas.landmarks.joint("pelvis")[1] + 0.05
    trunk = (atlas.arm < 0.5) & (atlas.leg < 0.5)
    np.testing.assert_array_equal(atlas.axial[trunk], y[trunk])
    hand = atlas.weight[:, 5] > 0.9
    assert atlas.axial[hand].min() > 0.4  # a hand is that far from its shoulder
    assert np.abs(atlas.angle).max() <= np.float32(np.pi) + 1e-6


def test_law_regions_lie_where_they_belong(atlas):
    lm, xyz = atlas.landmarks, atlas.xyz
    assert set(atlas.regions) == set(REGION_NAMES)
    lips = atlas.regions["lips"] > 0.5
    assert np.linalg.norm(xyz[lips].mean(0) - lm.mouth) < 0.015
    assert np.abs(np.abs(xyz[atlas.regions["ears"] > 0.5, 0]).mean() - lm.ear[0]) < 0.01
    nails = atlas.regions["nails"] > 0.5
    assert nails.any() and (atlas.weight[nails, 5] + atlas.weight[nails, 6] > 0.9).all()
    assert (
        np.linalg.norm(xyz[atlas.eyeball] - lm.eyes[(xyz[atlas.eyeball, 0] < 0).astype(int)], axis=1) < 0.02
    ).all()


def test_edge_a_body_without_uv_is_the_users_error(body):
    with pytest.raises(UserError, match="no UV coordinates"):
        build_atlas(dataclasses.replace(body, uv=None), 64)


def test_edge_a_body_of_another_layout_has_no_painted_regions(body):
    other = dataclasses.replace(body, uv=np.concatenate([body.uv, body.uv[:1]]), vertex_ids={})
    atlas = build_atlas(other, 96)
    assert all(not mask.any() for mask in atlas.regions.values())
    assert np.isfinite(atlas.landmarks.nose).all() and np.isfinite(atlas.landmarks.eyes).all()
