"""Give every person a pose: fitted to somebody in the photographs, or sampled."""

from __future__ import annotations

import numpy as np

from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.poses.sampler import sample_pose
from synth.background_bank import BackgroundBank
from synth.config import PoseConfig
from synth.record import Drop, Record

_FACE_CAMERA = np.diag([1.0, -1.0, -1.0])
"""Upright body frame (y up, facing +z) to camera frame (y down, z forward): facing the camera."""


class Pose:
    """Fitted poses keep the root seen in the photograph; sampled ones are turned about the vertical at random."""

    def __init__(self, config: PoseConfig, bank: BackgroundBank) -> None:
        self.config, self.bank = config, bank
        self.families = list(config.families)
        weights = np.asarray([config.families[name] for name in self.families], np.float64)
        self.weights = weights / weights.sum()

    def __call__(self, record: Record) -> Record:
        rng = record.rng
        for person in record.people:
            if rng.random() < self.config.fitted_share and self.bank.fitted:
                # the pose of whoever stood here, else of anybody
                slot = person.slot
                if slot.pose is None:
                    slot = self.bank.fitted[int(rng.integers(len(self.bank.fitted)))]
                assert slot.pose is not None
                person.pose_rotvec = slot.pose
                person.pose_source = person.pose_family = "fitted"
            else:
                family = self.families[int(rng.choice(len(self.families), p=self.weights))]
                sampled = sample_pose(rng, family, levels=person.levels)
                root = self.view(rng) @ rotvec_to_rotmat(sampled.root_rotvec)
                person.pose_rotvec = np.concatenate(
                    [rotmat_to_rotvec(root)[None], sampled.body_pose], dtype=np.float32
                )
                person.pose_source, person.pose_family = "sampled", family
            if not np.isfinite(person.pose_rotvec).all():
                raise Drop("pose_not_finite")
        return record

    def view(self, rng: np.random.Generator) -> np.ndarray:
        """Rotation from the upright body frame to the camera: any heading, a camera tilted down a little."""
        yaw = rng.uniform(-np.pi, np.pi)
        pitch = np.deg2rad(rng.uniform(-0.25, 1.0) * self.config.camera_pitch_deg)
        heading = rotvec_to_rotmat(np.array([0.0, yaw, 0.0]))
        tilt = rotvec_to_rotmat(np.array([pitch, 0.0, 0.0]))
        return tilt @ _FACE_CAMERA @ heading
