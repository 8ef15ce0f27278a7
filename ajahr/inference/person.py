"""One person as prediction returns them: limbs, body, camera, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from ajahr.anatomy import (
    J44,
    JOINT_NAMES,
    LEVEL_NAMES,
    LIMBS,
    NUM_LIMBS,
    Limb,
    absent_joint_mask,
    amputation_joint,
    class_name,
    levels_to_indices,
)
from ajahr.data.ldpose import ABOVE, BELOW, LIMB_POINTS
from ajahr.geometry.cameras import Camera, crop_to_full_translation
from ajahr.geometry.rotations_np import rotmat_to_rotvec
from ajahr.inference.estimator import Crops, Estimates
from ajahr.inference.limb_ends import LimbEnd, Surface
from ajahr.inference.limb_points import LimbPoints
from ajahr.inference.people import People
from ajahr.residual_limb.report import level_of
from ajahr.residual_limb.segments import of_level


@dataclass(frozen=True, eq=False)
class LimbEvidence:
    """What is said of people's limbs, by whom; (people, 4, 4) each. Calibrated; None where nobody was asked."""

    from_bpac: Float32[np.ndarray, "people limbs=4 levels=4"] | None
    from_keypoints: Float32[np.ndarray, "people limbs=4 levels=4"] | None
    fused: Float32[np.ndarray, "people limbs=4 levels=4"] | None

    def rows(self, start: int, stop: int) -> LimbEvidence:
        parts = (self.from_bpac, self.from_keypoints, self.fused)
        return LimbEvidence(*(None if part is None else part[start:stop] for part in parts))


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
    """Calibrated, of all witnesses together; None where nobody judged the limbs."""
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
    limbs_from_bpac: Float32[np.ndarray, "limbs=4 levels=4"] | None = None
    limbs_from_keypoints: Float32[np.ndarray, "limbs=4 levels=4"] | None = None
    """What BPAC-Net and the 25 keypoints say by themselves."""
    keypoints_ldpose25: Float32[np.ndarray, "25 4"] | None = None
    """x, y, score, standard deviation (px; NaN: not known), residual-limb ends included; None without a 25-point model
    or given ends."""
    end_peaks: Float32[np.ndarray, "segments=8"] | None = None
    """`LimbPoints.end_peaks`; None where ends are given, or nobody looked for them."""
    residual_lambda: Float32[np.ndarray, "segments=8"] | None = None
    """Where a limb would end in each segment, by the regressor's residual head; None without one."""
    residual_std: Float32[np.ndarray, "segments=8"] | None = None
    """Its standard deviation."""
    residual_limbs: tuple[LimbEnd | None, ...] = (None,) * NUM_LIMBS
    """Where limbs end between joints; None of limbs of which that is not known."""
    surface: Surface | None = None
    """Cut there, closed; None: the body with what is lost collapsed is all there is."""

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

    def detected_end(self, limb: int) -> Float32[np.ndarray, "4"] | None:
        """x, y, score and standard deviation (px) of the seen end of a residual limb, by the limb's level.

        None for an intact limb, one lost to hip or shoulder, or without a 25-point model.
        """
        level = int(self.limb_levels[limb])
        if self.keypoints_ldpose25 is None or level not in (1, 2):
            return None
        return self.keypoints_ldpose25[LIMB_POINTS[limb, BELOW if level == 1 else ABOVE]]

    def with_body(
        self,
        vertices: Float32[np.ndarray, "vertices 3"],
        joints: Float32[np.ndarray, "joints=24 3"],
        keypoints_3d: Float32[np.ndarray, "j44=44 3"],
    ) -> Person:
        """The same person with another mesh, which is not cut."""
        return replace(
            self,
            vertices=vertices,
            joints=joints,
            keypoints_3d=keypoints_3d,
            residual_limbs=(None,) * NUM_LIMBS,
            surface=None,
        )

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
                entry["probabilities"] = chances_by_name(self.limb_probabilities[limb], names)
            entry["from_bpac"] = judgement(self.limbs_from_bpac, limb, names)
            entry["from_keypoints"] = judgement(self.limbs_from_keypoints, limb, names)
            entry["fused"] = judgement(self.limb_probabilities, limb, names)
            seen = self.detected_end(limb)
            if seen is not None:
                entry["detected_end_2d"] = _plain(seen[:2], 2)
                entry["detected_end_score"] = round(float(seen[2]), 4)
                entry["detected_end_sd_px"] = round(float(seen[3]), 2) if np.isfinite(seen[3]) else None
            residual = self.residual_limbs[limb]
            entry["amputation"] = amputation(limb, level, residual)
            if level:
                end = amputation_joint(limb, level)
                entry["end_3d"], entry["end_2d"] = _plain(joints[end], 4), _plain(joints_2d[end], 2)
            if residual is not None:
                entry["residual"] = residual.document(self.camera)
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


