"""A person read back from the JSON that `ajahr predict` wrote, of a picture or a video."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.segments import Segment, segment_of

_BODY_JOINTS = 22


@dataclass(frozen=True, eq=False)
class PredictedEnd:
    """Where one limb ends between two joints."""

    segment: Segment
    fraction: float
    """Lambda."""
    sd: float
    bone: float | None
    """m, of the whole bone, where a stature was known; else None."""
    anchor: Float[np.ndarray, "3"] | None
    """Of a picture: where a fit has moved the bone's distal joint, camera frame, m; else None."""


@dataclass(frozen=True, eq=False)
class PredictedPerson:
    """Shape and residual limbs; of a picture, pose and camera."""

    body: str
    """Name of the body; "" in files that do not tell."""
    betas: Float[np.ndarray, " betas"]
    ends: tuple[PredictedEnd, ...]
    limbs: dict[str, str]
    """What is said of each limb: "left_arm": "transradial"."""
    rotvecs: Float[np.ndarray, "joints=24 3"] | None = None
    translation: Float[np.ndarray, "3"] | None = None
    """Camera frame, m."""
    camera: Camera | None = None
    """Of the whole picture."""

    def rotmats(self, joints: int) -> Float[np.ndarray, "joints 3 3"] | None:
        """The pose of a rig with so many joints: SMPL-X's hands and face stay at rest. None: of a video."""
        if self.rotvecs is None:
            return None
        out = np.tile(np.eye(3), (joints, 1, 1))
        count = 24 if joints == 24 else _BODY_JOINTS
        out[:count] = rotvec_to_rotmat(self.rotvecs[:count])
        return out


def read_prediction(path: Path, number: int) -> PredictedPerson:
    """One person of a picture, or one track of a video.

    Raises:
        UserError: the file is missing or no prediction, or has no such person.
    """
    try:
        document = json.loads(path.read_bytes())
        video = "tracks" in document
        found = document["tracks" if video else "people"]
        people = {one["number"]: one for one in found} if video else dict(enumerate(found))
        if number not in people:
            what = "tracks" if video else "people"
            raise UserError(f"{path} has {len(people)} {what}, none is number {number}; give --person")
        return _track(document, people[number]) if video else _person(document, people[number])
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give the JSON of ajahr predict") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UserError(f"{path} is no JSON of ajahr predict ({error!r}); predict it again") from error


def _person(document: dict[str, Any], one: dict[str, Any]) -> PredictedPerson:
    smpl, whole = one["smpl"], document["camera"]
    pose = [[smpl["global_orient"]], np.reshape(smpl["body_pose"], (23, 3))]
    principal = float(whole["principal_point"][0]), float(whole["principal_point"][1])
    size = int(document["width"]), int(document["height"])
    return PredictedPerson(
        str(document.get("body", "")),
        np.array(smpl["betas"], np.float32),
        *_limbs(one.get("limbs", {})),
        np.concatenate(pose).astype(np.float64),
        np.array(one["camera"]["translation"], np.float64),
        Camera(*size, float(whole["focal_length"]), principal),
    )


def _track(document: dict[str, Any], one: dict[str, Any]) -> PredictedPerson:
    betas = np.array(one["betas"], np.float32)
    return PredictedPerson(str(document.get("body", "")), betas, *_limbs(one.get("limbs", {})))


def _limbs(limbs: dict[str, Any]) -> tuple[tuple[PredictedEnd, ...], dict[str, str]]:
    ends = []
    for limb in limbs.values():
        told = limb.get("residual")
        if told is None:
            continue
        moved = str(told["method"]).endswith("rafo") and "anchor_3d" in told
        ends.append(
            PredictedEnd(
                segment_of(told["segment"]),
                float(told["lambda"]),
                float(told["lambda_sd"]),
                float(told["bone_mm"]) / 1000 if told["scaled"] and "bone_mm" in told else None,
                np.array(told["anchor_3d"], np.float64) if moved else None,
            )
        )
    words = {name: str(limb.get("amputation") or limb.get("status", "")) for name, limb in limbs.items()}
    return tuple(ends), words
