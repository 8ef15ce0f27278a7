"""What `ajahr.inference.adapt` finds: people, what became of each limb, and both as plain values for JSON.

Camera frame, metres; pixels of the whole picture. What is not known is NaN here and null in a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64, UInt8

from ajahr.anatomy import JOINT_NAMES, Limb
from ajahr.body.rig import RigData
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotmat_to_rotvec
from ajahr.inference.body_params import BodyParams
from ajahr.inference.ld_points import LdPoints
from ajahr.inference.meshes import Mesh
from ajahr.residual_limb.segments import Segment
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import ResidualLimb

BODY_COLOUR, RESIDUAL_RED = (172, 186, 204), (226, 44, 44)
NEAREST = 0.1
"""What lies nearer to the camera, m, counts as behind it."""


@dataclass(frozen=True, eq=False)
class LimbOutcome:
    """What became of a limb.

    ``status``: intact (its hand or foot is seen), unknown (nothing is), residual (it was cut inside a bone),
    disarticulated (it was taken off at hip or shoulder), refused (an end was given and could not be used; the limb is
    left whole).
    """

    limb: Limb
    status: Literal["intact", "unknown", "residual", "disarticulated", "refused"]
    segment: Segment | None = None
    fit: str = ""
    """RAFO's status: accepted, low_confidence, rejected, joint_level."""
    reason: str = ""
    fraction: float = float("nan")
    """lambda: 0 the whole bone is left, 1 nothing of it."""
    fraction_sd: float = float("nan")
    length: float = float("nan")
    """m of the body's own scale, from the proximal joint to the end."""
    length_sd: float = float("nan")
    end_cam: Float64[np.ndarray, "3"] | None = None
    end_px: Float64[np.ndarray, "2"] | None = None
    point_px: Float64[np.ndarray, "2"] | None = None
    error_px: float = float("nan")
    cut: ResidualLimb | None = None

    def document(self) -> dict[str, Any]:
        """Plain values; what is not known is null."""

        def number(value: float, digits: int = 4) -> float | None:
            return round(float(value), digits) if np.isfinite(value) else None

        def row(value: np.ndarray | None, digits: int) -> list[float] | None:
            return None if value is None else np.round(value, digits).tolist()

        return {
            "status": self.status,
            "segment": None if self.segment is None else self.segment.name,
            "fit": self.fit or None,
            "reason": self.reason or None,
            "lambda": number(self.fraction),
            "lambda_sd": number(self.fraction_sd),
            "residual_ratio": number(1 - self.fraction),
            "length_m": number(self.length),
            "length_sd_m": number(self.length_sd),
            "end_3d": row(self.end_cam, 4),
            "end_2d": row(self.end_px, 2),
            "keypoint_2d": row(self.point_px, 2),
            "error_px": number(self.error_px, 2),
            "flags": [] if self.cut is None else list(self.cut.flags),
        }


@dataclass(frozen=True, eq=False)
class AdaptedPerson:
    """One person. Camera frame, m; px of the whole picture."""

    number: int
    points_row: int | None
    """Of the person's keypoints in their file."""
    overlap: float
    rotmats: Float64[np.ndarray, "joints 3 3"]
    betas: Float64[np.ndarray, "betas"]
    translation: Float64[np.ndarray, "3"]
    camera: Camera
    limbs: tuple[LimbOutcome, ...]
    body: SkinnedMesh
    """At rest, cut and closed; it can be posed anew."""
    vertices_cam: Float[np.ndarray, "vertices 3"]
    joints_cam: Float64[np.ndarray, "joints 3"]
    refined: str
    """How the refinement ended, or why there was none."""
    notes: tuple[str, ...] = ()

    @property
    def visible(self) -> bool:
        return bool((self.vertices_cam[:, 2] > NEAREST).all())

    @property
    def colours(self) -> UInt8[np.ndarray, "vertices 3"]:
        """Of the mesh: residual limbs red."""
        share = np.zeros(len(self.body.vertices))
        for outcome in self.limbs:
            if outcome.cut is not None and outcome.segment is not None:
                own = self.body.weights[:, self.body.descendants(outcome.segment.upstream)].sum(1)
                share = np.maximum(share, np.clip((own - 0.3) / 0.4, 0, 1))
        blend = share[:, None]
        return np.rint(np.array(BODY_COLOUR) * (1 - blend) + np.array(RESIDUAL_RED) * blend).astype(np.uint8)

    @property
    def mesh(self) -> Mesh:
        """Camera frame, without the translation."""
        vertices = (self.vertices_cam - self.translation).astype(np.float32)
        return Mesh(vertices, self.body.faces, self.colours)

    def document(self) -> dict[str, Any]:
        """Plain values. Joints that are absent are null."""
        absent = self.body.absent
        rotvec = rotmat_to_rotvec(self.rotmats)

        def rows(values: np.ndarray, digits: int) -> list[Any]:
            return [None if j in absent else np.round(v, digits).tolist() for j, v in enumerate(values)]

        entry: dict[str, Any] = {
            "number": self.number,
            "keypoints_row": self.points_row,
            "box_overlap": round(self.overlap, 3),
            "limbs": {limb.limb.name.lower(): limb.document() for limb in self.limbs},
            "smpl": {
                "betas": np.round(self.betas, 5).tolist(),
                "global_orient": np.round(rotvec[0], 5).tolist(),
                "body_pose": np.round(rotvec[1:], 5).tolist(),
                "absent_joints": [JOINT_NAMES[j] for j in sorted(absent) if j < len(JOINT_NAMES)],
            },
            "camera": {
                "focal_length": round(float(self.camera.focal_length), 3),
                "principal_point": [float(x) for x in self.camera.principal_point],
                "translation": np.round(self.translation, 5).tolist(),
            },
            "joints_3d": rows(self.joints_cam, 4),
            "refined": self.refined,
            "notes": list(self.notes),
        }
        if self.visible:
            entry["joints_2d"] = rows(self.camera.project(self.joints_cam), 2)
        return entry


@dataclass(frozen=True, eq=False)
class Adapted:
    """The people of one picture, in the order of their parameters."""

    people: tuple[AdaptedPerson, ...]
    params: BodyParams
    points: LdPoints
    rig: RigData
    image: UInt8[np.ndarray, "height width 3"] | None = None
    notes: tuple[str, ...] = ()
