"""Measures against trimesh's sections, and laws of scale."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh

from ajahr.errors import UserError
from ajahr.residual_limb.export import residual_surface
from ajahr.residual_limb.measure import measure, scale_of, stl_bytes
from ajahr.residual_limb.report import csv_text, document, level_of, rows_of, summary_of, tables_of
from ajahr.residual_limb.segments import SEGMENT
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import ResidualLimb, cut_limb

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
    assert found.sections == () and found.volume == 0 and found.shape == "too short to tell"
    hip = SEGMENT["left_above_knee_res"]
    bone = np.linalg.norm(mesh.joints[hip.anchor] - mesh.joints[hip.upstream])
    assert found.length == pytest.approx(0.03 * bone, rel=1e-4), "the limb's, not the surface's"
    assert "shown longer than it is" in summary_of(found, 0.97)
    gone = cut_limb(mesh, hip, 1.0)
    words = summary_of(measure(gone.mesh, gone.ends[0], scale=1.0), 1.0)
    assert words.startswith("hip disarticulation, ") and "mm" not in words and "longer" not in words


def test_stl_is_in_millimetres_and_closed(mesh: SkinnedMesh) -> None:
    cut = cut_limb(mesh, KNEE, 0.5).mesh
    loaded = trimesh.load(io.BytesIO(stl_bytes(cut, 1.1)), file_type="stl")
    assert isinstance(loaded, trimesh.Trimesh)
    loaded.merge_vertices()
    assert loaded.is_watertight and loaded.is_winding_consistent
    assert loaded.volume == pytest.approx(cut.topology.volume * 1e9 * 1.1**3, rel=1e-4)


def _solid(mesh: SkinnedMesh, shape: trimesh.Trimesh, bone: float) -> tuple[SkinnedMesh, ResidualLimb]:
    """A shape hanging down from its own origin as the residual shank of a body: knee above, end below."""
    joints = mesh.joints.copy()
    joints[KNEE.upstream], joints[KNEE.anchor] = (0, 0, 0), (0, -bone, 0)
    joints[KNEE.mirrored.upstream], joints[KNEE.mirrored.anchor] = (1, 0, 0), (1, -bone, 0)
    vertices = np.asarray(shape.vertices, np.float32)
    weights = np.zeros((len(vertices), len(joints)), np.float32)
    weights[:, KNEE.upstream] = 1
    made = SkinnedMesh.build(vertices, np.asarray(shape.faces), weights, joints, mesh.parents)
    tip = int(vertices[:, 1].argmin())
    down = np.array([0.0, -1, 0])
    return made, ResidualLimb(KNEE, 0.3, tip, np.arange(3), vertices[tip].astype(float), down, 0.0, False)


def test_a_capsule_a_cone_and_a_finely_sliced_limb(mesh: SkinnedMesh) -> None:
    """Against formulas: radius 50 mm, 300 mm from the knee to the end; a cone from 80 to 40 mm."""
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0))
    capsule = trimesh.creation.capsule(height=0.5, radius=0.05, count=(64, 64))
    capsule.apply_transform(turn)
    capsule.apply_translation((0, -0.3 - capsule.vertices[:, 1].min(), 0))
    found = measure(*_solid(mesh, capsule, 0.42), scale=1.0, scale_sd=0.01, fraction_sd=0.02)
    assert found.length == pytest.approx(0.3, abs=1e-5)
    for section in found.sections:
        depth = min(section.from_distal_end, 0.05)
        radius = np.sqrt(0.05**2 - (0.05 - depth) ** 2)
        assert section.circumference == pytest.approx(2 * np.pi * radius, rel=5e-3)
        assert section.ap == pytest.approx(2 * radius, rel=5e-3)
        assert section.ml == pytest.approx(2 * radius, rel=5e-3)
    exact = np.pi * 0.05**2 * 0.25 + 2 / 3 * np.pi * 0.05**3
    assert found.volume == pytest.approx(exact, rel=5e-3) and found.shape == "cylindrical"
    assert found.volume_sd == pytest.approx(
        np.hypot(0.03 * found.volume, found.volume / 0.3 * 0.02 * 0.42), rel=0.02
    )
    assert found.section_sd(found.sections[-1]) == pytest.approx(0.01 * 2 * np.pi * 0.05, rel=0.05)

    profile = np.array([[0, -0.3], [0.04, -0.3], [0.08, 0.0], [0.08, 0.05], [0, 0.05]])
    cone = trimesh.creation.revolve(profile, sections=128)
    cone.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    found = measure(*_solid(mesh, cone, 0.42))
    assert found.shape == "conical"
    assert found.volume == pytest.approx(np.pi * 0.3 / 3 * (0.08**2 + 0.08 * 0.04 + 0.04**2), rel=0.02)
    middle = found.sections[6]
    assert middle.diameter == pytest.approx(0.08 + 0.08 * middle.from_distal_end / 0.3, rel=1e-3)

    # the limb alone has its volume by the divergence theorem
    cut = cut_limb(mesh, KNEE, 0.2)
    vertices, faces = residual_surface(cut.mesh, cut.ends[0])
    told = measure(cut.mesh, cut.ends[0])
    assert told.volume == pytest.approx(topology(vertices, faces).volume, rel=5e-3)


def test_rows_of_a_report(mesh: SkinnedMesh) -> None:
    cut = cut_limb(mesh, KNEE, 0.3)
    plain = rows_of(measure(cut.mesh, cut.ends[0]), 0.3)
    assert all(row["unit"] == "" for row in plain)
    scaled = measure(cut.mesh, cut.ends[0], scale=1.0, scale_sd=0.02, fraction_sd=0.01)
    rows = rows_of(scaled, 0.3)
    quantities = {row["quantity"] for row in rows}
    assert {
        "length",
        "volume",
        "circumference",
        "AP width",
        "ML width",
        "shape",
        "amputation level",
    } <= quantities
    assert all(row["sd"] != "" for row in rows if row["quantity"] in ("length", "volume", "circumference"))
    assert csv_text(rows).count("\n") == len(rows) + 1
    assert document([scaled], rows)["scaled"] is True
    facts, sections = tables_of(scaled, 0.3)
    assert len(sections[1]) == len(scaled.sections) + 1 and ("amputation level", "transtibial") in facts[1]
    assert summary_of(scaled, 0.3) == f"transtibial, {1000 * scaled.length:.0f} mm"
    assert summary_of(measure(cut.mesh, cut.ends[0]), 0.3).endswith("% of the other side")
    assert level_of(KNEE, 0.0) == "ankle disarticulation"
    assert level_of(SEGMENT["left_above_knee_res"], 0.95) == "transfemoral", (
        "very high, but no disarticulation"
    )
    assert level_of(SEGMENT["left_above_knee_res"], 1.0) == "hip disarticulation"
    assert level_of(ELBOW, 1.0) == "shoulder disarticulation"
