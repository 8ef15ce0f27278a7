"""Surfaces of people with residual limbs: cut and closed at rest, once, and posed as often as wanted.

Where a fit to the image has moved a limb's distal joint, the bone is swung after it, by the smallest rotation, so
that the surface follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, UInt8

from ajahr.anatomy import LIMBS, absent_joints
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.inference.limb_ends import LimbEnd, Surface
from ajahr.inference.meshes import JointCutter, limb_colours
from ajahr.inference.person import Person
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.segments import Segment
from ajahr.residual_limb.surface import CutBody

RESIDUAL_RED = (214, 40, 40)


@dataclass(frozen=True, eq=False)
class RestSurface:
    """A person's body at rest, cut where limbs end inside bones, with what is to be taken off at joints."""

    cut: CutBody
    at_joints: Int[np.ndarray, "limbs=4"]
    """Levels of the limbs lost at joints; 0 of the others."""

    def pose(
        self,
        rotmats: Float[np.ndarray, "joints=24 3 3"],
        anchors: Mapping[Segment, Float[np.ndarray, "3"]] | None = None,
    ) -> Surface:
        """The surface in a pose.

        Args:
            rotmats: as regressed; the root's maps to the camera frame.
            anchors: where a fit has moved distal joints, camera frame, m, without the person's translation.
        """
        mesh = self.cut.mesh
        rotmats = np.array(rotmats, np.float64)
        for segment, anchor in (anchors or {}).items():
            rotmats = swung(self.cut, rotmats, segment, anchor)
        for limb in LIMBS:
            rotmats[list(absent_joints(limb, int(self.at_joints[limb])))] = 0
        vertices, faces = mesh.pose(rotmats), mesh.faces
        if self._joint_cutter is not None:
            whole = self._joint_cutter(vertices, self.at_joints)
            vertices, faces = whole.vertices, whole.faces
        return Surface(vertices, faces, self._colours, mesh, self.cut.ends)

    @cached_property
    def _joint_cutter(self) -> JointCutter | None:
        mesh = self.cut.mesh
        return JointCutter(mesh.weights, mesh.faces) if self.at_joints.any() else None

    @cached_property
    def _colours(self) -> UInt8[np.ndarray, "vertices rgb=3"]:
        """Of the vertices as posed: residual limbs red."""
        mesh = self.cut.mesh
        if self._joint_cutter is None:  # nothing to take off: the mesh as it is
            colours, kept = limb_colours(mesh.weights), np.arange(len(mesh.vertices))
        else:
            found = self._joint_cutter.cut(self.at_joints)
            colours, kept = found.colours.astype(np.float32), found.kept
        colours = np.rint(colours)
        share = mesh.weights[:, [end.segment.upstream for end in self.cut.ends]].sum(1)
        share = np.where(mesh.residual, 1, np.clip((share - 0.3) / 0.4, 0, 1))[kept]
        red = np.array(RESIDUAL_RED, np.float32)
        colours[: len(kept)] += share[:, None] * (red - colours[: len(kept)])
        return np.rint(colours).astype(np.uint8)


def rest_surface(
    cutter: LimbCutter,
    betas: Float[np.ndarray, " betas"],
    levels: Int[np.ndarray, "limbs=4"],
    ends: Mapping[Segment, float],
) -> RestSurface:
    """A body cut at lambda of some bones.

    Args:
        cutter: of the body; betas beyond its own count are left out.
        levels: what is lost; limbs without an entry in ``ends`` are taken off at the joint that theirs names.

    Raises:
        UserError: as `cut_limbs`.
    """
    cut = cutter.cut_body(betas[: cutter.body.num_betas], ends)
    ended = {segment.limb for segment in ends}
    return RestSurface(cut, np.array([0 if limb in ended else int(levels[limb]) for limb in LIMBS]))


def cut_surface(
    cutter: LimbCutter,
    betas: Float[np.ndarray, " betas"],
    rotmats: Float[np.ndarray, "joints=24 3 3"],
    levels: Int[np.ndarray, "limbs=4"],
    ends: Mapping[Segment, float],
    anchors: Mapping[Segment, Float[np.ndarray, "3"]] | None = None,
) -> Surface:
    """A body cut at lambda of some bones, in pose; arguments as of `rest_surface` and `RestSurface.pose`.

    Raises:
        UserError: as `cut_limbs`.
    """
    return rest_surface(cutter, betas, levels, ends).pose(rotmats, anchors)


def surface_of(person: Person, limb_ends: tuple[LimbEnd | None, ...], cutter: LimbCutter) -> Surface | None:
    """The surface of a person with residual limbs; None of somebody without.

    Raises:
        UserError: as `cut_limbs`.
    """
    found = [end for end in limb_ends if end is not None]
    if not found:
        return None
    ends = {end.segment: end.fraction for end in found}
    moved = {end.segment: end.anchor - person.translation for end in found if end.method.endswith("rafo")}
    return cut_surface(cutter, person.betas, person.pose_rotmat, person.limb_levels, ends, moved)


def swung(
    cut: CutBody,
    rotmats: Float[np.ndarray, "joints 3 3"],
    segment: Segment,
    anchor: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "joints 3 3"]:
    """The pose with a bone turned towards where its distal joint was moved.

    Args:
        anchor: m, in the frame that the root's rotation maps to.
    """
    mesh = cut.mesh
    rotations, places = mesh.pose_joints(rotmats)
    bone = (mesh.joints[segment.anchor] - mesh.joints[segment.upstream]).astype(np.float64)
    now, then = rotations[segment.upstream] @ bone, anchor - places[segment.upstream]
    return swing(rotmats, mesh.parents, segment.upstream, now, then)


def swing(
    rotmats: Float[np.ndarray, "joints 3 3"],
    parents: tuple[int, ...],
    joint: int,
    now: Float[np.ndarray, "3"],
    then: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "joints 3 3"]:
    """Rotations with one joint turned so that its bone points where it should: the smallest rotation, no twist.

    Args:
        now: the bone's direction in the output frame, of any length.
        then: where it should point; nothing turns where that is no direction, or the opposite one.
    """
    size = float(np.linalg.norm(then))
    if size < 1e-9:
        return rotmats
    a, b = now / np.linalg.norm(now), then / size
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return rotmats
    turn = rotvec_to_rotmat(axis / sine * np.arctan2(sine, cosine))
    above, chain, at = np.eye(3), [], parents[joint]
    while at >= 0:
        chain.append(at)
        at = parents[at]
    for at in reversed(chain):
        above = above @ rotmats[at]
    turned = np.array(rotmats, np.float64)
    turned[joint] = above.T @ turn @ above @ rotmats[joint]
    return turned
