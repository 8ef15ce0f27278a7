"""Put the posed body where the removed person stood."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import LIMBS, amputation_joint
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.config import RenderConfig
from synth.record import Drop, Person, Record

_SOLE_M = 0.04
"""The lowest point of the body lies about so far below its lowest joint."""
_MIN_VISIBLE_JOINTS = 8
"""A picture in which fewer joints of a person fall inside the frame is given up."""


class Place:
    """Weak perspective at the slot's scale (paper, Sec. 3.2), or full perspective at the same depth.

    The place follows from the intact skeleton, so that both twins stand in it alike.
    """

    def __init__(self, body: FastBody, render: RenderConfig) -> None:
        self.body, self.render = body, render

    def __call__(self, record: Record) -> Record:
        assert record.camera is not None
        for person in record.people:
            rotmats = rotvec_to_rotmat(person.pose_rotvec).astype(np.float32)
            self._locate(record, person, rotmats)
        record.people.sort(key=lambda person: -float(person.transl[2]))  # the farthest are drawn first
        return record

    def _locate(self, record: Record, person: Person, rotmats: np.ndarray) -> None:
        camera, rng, slot = record.camera, record.rng, person.slot
        assert camera is not None
        joints = self.body.pose_joints(person.betas, rotmats)
        root = joints[0]
        joints = joints - root
        scale = slot.px_per_m
        in_place = person.pose_source == "fitted" and slot.pose is not None and slot.pelvis_px is not None
        if in_place:
            assert slot.pelvis_px is not None
            u, v = slot.pelvis_px
        else:
            u = slot.anchor_x + rng.normal(0.0, 0.05) * scale
            v = slot.ground_y - (float(joints[:, 1].max()) + _SOLE_M) * scale
        depth = camera.focal_length / scale
        pelvis = camera.unproject(np.array([u, v]), np.array(depth))
        person.transl = (pelvis - root).astype(np.float32)
        person.mesh = self.body(person.betas, rotmats, person.absent, person.transl)
        pixels = camera.weak(depth).project(joints + pelvis.astype(np.float32))
        inside = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(axis=1)
        if inside.sum() < _MIN_VISIBLE_JOINTS:
            raise Drop("out_of_frame")
        if not all(
            inside[amputation_joint(limb, person.levels[limb])] for limb in LIMBS if person.levels[limb]
        ):
            raise Drop("cut_out_of_frame")  # nobody could tell that something is lost
        if self.render.projection == "perspective" and float(person.mesh.vertices[:, 2].min()) < 0.3:
            raise Drop("too_close")


def person_camera(record: Record, person: Person, projection: str) -> Camera:
    """The camera one person is drawn with: weak perspective about their own pelvis, or the picture's.

    With one weak-perspective depth for the whole picture everybody would have the same size, however far away.
    """
    assert record.camera is not None and person.mesh is not None
    if projection == "weak":
        return record.camera.weak(float(person.mesh.joints[0, 2]))
    return record.camera
