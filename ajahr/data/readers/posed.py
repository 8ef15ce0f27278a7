"""3D keypoints of people known by SMPL parameters: posed with the body of their gender."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import J44_FROM_SMPL45, NUM_JOINTS
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.data.hmr.samples import GENDER_CODES
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat

J44_SMPL24: tuple[tuple[int, int], ...] = tuple(
    (slot, joint) for slot, joint in enumerate(J44_FROM_SMPL45) if joint < NUM_JOINTS
)
"""Slots of J44 that are joints of SMPL's skeleton, and which."""


@lru_cache(maxsize=6)
def gendered_body(path: str, gender: str) -> FastBody:
    """The body of a gender out of SMPL's folder, read once."""
    return FastBody(load_body(path, gender=gender))


def pose_keypoints(rows: np.ndarray, bodies: str | Path | None) -> None:
    """Fill ``keypoints_3d`` of rows with a pose, betas and a gender; nothing without ``bodies``.

    Where ``transl`` is not known the body stands at the camera: evaluation and losses are root-relative.
    """
    if bodies is None:
        return
    for row in rows:
        body = gendered_body(str(bodies), GENDER_CODES[row["gender"]])
        shift = np.nan_to_num(row["transl"], nan=0.0).astype(np.float64)
        posed = body(row["betas"], rotvec_to_rotmat(row["pose"].astype(np.float64)), translation=shift)
        row["keypoints_3d"][:, :3] = posed.keypoints_44
        row["keypoints_3d"][:, 3] = 1


def to_camera(
    root_rotvec: Float[np.ndarray, "*frames 3"], extrinsics: Float[np.ndarray, "*frames 4 4"]
) -> Float[np.ndarray, "*frames 3"]:
    """global_orient in the camera frame from one in the world."""
    return rotmat_to_rotvec(extrinsics[..., :3, :3] @ rotvec_to_rotmat(root_rotvec.astype(np.float64)))


def translation_to_camera(
    translation: Float[np.ndarray, "*frames 3"],
    extrinsics: Float[np.ndarray, "*frames 4 4"],
    rest_pelvis: Float[np.ndarray, "*#frames 3"],
) -> Float[np.ndarray, "*frames 3"]:
    """SMPL's translation in the camera frame from one in the world.

    SMPL turns about the rest pose's pelvis, so the pelvis, not the translation, is what moves rigidly.
    """
    pelvis = np.einsum("...ij,...j->...i", extrinsics[..., :3, :3], translation + rest_pelvis)
    return pelvis + extrinsics[..., :3, 3] - rest_pelvis


def keypoints_from_smpl24(
    joints: Float[np.ndarray, "*batch joints=24 2"],
) -> Float[np.ndarray, "*batch j44=44 3"]:
    """J44 with confidence 1 where SMPL's own joints say it, 0 elsewhere."""
    points = np.zeros((*joints.shape[:-2], 44, 3))
    slots, sources = zip(*J44_SMPL24, strict=True)
    points[..., list(slots), :2] = joints[..., list(sources), :]
    points[..., list(slots), 2] = 1
    return points
