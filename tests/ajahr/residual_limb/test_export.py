"""The residual limb alone: closed, in its own frame, as large as measured."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from ajahr.errors import UserError
from ajahr.residual_limb.export import residual_surface
from ajahr.residual_limb.measure import measure
from ajahr.residual_limb.segments import SEGMENT, SEGMENTS, Segment
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import cut_limb


@pytest.mark.parametrize("segment", SEGMENTS, ids=lambda s: s.name)
def test_closed_and_as_measured(mesh: SkinnedMesh, segment: Segment) -> None:
    cut = cut_limb(mesh, segment, 0.3)
    vertices, faces = residual_surface(cut.mesh, cut.ends[0])
    solid = trimesh.Trimesh(vertices, faces, process=False)
    assert solid.is_volume and solid.euler_number == 2
    told = measure(cut.mesh, cut.ends[0])
    assert solid.volume == pytest.approx(told.volume, rel=0.01)
    # z runs from the end to the reference level, where it is flat
    assert abs(vertices[:, 2].min()) < 2e-3 and vertices[:, 2].max() == pytest.approx(
        told.volume_level, abs=1e-5
    )
    assert (vertices[:, 2] > told.volume_level - 1e-5).sum() > 8
    assert np.abs(vertices[:, :2]).max() < 0.25


def test_manifold3d_takes_it(mesh: SkinnedMesh) -> None:
    manifold3d = pytest.importorskip("manifold3d")
    cut = cut_limb(mesh, SEGMENTS[0], 0.4)
    for vertices, faces in ((cut.mesh.vertices, cut.mesh.faces), residual_surface(cut.mesh, cut.ends[0])):
        made = manifold3d.Manifold(manifold3d.Mesh(vertices, faces.astype(np.uint32)))
        assert made.status() == manifold3d.Error.NoError
        assert made.volume() == pytest.approx(topology(vertices, faces).volume, rel=1e-4)


def test_too_short_is_refused(mesh: SkinnedMesh) -> None:
    cut = cut_limb(mesh, SEGMENT["left_above_knee_res"], 0.8)
    with pytest.raises(UserError, match="too short"):
        residual_surface(cut.mesh, cut.ends[0])
