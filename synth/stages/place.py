"""Put the posed body where the removed person stood."""

from __future__ import annotations

import numpy as np

from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.config import RenderConfig
from synth.occluders.border import border_shift
from synth.occluders.limbs import limb_ends
from synth.occluders.people import stand_before
from synth.record import Drop, Person, Record

SOLE_M = 0.04
"""The lowest point of the body lies about so far below its lowest joint."""
_OUTSIDE_M = 0.06
"""Elbow and wrist, knee and ankle of a limb outside the picture are so far outside."""
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
        # who stands before somebody follows them, wherever they stand
        for person in sorted(record.people, key=lambda person: person.in_front_of is not None):
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
        sole = SOLE_M + person.clearance_m
        in_place = person.pose_source == "fitted" and slot.pose is not None and slot.pelvis_px is not None
        if person.in_front_of is not None:
            scale, u, v = self._before(person, joints, sole, rng, camera)
        elif in_place:
            assert slot.pelvis_px is not None
            u, v = slot.pelvis_px
        else:
            u = slot.anchor_x + rng.normal(0.0, 0.05) * scale
            v = slot.ground_y - (float(joints[:, 1].max()) + sole) * scale
        if "border" in person.cases:
            u, v = self._over_the_border(person, joints[:, :2] * scale + (u, v), rng, camera)
        depth = camera.focal_length / scale
        pelvis = camera.unproject(np.array([u, v]), np.array(depth))
        person.transl = (pelvis - root).astype(np.float32)
        person.joints_intact = (joints + pelvis).astype(np.float32)
        person.mesh = self.body(person.betas, rotmats, person.absent, person.transl)
        pixels = camera.weak(depth).project(joints + pelvis.astype(np.float32))
        inside = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(axis=1)
        if inside.sum() < _MIN_VISIBLE_JOINTS:
            raise Drop("out_of_frame")
        ends = limb_ends(pixels, person.levels, person.fractions)
        if not ((ends >= 0) & (ends < (camera.width, camera.height))).all():
            raise Drop("cut_out_of_frame")  # nobody could tell that something is lost
        if self.render.projection == "perspective" and float(person.mesh.vertices[:, 2].min()) < 0.3:
            raise Drop("too_close")

    @staticmethod
    def _over_the_border(
        person: Person, pixels: np.ndarray, rng: np.random.Generator, camera: Camera
    ) -> tuple[float, float]:
        """Where the pelvis goes so that one limb is outside the picture, px."""
        margin = _OUTSIDE_M * person.slot.px_per_m
        found = border_shift(
            pixels, (camera.width, camera.height), person.levels, rng.permutation(4).tolist(), margin,
            person.fractions,
        )  # fmt: skip
        if found is None:
            raise Drop("no_limb_reaches_the_border")
        person.hidden_limb["border"], shift = found
        return float(pixels[0, 0] + shift[0]), float(pixels[0, 1] + shift[1])

    def _before(
        self, person: Person, joints: np.ndarray, sole: float, rng: np.random.Generator, camera: Camera
    ) -> tuple[float, float, float]:
        """Scale and place of the pelvis of somebody who hides a limb of the person behind, px."""
        behind = person.in_front_of
        assert behind is not None
        scale = camera.focal_length / float(behind.joints_intact[0, 2])
        pixels = camera.weak(float(behind.joints_intact[0, 2])).project(
            behind.joints_intact.astype(np.float64)
        )
        ground = float(pixels[:, 1].max()) + (SOLE_M + behind.clearance_m) * scale
        found = stand_before(
            rng, pixels, behind.levels, scale, ground, joints[:, :2].astype(np.float64), person.levels, sole,
            (camera.width, camera.height), behind.fractions, person.fractions,
        )  # fmt: skip
        if found is None:
            raise Drop("nobody_hides_a_limb")
        behind.hidden_limb["occluded_person"], scale, (u, v) = found
        return scale, float(u), float(v)


def person_camera(record: Record, person: Person, projection: str) -> Camera:
    """The camera one person is drawn with: weak perspective about their own pelvis, or the picture's.

    With one weak-perspective depth for the whole picture everybody would have the same size, however far away.
    """
    assert record.camera is not None and person.mesh is not None
    if projection == "weak":
        return record.camera.weak(float(person.mesh.joints[0, 2]))
    return record.camera
