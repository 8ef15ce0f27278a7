"""One person, fast, without torch: the generator's body.

The same body as `ajahr.body.body`, by four savings: skin weights are sparse (two joints a vertex on average),
a shape is kept while the betas stay the same, a body without posedirs pays nothing for them, and posedirs are
kept as 16-bit integers, which moves a vertex by at most about 0.02 mm.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32
from numba import njit

from ajahr.anatomy import J44_FROM_SMPL45, NUM_JOINTS, PARENTS
from ajahr.body import keypoints
from ajahr.body.data import BodyData
from ajahr.body.regressors import VERTEX_KEYS


@dataclass(frozen=True, eq=False, slots=True)
class FastPose:
    """A posed person: metres, in the frame ``rotmats[0]`` and ``translation`` map the body to."""

    vertices: Float32[np.ndarray, "vertices 3"]
    joints: Float32[np.ndarray, "24 3"]
    keypoints_44: Float32[np.ndarray, "44 3"]

    @property
    def coco17(self) -> Float32[np.ndarray, "17 3"]:
        return keypoints.coco17(self.keypoints_44)

    @property
    def ldpose25(self) -> Float32[np.ndarray, "25 3"]:
        return keypoints.ldpose25(self.keypoints_44, self.joints, np.concatenate)


@dataclass(frozen=True, eq=False, slots=True)
class Skinned:
    """A posed surface and what posed it: what else hangs on the same joints can be moved with it."""

    rest: Float32[np.ndarray, "vertices 3"]
    """At rest, with the pose's offsets where the body has any; do not write to it."""
    joints: Float32[np.ndarray, "24 3"]
    transforms: Float32[np.ndarray, "24 12"]
    """Rows of a 3 x 4 matrix that takes a rest point to the output frame."""
    vertices: Float32[np.ndarray, "vertices 3"]


class FastBody:
    """Poses one person at a time. Safe to share between threads: a call writes only arrays of its own.

    Args:
        data: the body.
        posedirs_from: what pose-dependent offsets see of an absent joint. ``"zero"`` is the paper's zero
            matrix (Sec. 3.1), whose feature is -I; ``"identity"`` leaves the offsets of the rest pose.
    """

    def __init__(self, data: BodyData, posedirs_from: Literal["zero", "identity"] = "zero") -> None:
        self.data = data
        self.posedirs_from = posedirs_from
        self.num_betas = data.shapedirs.shape[2]
        self._v_template = np.ascontiguousarray(data.v_template).reshape(-1)
        # (betas, coordinates): a matrix-vector product that reads memory in order
        self._shapedirs = np.ascontiguousarray(data.shapedirs.reshape(-1, self.num_betas).T)
        regress = data.J_regressor.astype(np.float64)
        self._J_template = regress @ data.v_template
        self._J_shapedirs = np.einsum("jv,vcb->jcb", regress, data.shapedirs.astype(np.float64))
        self._weights = _csr(data.weights)
        self._J19 = _csr(data.J19_regressor)
        self._posedirs = None if data.posedirs is None else _in_blocks(data.posedirs)
        self._vertex_ids = np.array([data.vertex_ids[k] for k in VERTEX_KEYS])
        self._shape: tuple[bytes, np.ndarray, np.ndarray] | None = None

    def shape(
        self, betas: Float[np.ndarray, " betas"]
    ) -> tuple[Float32[np.ndarray, "vertices 3"], Float32[np.ndarray, "24 3"]]:
        """Rest vertices and joints of these betas (missing ones are zero); do not write to them."""
        betas = betas.astype(np.float32)
        key, kept = betas.tobytes(), self._shape
        if kept is None or kept[0] != key:
            n = len(betas)
            if n > self.num_betas:
                raise ValueError(f"{n} betas for a body of {self.num_betas}")
            vertices = betas @ self._shapedirs[:n]
            vertices += self._v_template
            joints = (self._J_template + self._J_shapedirs[..., :n] @ betas).astype(np.float32)
            kept = (key, vertices.reshape(-1, 3), joints)
            self._shape = kept  # one assignment: another thread sees the old shape or the new one, whole
        return kept[1], kept[2]

    def pose_joints(
        self, betas: Float[np.ndarray, " betas"], rotmats: Float[np.ndarray, "24 3 3"]
    ) -> Float32[np.ndarray, "24 3"]:
        """Joints of an intact person, without skinning: where the body would be, for a hundredth of the time."""
        local = np.ascontiguousarray(rotmats, dtype=np.float32)
        return _chain(local, self.shape(betas)[1], _NONE_ABSENT, _NO_TRANSLATION, _PARENTS, False)[0]

    def __call__(
        self,
        betas: Float[np.ndarray, " betas"],
        rotmats: Float[np.ndarray, "24 3 3"],
        absent_joints: Bool[np.ndarray, " 24"] | None = None,
        translation: Float[np.ndarray, " 3"] | None = None,
    ) -> FastPose:
        """Vertices and keypoints of one person.

        Args:
            betas: shape, at most as many as the body has.
            rotmats: rotation of each joint relative to its parent; the root's maps the body to the output
            frame.
            absent_joints: joints that are lost; their descendants are lost with them.
            translation: added to everything, metres.
        """
        posed = self.skinned(betas, rotmats, absent_joints, translation)
        all_45 = np.concatenate([posed.joints, posed.vertices[self._vertex_ids]])
        extra = _gather(posed.vertices, *self._J19)
        return FastPose(posed.vertices, posed.joints, np.concatenate([all_45[_BODY25], extra]))

    def skinned(
        self,
        betas: Float[np.ndarray, " betas"],
        rotmats: Float[np.ndarray, "24 3 3"],
        absent_joints: Bool[np.ndarray, " 24"] | None = None,
        translation: Float[np.ndarray, " 3"] | None = None,
    ) -> Skinned:
        """Vertices of one person and what moved them there; arguments as in a call."""
        v_shaped, rest = self.shape(betas)
        absent = _NONE_ABSENT if absent_joints is None else absent_joints
        local = np.ascontiguousarray(rotmats, dtype=np.float32)
        shift = _NO_TRANSLATION if translation is None else translation.astype(np.float32)
        joints, transforms, feature = _chain(
            local, rest, absent, shift, _PARENTS, self.posedirs_from == "identity"
        )
        v_posed = v_shaped
        if self._posedirs is not None:
            v_posed = _add_offsets(v_shaped, feature, *self._posedirs)
        return Skinned(v_posed, joints, transforms, _skin(v_posed, transforms, *self._weights))


