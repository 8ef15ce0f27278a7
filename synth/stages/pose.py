"""Give every person a pose from a weighted mix of sources: fitted, captured or sampled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat
from ajahr.poses.sampler import sample_pose
from synth.background_bank import BackgroundBank
from synth.pose_sources.bank import PoseBank
from synth.pose_sources.config import PoseConfig
from synth.record import Drop, Person, Record

_FACE_CAMERA = np.diag([1.0, -1.0, -1.0])
"""Upright body frame (y up, facing +z) to camera frame (y down, z forward): facing the camera."""


class Pose:
    """Fitted poses keep the root seen in their photograph; others are turned about the vertical at random.

    Whoever stands where a fit was made takes that pose, scale and place; the fits are a pool for all others.

    Args:
        config: The mix. Sources without any pose take no part; a mix without any is sampled.
        bank: Fits to keypoints, by SMPLify.
        poses: Fits and captured poses from files.
        own_shape: Whether the betas of fits mean something on the body that is rendered.
    """

    def __init__(
        self,
        config: PoseConfig,
        bank: BackgroundBank,
        poses: PoseBank | None = None,
        own_shape: bool = False,
    ) -> None:
        self.config, self.bank, self.own_shape = config, bank, own_shape
        self.poses = poses or PoseBank(None)
        self.families = list(config.families)
        weights = np.asarray([config.families[name] for name in self.families], np.float64)
        self.weights = weights / weights.sum()
        self.mix = [s for s in config.mix() if s.weight > 0 and (s.kind != "smplify" or bank.fitted)]
        shares = np.array([source.weight for source in self.mix], np.float64)
        self.shares = shares / shares.sum() if self.mix else shares

    def __call__(self, record: Record) -> Record:
        for person in record.people:
            kind, label = "sampled", ""
            if self.mix:
                source = self.mix[int(record.rng.choice(len(self.mix), p=self.shares))]
                kind, label = source.kind, source.label
            if kind == "sampled":
                self._sample(record.rng, person)
            elif kind == "smplify":
                self._smplify(record.rng, person, label)
            else:
                self._from_file(record, person, label)
            if not np.isfinite(person.pose_rotvec).all():
                raise Drop("pose_not_finite")
        return record

    def _sample(self, rng: np.random.Generator, person: Person) -> None:
        family = self.families[int(rng.choice(len(self.families), p=self.weights))]
        sampled = sample_pose(rng, family, levels=person.pose_levels)
        root = self.view(rng) @ rotvec_to_rotmat(sampled.root_rotvec)
        person.pose_rotvec = np.concatenate(
            [rotmat_to_rotvec(root)[None], sampled.body_pose], dtype=np.float32
        )
        person.pose_source, person.pose_family = "sampled", family

    def _smplify(self, rng: np.random.Generator, person: Person, label: str) -> None:
        """The pose of whoever stood here, else of anybody; nobody stands before themselves."""
        slot = person.slot
        if slot.pose is None or person.in_front_of is not None:
            slot = self.bank.fitted[int(rng.integers(len(self.bank.fitted)))]
        assert slot.pose is not None
        person.pose_rotvec = slot.pose
        person.pose_source, person.pose_family = "fitted", label

    def _from_file(self, record: Record, person: Person, label: str) -> None:
        rng, background = record.rng, record.background
        assert background is not None
        source, slots = self.poses.sources[label], background.slots
        number = next((i for i, slot in enumerate(slots) if slot is person.slot), len(slots))
        found = None
        if not source.captured and person.in_front_of is None:
            found = self.poses.own(rng, label, background.name, number)
        if found is not None:
            person.slot = replace(
                person.slot,
                px_per_m=found.px_per_m,
                pelvis_px=found.pelvis_px,
                ground_y=found.ground_y,
                pose_rotvec=found.pose_rotvec.tolist(),
                betas=None,
            )
            if self.own_shape and found.betas is not None:
                person.betas, person.keeps_betas = found.betas, True
        else:
            found = self.poses.draw(rng, label)
            # the place is then that of anybody's pose: on the ground, not at a pelvis fitted before
            person.slot = replace(person.slot, pose_rotvec=None, pelvis_px=None)
        person.pose_rotvec = found.pose_rotvec
        if source.captured:
            root = self.view(rng) @ rotvec_to_rotmat(found.pose_rotvec[0].astype(np.float64))
            person.pose_rotvec = np.concatenate([rotmat_to_rotvec(root)[None], found.pose_rotvec[1:]]).astype(
                np.float32
            )
        person.pose_source = "captured" if source.captured else "fitted"
        person.pose_family = label

    def view(self, rng: np.random.Generator) -> np.ndarray:
        """Rotation from the upright body frame to the camera: any heading, a camera tilted down a little."""
        yaw = rng.uniform(-np.pi, np.pi)
        pitch = np.deg2rad(rng.uniform(-0.25, 1.0) * self.config.camera_pitch_deg)
        heading = rotvec_to_rotmat(np.array([0.0, yaw, 0.0]))
        tilt = rotvec_to_rotmat(np.array([pitch, 0.0, 0.0]))
        return tilt @ _FACE_CAMERA @ heading
