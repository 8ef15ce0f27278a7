"""Colour of residual-limb ends: what is lost leaves its texture on the tip, a shoe's on a shin, say.

The end takes the colours that lie just above the cut, by angle around the limb, so that a sleeve stays a
sleeve and a bare arm stays bare. Where no weight is lost, nothing changes.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numba import njit

from ajahr.anatomy import ABSENT_TABLE, LIMBS, NUM_LEVELS, PARENTS, Limb, amputation_joint
from ajahr.body.data import BodyData
from ajahr.errors import UserError
from ajahr.render.texture import Texture
from ajahr.residual_limb.cutter import CutShape
from synth.appearance.canvas import smoothstep

SECTORS = 8
"""Colours are gathered in so many directions around the limb."""
RING_WEIGHTS = (0.1, 0.25)
"""Lost weight of the vertices whose colours the end takes. On the embedded body they lie 1 to 6 cm above the
cut: near enough to be on the same garment, and above the rim of a shoe."""
_RAMP_START, _RAMP_END = 0.1, 0.4
"""Lost weight over which the end's colour sets in; a vertex of .5 lies on the cut."""


@dataclass(frozen=True, eq=False)
class _Cut:
    """One (limb, level), prepared."""

    vertices: np.ndarray
    """Those with lost weight."""
    lost: np.ndarray
    """Their lost weight, 0..1."""
    ring: np.ndarray
    """Vertices just above the cut whose colours are taken."""
    ring_uv: Float32[np.ndarray, "ring 2"]
    sectors: Float32[np.ndarray, "sectors ring"]
    """Rows sum to one: mean colour of the ring in each direction."""
    mix: Float32[np.ndarray, "vertices sectors"]
    """Rows sum to one."""


