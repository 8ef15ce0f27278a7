"""The residual limb alone, as a closed surface in its own frame: what CAD for sockets and liners starts from.

Origin at the distal end, z along the bone towards the body, y to the person's front; cut flat at the reference level.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int32
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ajahr.errors import UserError
from ajahr.residual_limb.clip import clip
from ajahr.residual_limb.measure import reference_level
from ajahr.residual_limb.skin import SkinnedMesh, topology
from ajahr.residual_limb.surface import ResidualLimb


def residual_surface(
    mesh: SkinnedMesh, end: ResidualLimb
) -> tuple[Float32[np.ndarray, "vertices 3"], Int32[np.ndarray, "faces 3"]]:
    """Vertices (m, the limb's frame) and faces.

    Raises:
        UserError: the limb is too short above its end to be a piece of its own, or the piece is not closed.
    """
    upstream, anchor = mesh.joints[end.segment.upstream], mesh.joints[end.segment.anchor]
    bone = float(np.linalg.norm(anchor.astype(np.float64) - upstream))
    origin = mesh.vertices[end.tip].astype(np.float64)
    top = reference_level(end.segment, float((origin - upstream) @ end.normal), bone)
    words = end.segment.words
    if top < 0.01:
        raise UserError(
            f"the {words} residual limb is too short to be exported alone; take the whole body's mesh"
        )
    height = (mesh.vertices - origin) @ end.normal + top
    own = _connected(mesh.faces, height > 0, end.tip)
    field = np.where(own, np.minimum(-height, -1e-6), np.maximum(np.abs(height), 1e-6))
    found = clip(mesh, field)
    count = len(found.vertices)
    lid = np.stack([np.roll(found.loop, -1), found.loop, np.full(len(found.loop), count)], 1)
    vertices = np.concatenate([found.vertices, found.vertices[found.loop].mean(0, keepdims=True)]) - origin
    faces = np.concatenate([found.faces, lid]).astype(np.int32)
    front = np.array([0.0, 0, 1]) - end.normal[2] * end.normal
    front /= np.linalg.norm(front)
    frame = np.stack([np.cross(front, -end.normal), front, -end.normal])
    vertices = (vertices @ frame.T).astype(np.float32)
    told = topology(vertices, faces)
    if not told.closed or told.euler_number != 2 or told.volume <= 0:
        raise UserError(f"the {words} residual limb is no closed piece by itself; take the whole body's mesh")
    return vertices, faces


def _connected(faces: np.ndarray, inside: np.ndarray, tip: int) -> np.ndarray:
    """Vertices that hang together with the tip without leaving ``inside``."""
    start, stop = faces.ravel(), np.roll(faces, -1, 1).ravel()
    both = inside[start] & inside[stop]
    graph = csr_array(
        (np.ones(int(both.sum()), np.int8), (start[both], stop[both])), shape=(len(inside),) * 2
    )
    piece = connected_components(graph, directed=False)[1]
    return piece == piece[tip]