def chances_by_name(probabilities: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    return dict(zip(names, np.round(probabilities.astype(np.float64), 4).tolist(), strict=True))


def judgement(probabilities: np.ndarray | None, limb: int, names: Sequence[str]) -> dict[str, Any] | None:
    """What one witness says of a limb, for JSON; None where there is none."""
    if probabilities is None:
        return None
    level = int(probabilities[limb].argmax())
    return {
        "status": names[level],
        "level": level,
        "probabilities": chances_by_name(probabilities[limb], names),
    }


def amputation(limb: Limb, level: int, residual: LimbEnd | None) -> str | None:
    """ "transtibial", "hip disarticulation": by where the limb ends, or by its class alone; None: intact."""
    place = of_level(limb, level) if residual is None else (residual.segment, residual.fraction)
    return None if place is None else level_of(*place)


def _plain(values: np.ndarray, digits: int) -> list[Any]:
    return np.round(np.asarray(values, np.float64), digits).tolist()


def _with_gaps(values: np.ndarray, absent: np.ndarray, digits: int) -> list[Any]:
    return [None if gone else row for row, gone in zip(_plain(values, digits), absent.tolist(), strict=True)]


def gather_people(
    people: People,
    crops: Crops,
    estimates: Estimates,
    camera: Camera,
    first: int = 0,
    *,
    evidence: LimbEvidence | None = None,
    points: LimbPoints | None = None,
) -> tuple[Person, ...]:
    """People of one picture from the rows of its crops' estimates.

    Args:
        evidence: what decided their limb levels; None: BPAC-Net alone.
        points: of a 25-point model.
    """
    size = np.array([camera.width, camera.height], np.float32)
    focal = np.full(len(people), camera.focal_length, np.float32)
    translations = crop_to_full_translation(estimates.crop_camera, crops.centres, crops.sides, size, focal)
    if evidence is None:
        evidence = LimbEvidence(estimates.limb_probabilities, None, estimates.limb_probabilities)
    seen = None
    if points is not None:
        seen = np.concatenate([points.xy, points.scores[..., None], points.sd_px[..., None]], -1)
    given = people.ends is not None and bool((people.ends[..., 2] > 0).any())
    if given and people.ends is not None:  # what is given comes before what a model sees
        told = np.concatenate([people.keypoints, people.ends], 1)
        told = np.concatenate([told, np.full((*told.shape[:2], 1), np.nan, np.float32)], -1)
        sure = people.ends[..., 2:].max((1, 2)) > 0
        seen = told if seen is None else np.where(sure[:, None, None], told, seen)
    peaks = None if points is None or given else points.end_peaks

    def of(values: np.ndarray | None, k: int) -> np.ndarray | None:
        return None if values is None else values[k]

    return tuple(
        Person(
            number=first + k,
            bbox_xyxy=people.boxes_xyxy[k],
            score=float(people.scores[k]),
            keypoints=people.keypoints[k],
            limb_levels=estimates.limb_levels[k],
            limb_probabilities=of(evidence.fused, k),
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
            limbs_from_bpac=of(evidence.from_bpac, k),
            limbs_from_keypoints=of(evidence.from_keypoints, k),
            keypoints_ldpose25=of(seen, k),
            end_peaks=of(peaks, k),
            residual_lambda=of(estimates.residual_lambda, k),
            residual_std=of(estimates.residual_std, k),
        )
        for k in range(len(people))
    )
