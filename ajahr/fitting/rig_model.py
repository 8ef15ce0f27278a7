"""Joints and keypoints of any rig of SMPL's kind, differentiable: SMPL and SMPL-X, hands and face included.

Only what a fit looks at is computed: the joints, and the few vertices that are keypoints. Float64 on the CPU, as
in `ajahr.fitting.keypoint_model`, whose analytic derivatives know SMPL's 24 joints only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.anatomy import LDPOSE25, KeypointLayout
from ajahr.body import smplx_file
from ajahr.body.keypoints import joint_or_vertex
from ajahr.body.rig import RigData

NUM_HAND_POINTS = 21
"""Wrist, then thumb, index, middle, ring and little finger, each from the palm to the tip."""
_TIPS = ("thumb", "index", "middle", "ring", "pinky")
_FINGERS = {"index": 0, "middle": 1, "pinky": 2, "ring": 3, "thumb": 4}  # SMPL-X's order of the fingers


class Points(NamedTuple):
    """Metres, in the frame the root's rotation and the translation map to."""

    joints: Float[Tensor, "people joints 3"]
    keypoints: Float[Tensor, "people keypoints 3"]
    hands: Float[Tensor, "people hand_points 3"]
    """Left, then right hand; none on a rig without fingers."""
    face: Float[Tensor, "people landmarks 3"]


class RigModel:
    """Points of one rig.

    Args:
        rig: the body.
        layout: coco17, body25 or ldpose25; ValueError for others.
    """

    def __init__(self, rig: RigData, layout: KeypointLayout = LDPOSE25) -> None:
        self.rig, self.layout = rig, layout
        self.num_shape = rig.num_betas + rig.num_expressions
        template = rig.v_template.astype(np.float64)
        dirs = [rig.shapedirs]
        if rig.expression_dirs is not None:
            dirs.append(rig.expression_dirs)
        shapes = np.concatenate(dirs, 2).astype(np.float64)
        regressor = rig.J_regressor.astype(np.float64)
        self._joints = torch.from_numpy(regressor @ template)
        self._joint_shapes = torch.from_numpy(np.einsum("jv,vcs->jcs", regressor, shapes))
        self._levels = _levels(rig.parents)
        by_depth = [0] + [j for joints, _ in self._levels for j in joints]
        self._order = [by_depth.index(j) for j in range(rig.num_joints)]

        # a point is a joint, or a vertex counted on from the joints
        vertices: list[int] = []

        def vertex(index: int) -> int:
            vertices.append(index)
            return rig.num_joints + len(vertices) - 1

        sources = [joint_or_vertex(layout, k) for k in range(len(layout))]
        self._keypoints = [one if isinstance(one, int) else vertex(rig.vertex_ids[one]) for one in sources]
        self._hands = self._hand_places(vertex)
        self._face_shares = None
        self._face: list[int] = []
        if rig.landmarks is not None:
            corners, shares = rig.landmarks
            self._face = [vertex(int(v)) for v in corners.ravel()]
            self._face_shares = torch.from_numpy(shares)
        rows = np.array(vertices, np.int64)
        self._template = torch.from_numpy(template[rows])
        self._shapes = torch.from_numpy(shapes[rows])
        weights = rig.weights[rows].astype(np.float64)
        self._weights = torch.from_numpy(weights / weights.sum(1, keepdims=True))
        self._posedirs = None
        if rig.posedirs is not None:
            dirs_3 = rig.posedirs.reshape(len(rig.posedirs), -1, 3)[:, rows]
            self._posedirs = torch.from_numpy(dirs_3.reshape(len(dirs_3), -1).astype(np.float64))

    def rest_joints(self, shape: Float[Tensor, "people shape"]) -> Float[Tensor, "people joints 3"]:
        """Joints at rest, m. Shape: betas, then expression."""
        return self._joints + torch.einsum("jcs,ps->pjc", self._joint_shapes, shape)

    def __call__(
        self,
        rotmats: Float[Tensor, "people joints 3 3"],
        shape: Float[Tensor, "people shape"],
        translation: Float[Tensor, "people 3"],
    ) -> Points:
        """Points of posed people; rotations relative to the parent, the root's to the output frame."""
        rest = self.rest_joints(shape)
        people = len(rotmats)
        rotation, place = rotmats[:, :1], rest[:, :1]
        rotations, places = [rotation], [place]
        own = rest[:, :1]
        for joints, above in self._levels:
            here = rest[:, joints]
            place = place[:, above] + (rotation[:, above] @ (here - own[:, above])[..., None])[..., 0]
            rotation, own = rotation[:, above] @ rotmats[:, joints], here
            rotations.append(rotation)
            places.append(place)
        all_rotations = torch.cat(rotations, 1)[:, self._order]
        all_places = torch.cat(places, 1)[:, self._order] + translation[:, None]
        vertices = self._template + torch.einsum("vcs,ps->pvc", self._shapes, shape)
        if self._posedirs is not None:
            feature = (rotmats[:, 1:] - torch.eye(3, dtype=rotmats.dtype)).reshape(people, -1)
            vertices = vertices + (feature @ self._posedirs).view(people, -1, 3)
        shift = all_places - (all_rotations @ rest[..., None])[..., 0]
        blended = torch.einsum("vj,pjab->pvab", self._weights, all_rotations)
        moved = (blended @ vertices[..., None])[..., 0] + self._weights @ shift
        both = torch.cat([all_places, moved], 1)
        face = both[:, self._face].reshape(people, len(self._face) // 3, 3, 3)
        if self._face_shares is not None:
            face = (face * self._face_shares[..., None]).sum(2)
        return Points(
            all_places,
            both[:, self._keypoints],
            both[:, self._hands],
            face.reshape(people, len(self._face) // 3, 3),
        )

    def _hand_places(self, vertex) -> list[int]:
        if not self.rig.is_smplx:
            return []
        places = []
        for wrist, first, side in (
            (20, smplx_file.LEFT_HAND.start, "l"),
            (21, smplx_file.RIGHT_HAND.start, "r"),
        ):
            places.append(wrist)
            for finger in _TIPS:
                base = first + 3 * _FINGERS[finger]
                places += [base, base + 1, base + 2, vertex(self.rig.vertex_ids[side + finger])]
        return places


def _levels(parents: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Joints by depth below the root, with their parents' places in the depth above."""
    levels, above = [], [0]
    while True:
        joints = [j for j, p in enumerate(parents) if p in above and j != 0]
        if not joints:
            return levels
        levels.append((joints, [above.index(parents[j]) for j in joints]))
        above = joints