_PARENTS = np.array(PARENTS)
_BODY25 = np.array(J44_FROM_SMPL45)
_NONE_ABSENT = np.zeros(NUM_JOINTS, bool)
_NO_TRANSLATION = np.zeros(3, np.float32)


def _csr(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(matrix)
    starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
    # unsigned: numba then leaves out the test for negative indices, a quarter of the skinning time
    return starts.astype(np.uint32), columns.astype(np.uint32), matrix[rows, columns].astype(np.float32)


_BLOCK, _ROWS, _LANES = 1024, 8, 16  # coordinates with a scale, rows added in one pass, coordinates at a time


def _in_blocks(posedirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posedirs as 16-bit integers in the order `_add_offsets` reads them, and a scale (blocks, 208) for each
    run.

    At one person, posedirs cost what it takes to read them: half the bytes, in order, are 1.4 times the
    speed.
    """
    features, coordinates = posedirs.shape
    padded = np.zeros((-(-features // _ROWS) * _ROWS, -(-coordinates // _BLOCK) * _BLOCK), np.float32)
    padded[:features, :coordinates] = posedirs
    blocks = padded.reshape(len(padded), -1, _BLOCK).swapaxes(0, 1)
    scale = np.abs(blocks).max(axis=2) / np.float32(32767)
    steps = np.rint(blocks / np.where(scale > 0, scale, 1)[..., None]).astype(np.int16)
    steps = steps.reshape(len(blocks), -1, _ROWS, _BLOCK // _LANES, _LANES).swapaxes(2, 3)
    return np.ascontiguousarray(steps), np.ascontiguousarray(scale)


@njit(cache=True, nogil=True, fastmath={"contract"})
@typing.no_type_check
def _add_offsets(rest, feature, blocks, scale):
    """Rest vertices (V, 3) plus the pose-dependent offsets of ``feature`` (207,)."""
    out = np.zeros(scale.shape[0] * _BLOCK, np.float32)
    out[: rest.size] = rest.reshape(-1)
    amount = np.zeros(scale.shape[1], np.float32)
    for b in range(blocks.shape[0]):
        for p in range(len(feature)):
            amount[p] = feature[p] * scale[b, p]
        for g in range(blocks.shape[1]):
            p = _ROWS * g
            a0, a1, a2, a3 = amount[p], amount[p + 1], amount[p + 2], amount[p + 3]
            a4, a5, a6, a7 = amount[p + 4], amount[p + 5], amount[p + 6], amount[p + 7]
            for c in range(_BLOCK // _LANES):
                q, start = blocks[b, g, c], b * _BLOCK + c * _LANES
                for i in range(_LANES):
                    out[start + i] += (
                        a0 * np.float32(q[0, i])
                        + a1 * np.float32(q[1, i])
                        + a2 * np.float32(q[2, i])
                        + a3 * np.float32(q[3, i])
                        + a4 * np.float32(q[4, i])
                        + a5 * np.float32(q[5, i])
                        + a6 * np.float32(q[6, i])
                        + a7 * np.float32(q[7, i])
                    )
    return out[: rest.size].reshape(rest.shape)


@njit(cache=True, nogil=True)
@typing.no_type_check
def _chain(local, rest, absent, translation, parents, identity_feature):
    """Forward kinematics: posed joints (24, 3), transforms (24, 12) of rest points, pose feature (207,)."""
    n = len(parents)
    rotation = np.zeros((n, 3, 3), np.float32)
    joints = np.empty((n, 3), np.float32)
    transforms = np.empty((n, 12), np.float32)
    feature = np.zeros(9 * (n - 1), np.float32)
    lost = absent.copy()
    for j in range(n):
        p = parents[j]
        if p >= 0 and lost[p]:
            lost[j] = True
        for a in range(3):
            for b in range(3):
                r = np.float32(0) if lost[j] else local[j, a, b]
                if p >= 0:
                    if not (lost[j] and identity_feature):
                        feature[9 * (j - 1) + 3 * a + b] = r - np.float32(a == b)
                elif not lost[j]:
                    rotation[j, a, b] = r
        if p < 0:
            for a in range(3):
                joints[j, a] = rest[j, a] + translation[a]
        else:
            for a in range(3):
                total = joints[p, a]
                for c in range(3):
                    total += rotation[p, a, c] * (rest[j, c] - rest[p, c])
                joints[j, a] = total
            if not lost[j]:
                for a in range(3):
                    for b in range(3):
                        total = np.float32(0)
                        for c in range(3):
                            total += rotation[p, a, c] * local[j, c, b]
                        rotation[j, a, b] = total
        for a in range(3):
            offset = joints[j, a]
            for b in range(3):
                transforms[j, 4 * a + b] = rotation[j, a, b]
                offset -= rotation[j, a, b] * rest[j, b]
            transforms[j, 4 * a + 3] = offset
    return joints, transforms, feature


@njit(cache=True, nogil=True)
@typing.no_type_check
def _skin(v, transforms, starts, columns, weights):
    """Linear blend skinning with sparse weights: (V, 3)."""
    out = np.empty((len(starts) - 1, 3), np.float32)
    for i in range(len(starts) - 1):
        x, y, z = v[i, 0], v[i, 1], v[i, 2]
        ox = oy = oz = np.float32(0)
        for k in range(starts[i], starts[i + 1]):
            t, w = transforms[columns[k]], weights[k]
            ox += w * (t[0] * x + t[1] * y + t[2] * z + t[3])
            oy += w * (t[4] * x + t[5] * y + t[6] * z + t[7])
            oz += w * (t[8] * x + t[9] * y + t[10] * z + t[11])
        out[i, 0], out[i, 1], out[i, 2] = ox, oy, oz
    return out


@njit(cache=True, nogil=True)
@typing.no_type_check
def _gather(vertices, starts, columns, weights):
    """Sparse rows times vertices: (rows, 3)."""
    out = np.zeros((len(starts) - 1, 3), np.float32)
    for i in range(len(starts) - 1):
        for k in range(starts[i], starts[i + 1]):
            for c in range(3):
                out[i, c] += weights[k] * vertices[columns[k], c]
    return out
