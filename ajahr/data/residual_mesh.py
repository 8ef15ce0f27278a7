"""The surface a person was rendered with, made again from their record: limbs cut, closed, posed and placed.

    mesh = residual_mesh(record.people[0], load_body())
    mesh.vertices, mesh.faces          # camera frame, m
    mesh.cut                           # the same at rest, with skin weights, texture coordinates and ends

Limbs lost at a joint are in it as they were drawn, shrunk onto the joint (AJAHR, Sec. 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32

from ajahr.anatomy import LIMBS, absent_joints
from ajahr.body.data import BodyData
from ajahr.data.record import PersonRecord
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.segments import SEGMENT, Segment
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import CutBody, cut_limbs


@dataclass(frozen=True, eq=False)
class ResidualMesh:
    """A person's surface."""

    vertices: Float32[np.ndarray, "vertices 3"]
    """Camera frame, m."""
    cut: CutBody
    """At rest, before anything has shrunk onto a joint."""

    @property
    def faces(self) -> Int32[np.ndarray, "faces 3"]:
        return self.cut.mesh.faces

    @property
    def tips(self) -> Float32[np.ndarray, "ends 3"]:
        """Ends of the residual limbs in `Limb` order, camera frame, m."""
        return self.vertices[[end.tip for end in self.cut.ends]]


def residual_ends(person: PersonRecord) -> dict[Segment, float]:
    """Lambda by bone of the limbs that end inside one, in `Limb` order."""
    return {SEGMENT[one.segment]: one.fraction for one in person.residual_limbs if one is not None}


def collapsed_joints(person: PersonRecord) -> tuple[int, ...]:
    """Joints lost at joint level: those of limbs that end inside a bone are cut off, not shrunk."""
    return tuple(
        joint
        for limb in LIMBS
        if person.limb_levels[limb] and person.residual_limbs[limb] is None
        for joint in absent_joints(limb, person.limb_levels[limb])
    )


def residual_mesh(person: PersonRecord, body: BodyData) -> ResidualMesh:
    """The surface of ``person``.

    Args:
        person: of a record of any version; without residual limbs it is the posed body.
        body: the body the dataset was made with.

    Raises:
        UserError: as `cut_limbs`: the record is not of this body.
    """
    whole = SkinnedMesh.of_body(body, person.betas[: body.num_betas])
    ends: Mapping[Segment, float] = residual_ends(person)
    cut = cut_limbs(whole, ends)
    rotmats = rotvec_to_rotmat(np.asarray(person.pose_rotvec, np.float64))
    vertices = cut.mesh.pose(rotmats, np.asarray(person.transl, np.float64), collapsed_joints(person))
    return ResidualMesh(vertices, cut)
