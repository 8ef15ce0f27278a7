"""Measures against trimesh's sections, and laws of scale."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh

from ajahr.errors import UserError
from ajahr.residual_limb.measure import measure, scale_of, stl_bytes
from ajahr.residual_limb.segments import SEGMENT
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import cut_limb

KNEE, ELBOW = SEGMENT["left_below_knee_res"], SEGMENT["right_above_elbow_res"]


def test_sections_are_trimeshs(mesh: SkinnedMesh) -> None:
    low = cut_limb(mesh, KNEE, 0.3)
    found = measure(low.mesh, low.ends[0])
    sections = found.sections
    solid = trimesh.Trimesh(low.mesh.vertices, low.mesh.faces, process=False)
    end = low.ends[0]
    for section in sections[::4]:
        level = low.mesh.vertices[end.tip] - section.from_distal_end * end.normal
        paths = solid.section(plane_origin=level, plane_normal=end.normal)
        assert paths is not None
        lengths = [e.length(paths.vertices) for e in paths.entities]
        assert min(abs(np.array(lengths) - section.circumference)) < 1e-4
        assert section.area < section.circumference**2 / (4 * np.pi)
        assert section.ap < section.circumference / 2 and section.ml < section.circumference / 2
    areas = np.array([0.0, *(s.area for s in sections)])
    rough = np.trapezoid(areas, np.array([0.0, *(s.from_distal_end for s in sections)]))
    assert found.volume == pytest.approx(rough, rel=0.1)
    bone = np.linalg.norm(mesh.joints[KNEE.anchor] - mesh.joints[KNEE.upstream])
    assert found.length == pytest.approx(0.7 * bone, rel=1e-3)
    assert not found.scaled and found.length_ratio == pytest.approx(0.7, abs=0.02)


def test_scale(mesh: SkinnedMesh) -> None:
    cut = cut_limb(mesh, ELBOW, 0.3)
    plain = measure(cut.mesh, cut.ends[0])
    factor = scale_of(mesh, stature_m=1.2 * float(np.ptp(mesh.vertices[:, 1])))
    assert factor == pytest.approx(1.2)
    scaled = measure(cut.mesh, cut.ends[0], scale=factor, scale_sd=0.02, fraction_sd=0.01)
    assert scaled.scaled and scaled.length == pytest.approx(1.2 * plain.length)
    assert scaled.volume == pytest.approx(1.2**3 * plain.volume)
    assert scaled.length_ratio == plain.length_ratio
    bone = np.linalg.norm(mesh.joints[ELBOW.anchor] - mesh.joints[ELBOW.upstream]) * 1.2
    assert scaled.length_sd == pytest.approx(np.hypot(0.01 * bone, 0.02 * scaled.length))
    assert scale_of(mesh, segment_name=ELBOW, segment_m=float(bone)) == pytest.approx(1.2, rel=1e-5)
    assert scale_of(mesh) is None
    # sections are 20 mm apart on the person, not on the model
    assert np.diff([s.from_distal_end for s in scaled.sections]) == pytest.approx(0.02)
    for wrong in (0.0, 5.0, float("nan")):
        with pytest.raises(UserError, match="is no person's"):
            scale_of(mesh, stature_m=wrong)
    with pytest.raises(UserError, match="is no person's"):
        scale_of(mesh, segment_name=ELBOW, segment_m=0.0)


def test_a_short_limb_and_its_flag(mesh: SkinnedMesh) -> None:
    cut = cut_limb(mesh, SEGMENT["left_above_knee_res"], 0.97)
    found = measure(cut.mesh, cut.ends[0], scale=1.0)
    assert {"clamped", "oblique_cut", "too_short_for_sections"} == set(found.flags)
    assert found.sections == () and found.volume == 0


def test_stl_is_in_millimetres_and_closed(mesh: SkinnedMesh) -> None:
    cut = cut_limb(mesh, KNEE, 0.5).mesh
    loaded = trimesh.load(io.BytesIO(stl_bytes(cut, 1.1)), file_type="stl")
    assert isinstance(loaded, trimesh.Trimesh)
    loaded.merge_vertices()
    assert loaded.is_watertight and loaded.is_winding_consistent
    assert loaded.volume == pytest.approx(cut.topology.volume * 1e9 * 1.1**3, rel=1e-4)
