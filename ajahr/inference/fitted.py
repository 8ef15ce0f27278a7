"""Predicted people moved onto their keypoints: the regressor's body as the start of a staged fit.

A regressor of few millions of parameters says well who sits and who leans, and is a few centimetres off in the
picture; a detector says well where the joints are, and not how deep. `ajahr.fitting.staged` brings both together
(SMPLify-X's last two stages, each joint held near the regressed pose). What ends in a lost segment turns its bone.
Who has too few keypoints, or is not brought near them, stays as regressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from ajahr.anatomy import COCO17, LDPOSE25, absent_joint_mask
from ajahr.body.data import BodyData
from ajahr.body.fast import FastBody
from ajahr.body.rig import RigData
from ajahr.fitting.smplify import FitStatus
from ajahr.fitting.staged import StagedFit
from ajahr.fitting.staged_problem import NEAREST, BodyStart
from ajahr.geometry.cameras import full_to_crop_cam
from ajahr.geometry.rotations_np import rotmat_to_rotvec
from ajahr.inference.person import Person
from ajahr.inference.residual import LEAST_PEAK, told_ends
from ajahr.residual_limb.segments import SEGMENTS

_BETAS = 10
"""That a regressor has."""
_LEAST_POINTS = 4
_LEAST_SCORE = 0.2
"""Weaker keypoints are as often somewhere else as where they say."""


class PeopleFitter:
    """Fits people of one body.

    Args:
        body: the regressor's.
    """

    def __init__(self, body: BodyData) -> None:
        self.body = body

    @cached_property
    def _fit(self) -> StagedFit:
        rig = RigData.of_body(self.body)
        return StagedFit(replace(rig, shapedirs=rig.shapedirs[..., :_BETAS]), LDPOSE25)

    @cached_property
    def _poser(self) -> FastBody:
        return FastBody(self.body)

    def __call__(self, people: Sequence[Person]) -> tuple[Person, ...]:
        """The same people, those who could be fitted with another pose, shape and place, their surfaces not cut.

        Their ``crop_camera`` puts the new place before the crop.
        """
        told = np.stack([fit_points(one) for one in people]) if people else np.zeros((0, len(LDPOSE25), 3))
        enough = (told[:, : len(COCO17), 2] > 0).sum(1) >= _LEAST_POINTS
        before = np.array(
            [bool(((one.joints + one.translation)[..., 2] > NEAREST).all()) for one in people], bool
        )
        rows = np.flatnonzero(enough & before)
        if not len(rows):
            return tuple(people)
        chosen = [people[k] for k in rows.tolist()]
        pose = np.stack([one.pose_rotmat for one in chosen]).astype(np.float64)
        start = BodyStart(
            pose[:, 0],
            rotmat_to_rotvec(pose[:, 1:]),
            np.stack([one.betas for one in chosen]).astype(np.float64),
            np.stack([one.translation for one in chosen]).astype(np.float64),
        )
        absent = absent_joint_mask(np.stack([one.limb_levels for one in chosen]))
        found = self._fit.fit(told[rows], [one.camera for one in chosen], absent_joints=absent, start=start)
        fitted = list(people)
        for row, k in enumerate(rows.tolist()):
            if found.status[row] is FitStatus.OK and np.isfinite(found.translation[row]).all():
                # a joint that is gone keeps its rotation: the limb is cut where it would have been
                rotmats = np.where(absent[row][:, None, None], pose[row], found.rotmats[row])
                fitted[k] = self._moved(people[k], rotmats, found.betas[row], found.translation[row])
        return tuple(fitted)

    def _moved(self, person: Person, rotmats: np.ndarray, betas: np.ndarray, place: np.ndarray) -> Person:
        rotmats, betas, place = (part.astype(np.float32) for part in (rotmats, betas, place))
        posed = self._poser(betas, rotmats, person.absent_joints)
        crop_camera = full_to_crop_cam(
            place[None], person.crop_centre[None].astype(np.float32), np.array([person.crop_side], np.float32),
            np.array([[person.camera.width, person.camera.height]], np.float32),
            np.array([person.camera.focal_length], np.float32),
        )[0]  # fmt: skip
        person = replace(person, pose_rotmat=rotmats, betas=betas, translation=place, crop_camera=crop_camera)
        return person.with_body(posed.vertices, posed.joints, posed.keypoints_44)


def fit_points(person: Person) -> Float64[np.ndarray, "25 xys=3"]:
    """Keypoints that a fit counts, score 0 for all others: those that are sure, in the picture, of what is there."""
    points = np.zeros((len(LDPOSE25), 3))
    points[: len(COCO17)] = person.keypoints  # the given ones, where some were given
    if person.keypoints_ldpose25 is not None:
        ends = told_ends(person)
        least = _LEAST_SCORE if person.end_peaks is None else LEAST_PEAK
        # maps of ends are flatter than those of joints: by their peaks alone no end would turn a bone
        ends[:, 2] = np.sqrt(ends[:, 2].clip(0, 1)) * (ends[:, 2] >= least)
        points[list(LDPOSE25.residual)] = ends
    lost = np.array([person.limb_levels[s.limb] for s in SEGMENTS]) > 0
    points[list(LDPOSE25.residual), 2] *= lost  # whole limbs have none
    x, y, score = points.T
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (y >= 0) & (x <= person.camera.width) & (y <= person.camera.height)
        points[~(inside & (score >= _LEAST_SCORE))] = 0
    points[:, 2] = points[:, 2].clip(max=1)
    return points
