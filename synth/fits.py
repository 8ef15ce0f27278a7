"""Poses of the people in photographs, from their annotated keypoints by SMPLify. The only torch of `synth`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from ajahr.body.data import BodyData, load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat


@dataclass(frozen=True, eq=False)
class Fit:
    """One person's fit, under the photograph's weak-perspective camera.

    Attributes:
        pose_rotvec: Root first, camera frame.
        px_per_m: Image scale at the pelvis.
        ground_y: Lowest point of the fitted body, px.
        error: Mean reprojection error relative to the person's standing height in the image.
    """

    pose_rotvec: Float32[np.ndarray, "24 3"]
    betas: Float32[np.ndarray, " betas"]
    px_per_m: float
    pelvis_px: tuple[float, float]
    ground_y: float
    error: float


def fit_people(
    keypoints: Sequence[Float32[np.ndarray, "17 3"] | None], camera: Camera, body_path: Path | None
) -> list[Fit | None]:
    """Fits of the people of one photograph; None where there are too few keypoints or no body explains them.

    Args:
        keypoints: COCO-17 x, y (px) and confidence (0..1) per person; None without keypoints.
        camera: Of the whole picture.
        body_path: A user's SMPL file; None is the embedded body.
    """
    known = [i for i, points in enumerate(keypoints) if points is not None]
    fits: list[Fit | None] = [None] * len(keypoints)
    if not known:
        return fits
    smplify, fast = _smplify(body_path)
    result = smplify.fit(np.stack([np.asarray(keypoints[i], np.float64) for i in known]), camera)
    for row, i in enumerate(known):
        if not result.ok[row]:
            continue
        rotmats = np.concatenate(
            [result.global_orient_rotmat[row][None], rotvec_to_rotmat(result.body_pose_rotvec[row])]
        )
        posed = fast(result.betas[row], rotmats, translation=result.translation[row])
        weak = camera.weak(float(posed.joints[0, 2]))
        x, y = weak.project(posed.joints[0]).tolist()
        root = rotmat_to_rotvec(result.global_orient_rotmat[row])
        pose = np.concatenate([root[None], result.body_pose_rotvec[row]])
        fits[i] = Fit(
            pose.astype(np.float32),
            result.betas[row].astype(np.float32),
            camera.focal_length / float(posed.joints[0, 2]),
            (x, y),
            float(weak.project(posed.vertices)[:, 1].max()),
            float(result.reprojection_px[row] / result.size_px[row]),
        )
    return fits


@functools.cache
def _smplify(body_path: Path | None):
    """The fitter and the body of this process, made once; one thread, so that its bytes depend on no count."""
    import torch

    from ajahr.fitting.smplify import FitOptions, Smplify

    torch.set_num_threads(1)
    body: BodyData = load_body(body_path)
    return Smplify(body, options=FitOptions(weak_perspective=True)), FastBody(body)
