"""What prediction says of a residual limb, and the surface of a person who has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from ajahr.geometry.cameras import Camera
from ajahr.inference.meshes import Mesh
from ajahr.residual_limb.decide import Method
from ajahr.residual_limb.segments import Segment
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import ResidualLimb

_95 = 1.96


@dataclass(frozen=True, eq=False)
class LimbEnd:
    """Where one limb of a person ends between two joints."""

    segment: Segment
    fraction: float
    """Lambda."""
    sd: float
    method: Method
    length: float
    """m, of the bone that is left; in the body's own size where no stature is known."""
    bone: float
    """m, of the whole bone."""
    scaled: bool
    """Whether a stature was given."""
    end: Float[np.ndarray, "3"]
    """Camera frame, m, with the person's translation; never scaled."""
    anchor: Float[np.ndarray, "3"]
    status: str
    """What became of the fit to the image point: "accepted", "rejected", "low_confidence", "absent"; "" if none was
    asked for."""
    reason: str
    flags: tuple[str, ...] = ()

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of the length, m."""
        spread = _95 * self.sd
        low, high = ((1 - min(max(self.fraction + s, 0), 1)) * self.bone for s in (spread, -spread))
        return low, high

    def facts(self) -> dict[str, Any]:
        """For JSON, all but places."""
        low, high = self.interval
        return {
            "segment": self.segment.name,
            "bone": self.segment.bone,
            "lambda": round(self.fraction, 4),
            "lambda_sd": round(self.sd, 4),
            "length_mm": round(1000 * self.length, 1),
            "length_95_mm": [round(1000 * low, 1), round(1000 * high, 1)],
            "length_ratio": round(1 - self.fraction, 4),
            "bone_mm": round(1000 * self.bone, 1),
            "scaled": self.scaled,
            "method": self.method,
            "fit": self.status or None,
            "fit_reason": self.reason or None,
            "flags": list(self.flags),
        }

    def document(self, camera: Camera) -> dict[str, Any]:
        """For JSON."""
        return {
            **self.facts(),
            "anchor_3d": np.round(self.anchor, 4).tolist(),
            "end_3d": np.round(self.end, 4).tolist(),
            "end_2d": np.round(camera.project(self.end[None])[0], 2).tolist(),
        }


@dataclass(frozen=True, eq=False)
class Surface:
    """A person's cut, closed surface in pose; camera frame, m, without the person's translation."""

    vertices: Float32[np.ndarray, "vertices 3"]
    faces: Int32[np.ndarray, "faces 3"]
    colours: UInt8[np.ndarray, "vertices rgb=3"]
    cut: SkinnedMesh
    """At rest, before what is lost at joints is taken off."""
    ends: tuple[ResidualLimb, ...]

    @property
    def mesh(self) -> Mesh:
        return Mesh(self.vertices, self.faces, self.colours)