def _perpendicular(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors across ``axis``."""
    helper = np.eye(3)[np.abs(axis).argmin()]
    a = np.cross(axis, helper)
    a /= np.linalg.norm(a)
    b = np.cross(axis, a)
    return a, b / np.linalg.norm(b)


class ResidualTint:
    """Vertex tints of people with absent joints, for one body; the geometry is worked out once.

    Args:
        body: With UVs.

    Raises:
        UserError: the body has no UVs.
    """

    def __init__(self, body: BodyData) -> None:
        if body.uv is None or body.uv_faces is None:
            raise UserError(
                f"the body {body.name} has no UV coordinates; give its UV file, or use the embedded body"
            )
        self.num_vertices = len(body.v_template)
        uv_of = np.zeros(self.num_vertices, np.int64)
        uv_of[body.faces.ravel()] = body.uv_faces.ravel()
        joints = body.J_regressor @ body.v_template
        self._cuts = {
            (int(limb), level): self._prepare(body, limb, level, uv_of, joints)
            for limb in LIMBS
            for level in range(1, NUM_LEVELS)
        }

    @staticmethod
    def _prepare(body: BodyData, limb: Limb, level: int, uv_of: np.ndarray, joints: np.ndarray) -> _Cut:
        lost = body.weights[:, ABSENT_TABLE[limb, level]].sum(1).astype(np.float32)
        lost[lost < 1e-3] = 0
        vertices = np.flatnonzero(lost > 0)
        ring = np.flatnonzero((lost > RING_WEIGHTS[0]) & (lost < RING_WEIGHTS[1]))
        if not len(ring):  # a body with hard weights: what is whole and closest to the cut
            away = np.linalg.norm(body.v_template - joints[amputation_joint(limb, level)], axis=1)
            ring = np.argsort(np.where(lost > 0, np.inf, away))[:32]
        top = amputation_joint(limb, level)
        # along the part above the cut; at shoulder and hip that part is trunk, so along the part below
        below = PARENTS.index(top)
        axis = joints[below] - joints[top] if level == NUM_LEVELS - 1 else joints[top] - joints[PARENTS[top]]
        a, b = _perpendicular(axis / np.linalg.norm(axis))

        def directions(at: np.ndarray) -> np.ndarray:
            offset = body.v_template[at] - joints[top]
            angle = np.arctan2(offset @ b, offset @ a)
            middle = (np.arange(SECTORS) + 0.5) / SECTORS * 2 * np.pi
            turn = (angle[:, None] - middle + np.pi) % (2 * np.pi) - np.pi
            return np.exp(-0.5 * (turn / (2 * np.pi / SECTORS)) ** 2)

        sectors = directions(ring).T
        sectors /= sectors.sum(1, keepdims=True)
        mix = directions(vertices)
        mix /= mix.sum(1, keepdims=True)
        # everything lost meets in one point, where colours may not depend on the direction
        inwards = smoothstep(0.5, 1.0, lost[vertices])[:, None]
        mix = mix * (1 - inwards) + inwards / SECTORS
        assert body.uv is not None
        return _Cut(
            vertices, lost[vertices], ring,
            body.uv[uv_of[ring]], sectors.astype(np.float32), mix.astype(np.float32),
        )  # fmt: skip

    def __call__(
        self, texture: Texture | UInt8[np.ndarray, "height width rgb=3"], absent: Bool[np.ndarray, " 24"]
    ) -> Float32[np.ndarray, "vertices 4"]:
        """Red, green, blue (0..255) and opacity (0..1) per vertex, for `Rasterizer.render`.

        Args:
            texture: What the person wears.
            absent: Absent joints, a union of whole chains as `ajahr.anatomy.absent_joint_mask` gives them.
        """
        tint = np.zeros((self.num_vertices, 4), np.float32)
        for cut in (self._cuts[cut] for cut in _cuts_of(absent)):
            _add(tint, cut.vertices, cut.lost, cut.mix, cut.sectors @ _sample(texture, cut.ring_uv))
        _finish(tint)
        return tint

    def ring(self, limb: int, level: int) -> np.ndarray:
        """Vertices whose colours the end of this residual limb takes."""
        return self._cuts[int(limb), int(level)].ring


_DOME = (0.25, 0.7, 1.0)
"""Opacity of the rim's colours on the rings of a closed end and on its tip."""


def dome_tint(
    texture: Texture | UInt8[np.ndarray, "height width rgb=3"], shape: CutShape
) -> Float32[np.ndarray, "added 4"]:
    """Tints of what cuts made, as `ResidualTint`'s: the skin or cloth at the rim drawn together over the dome.

    The texture goes on there as it would along the limb, up to what the lost part wears and past its island's border;
    towards the tip it gives way to the colours of the rim, by angle around the limb and then their mean.
    """
    tint = np.zeros((len(shape.added), 4), np.float32)
    for k, (end, uv) in enumerate(zip(shape.ends, shape.rim_uv, strict=True)):
        rim = _sample(texture, uv)
        n = len(rim)
        turn = np.minimum(np.arange(n), n - np.arange(n)) * (SECTORS / n)
        around = np.fft.rfft(np.exp(-0.5 * turn**2))[:, None]
        smooth = np.fft.irfft(np.fft.rfft(rim, axis=0) * around, n, axis=0) / around[0].real
        mean = rim.mean(axis=0)
        for ring, colours, opacity in zip(
            (*shape.rings(k), end.tip), (smooth, (smooth + mean) / 2, mean), _DOME, strict=True
        ):
            at = np.asarray(ring) - shape.num_kept
            tint[at, :3], tint[at, 3] = colours.clip(0, 255), opacity
    return tint


@njit(cache=True)
@typing.no_type_check
def _add(tint, vertices, lost, mix, colours):
    """Add a limb's colours times its lost weight, and the weight: the groin belongs to both legs."""
    for i in range(len(vertices)):
        red = green = blue = np.float32(0)
        for s in range(mix.shape[1]):
            red += mix[i, s] * colours[s, 0]
            green += mix[i, s] * colours[s, 1]
            blue += mix[i, s] * colours[s, 2]
        v, w = vertices[i], lost[i]
        tint[v, 0] += red * w
        tint[v, 1] += green * w
        tint[v, 2] += blue * w
        tint[v, 3] += w


@njit(cache=True)
@typing.no_type_check
def _finish(tint):
    """Weighted sums to mean colours, weights to opacity."""
    for v in range(len(tint)):
        weight = tint[v, 3]
        if weight > 0:
            tint[v, 0] /= weight
            tint[v, 1] /= weight
            tint[v, 2] /= weight
            t = min(max((weight - _RAMP_START) / (_RAMP_END - _RAMP_START), 0.0), 1.0)
            tint[v, 3] = t * t * (3 - 2 * t)


_TOPS = [[amputation_joint(limb, level) for level in range(1, NUM_LEVELS)] for limb in LIMBS]


def _cuts_of(absent: np.ndarray) -> list[tuple[int, int]]:
    """(limb, level) of every limb that has lost joints, by the highest joint lost."""
    lost = absent.tolist()
    found = []
    for limb, tops in enumerate(_TOPS):
        for level in range(NUM_LEVELS - 1, 0, -1):
            if lost[tops[level - 1]]:
                found.append((limb, level))
                break
    return found


def _sample(texture: Texture | np.ndarray, uv: np.ndarray) -> np.ndarray:
    """RGB 0..255 of the texels at ``uv``; the sectors average anyway, so the nearest will do."""
    if isinstance(texture, Texture):
        offset, pitch, width, height = (int(x) for x in texture.mips[0])
    else:
        height, width = texture.shape[:2]
    x = (uv[:, 0] * width).astype(np.int64).clip(0, width - 1)
    y = (uv[:, 1] * height).astype(np.int64).clip(0, height - 1)
    if not isinstance(texture, Texture):
        return texture[y, x].astype(np.float32)
    packed = texture.texels[offset + y * pitch + x]
    return np.stack([packed & 255, packed >> 8 & 255, packed >> 16 & 255], 1).astype(np.float32)
