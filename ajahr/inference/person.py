"""One person as prediction returns them: limbs, body, camera, in one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from ajahr.anatomy import (
    J44,
    JOINT_NAMES,
    LEVEL_NAMES,
    LIMBS,
    absent_joint_mask,
    amputation_joint,
    class_name,
    levels_to_indices,
)
from ajahr.geometry.cameras import Camera, crop_to_full_translation
from ajahr.geometry.rotations_np import rotmat_to_rotvec
from ajahr.inference.estimator import Crops, Estimates
from ajahr.inference.people import People


@dataclass(frozen=True, eq=False)
class Person:
    """One person. 3D is in the camera frame (x right, y down, z forward), m; 2D in px of the whole picture.

    ``vertices``, ``joints`` and ``keypoints_3d`` are without ``translation``; absent parts are collapsed.
    """

    number: int
    bbox_xyxy: Float32[np.ndarray, "xyxy=4"]
    score: float
    keypoints: Float32[np.ndarray, "coco17=17 3"]
    """What BPAC-Net was told: x, y, confidence; confidence 0 is no keypoint."""
    limb_levels: Int64[np.ndarray, "limbs=4"]
    limb_probabilities: Float32[np.ndarray, "limbs=4 levels=4"] | None
    """Calibrated; None where no BPAC-Net judged the limbs."""
    pose_rotmat: Float32[np.ndarray, "joints=24 3 3"]
    betas: Float32[np.ndarray, "betas=10"]
    crop_camera: Float32[np.ndarray, "styx=3"]
    crop_centre: Float32[np.ndarray, "xy=2"]
    crop_side: float
    translation: Float32[np.ndarray, "xyz=3"]
    camera: Camera
    vertices: Float32[np.ndarray, "vertices 3"]
    joints: Float32[np.ndarray, "joints=24 3"]
    keypoints_3d: Float32[np.ndarray, "j44=44 3"]

    @property
    def is_amputee(self) -> bool:
        return bool(self.limb_levels.any())

    @property
    def ajahr_index(self) -> tuple[int, ...]:
        """AJAHR-Indices of all limbs lost; ``(12,)`` for an intact person."""
        return levels_to_indices(self.limb_levels.tolist())

    @property
    def absent_joints(self) -> Bool[np.ndarray, "joints=24"]:
        return absent_joint_mask(self.limb_levels)

    @property
    def vertices_cam(self) -> Float32[np.ndarray, "vertices 3"]:
        return self.vertices + self.translation

    @property
    def joints_2d(self) -> Float32[np.ndarray, "joints=24 2"]:
        return self.camera.project(self.joints + self.translation)

    @property
    def keypoints_2d(self) -> Float32[np.ndarray, "j44=44 2"]:
        return self.camera.project(self.keypoints_3d + self.translation)

    @property
    def limbs_in_words(self) -> str:
        """``"left elbow, right hip"``, ``"intact"``."""
        levels = self.limb_levels.tolist()
        lost = [class_name(limb, levels[limb]) for limb in LIMBS if levels[limb]]
        return ", ".join(lost).replace("_", " ") or "intact"

    def with_body(
        self,
        vertices: Float32[np.ndarray, "vertices 3"],
        joints: Float32[np.ndarray, "joints=24 3"],
        keypoints_3d: Float32[np.ndarray, "j44=44 3"],
    ) -> Person:
        """The same person with another mesh."""
        return replace(self, vertices=vertices, joints=joints, keypoints_3d=keypoints_3d)

    def document(self) -> dict[str, Any]:
        """The person as plain values for JSON. Joints and keypoints that do not exist are null."""
        rotvec = rotmat_to_rotvec(self.pose_rotmat.astype(np.float64))
        absent = self.absent_joints
        gone = J44.absent(self.limb_levels)
        joints, joints_2d = self.joints + self.translation, self.joints_2d
        limbs = {}
        for limb in LIMBS:
            level, names = int(self.limb_levels[limb]), LEVEL_NAMES[limb.is_arm]
            entry: dict[str, Any] = {"status": names[level], "level": level}
            if self.limb_probabilities is not None:
                chances = np.round(self.limb_probabilities[limb].astype(np.float64), 4).tolist()
                entry["probabilities"] = dict(zip(names, chances, strict=True))
            if level:
                end = amputation_joint(limb, level)
                entry["end_3d"], entry["end_2d"] = _plain(joints[end], 4), _plain(joints_2d[end], 2)
            limbs[limb.name.lower()] = entry
        return {
            "number": self.number,
            "bbox_xyxy": _plain(self.bbox_xyxy, 2),
            "score": round(self.score, 4),
            "amputee": self.is_amputee,
            "ajahr_index": list(self.ajahr_index),
            "limbs": limbs,
            "smpl": {
                "betas": _plain(self.betas, 5),
                "global_orient": _plain(rotvec[0], 5),
                "body_pose": _plain(rotvec[1:], 5),
                "absent_joints": [JOINT_NAMES[j] for j in np.flatnonzero(absent)],
            },
            "camera": {
                "translation": _plain(self.translation, 5),
                "crop": {
                    "s_tx_ty": _plain(self.crop_camera, 5),
                    "centre": _plain(self.crop_centre, 2),
                    "side": round(self.crop_side, 2),
                },
            },
            "joints_3d": _with_gaps(joints, absent, 4),
            "joints_2d": _with_gaps(joints_2d, absent, 2),
            "keypoints_3d": _with_gaps(self.keypoints_3d + self.translation, gone, 4),
            "keypoints_2d": _with_gaps(self.keypoints_2d, gone, 2),
        }


def _plain(values: np.ndarray, digits: int) -> list[Any]:
    return np.round(np.asarray(values, np.float64), digits).tolist()


def _with_gaps(values: np.ndarray, absent: np.ndarray, digits: int) -> list[Any]:
    return [None if gone else row for row, gone in zip(_plain(values, digits), absent.tolist(), strict=True)]


def gather_people(
    people: People, crops: Crops, estimates: Estimates, camera: Camera, first: int = 0
) -> tuple[Person, ...]:
    """People of one picture from the rows of its crops' estimates."""
    size = np.array([camera.width, camera.height], np.float32)
    focal = np.full(len(people), camera.focal_length, np.float32)
    translations = crop_to_full_translation(estimates.crop_camera, crops.centres, crops.sides, size, focal)
    chances = estimates.limb_probabilities
    return tuple(
        Person(
            number=first + k,
            bbox_xyxy=people.boxes_xyxy[k],
            score=float(people.scores[k]),
            keypoints=people.keypoints[k],
            limb_levels=estimates.limb_levels[k],
            limb_probabilities=None if chances is None else chances[k],
            pose_rotmat=estimates.pose_rotmat[k],
            betas=estimates.betas[k],
            crop_camera=estimates.crop_camera[k],
            crop_centre=crops.centres[k],
            crop_side=float(crops.sides[k]),
            translation=translations[k].astype(np.float32),
            camera=camera,
            vertices=estimates.vertices[k],
            joints=estimates.joints[k],
            keypoints_3d=estimates.keypoints_3d[k],
        )
        for k in range(len(people))
    )
