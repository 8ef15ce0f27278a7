"""A person read back from the JSON that `ajahr predict` wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat

_BODY_JOINTS = 22


@dataclass(frozen=True, eq=False)
class PredictedPerson:
    """Shape, pose and camera."""

    betas: Float[np.ndarray, " betas"]
    rotvecs: Float[np.ndarray, "joints=24 3"]
    translation: Float[np.ndarray, "3"]
    """Camera frame, m."""
    camera: Camera
    """Of the whole picture."""

    def rotmats(self, joints: int) -> Float[np.ndarray, "joints 3 3"]:
        """The pose of a rig with so many joints: SMPL-X's hands and face stay at rest."""
        out = np.tile(np.eye(3), (joints, 1, 1))
        count = 24 if joints == 24 else _BODY_JOINTS
        out[:count] = rotvec_to_rotmat(self.rotvecs[:count])
        return out


def read_prediction(path: Path, number: int) -> PredictedPerson:
    """One person of a picture.

    Raises:
        UserError: the file is missing or no prediction of a picture, or has no such person.
    """
    try:
        document = json.loads(path.read_bytes())
        people = document["people"]
        if not 0 <= number < len(people):
            raise UserError(f"{path} has {len(people)} people, none is number {number}; give --person")
        smpl, camera = people[number]["smpl"], people[number]["camera"]
        whole = document["camera"]
        return PredictedPerson(
            np.array(smpl["betas"], np.float32),
            np.concatenate([[smpl["global_orient"]], np.reshape(smpl["body_pose"], (23, 3))]).astype(
                np.float64
            ),
            np.array(camera["translation"], np.float64),
            Camera(
                int(document["width"]),
                int(document["height"]),
                float(whole["focal_length"]),
                (float(whole["principal_point"][0]), float(whole["principal_point"][1])),
            ),
        )
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give the JSON of ajahr predict") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(
            f"{path} is no picture's JSON of ajahr predict ({error!r}); predict it again"
        ) from error
