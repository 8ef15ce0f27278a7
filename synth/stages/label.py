"""Write down what was drawn: keypoints with visibility, levels, boxes, where everything is from."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from ajahr.anatomy import COCO17, J44, JOINT_LIMB, LDPOSE25, LIMBS, NUM_LIMBS, KeypointLayout
from ajahr.data.record import (
    ABSENT,
    HARD_CASES,
    OCCLUDED,
    VISIBLE,
    Appearance,
    ImageRecord,
    LimbStatus,
    PersonRecord,
    PoseSource,
    SourcePhoto,
)
from ajahr.data.residual_end import ResidualEnd, ldpose_3d, residual_lengths
from ajahr.geometry.cameras import Camera
from synth.config import GenerateConfig
from synth.record import Drop, Person, Record
from synth.stages.place import person_camera

_TRUNK_M, _LIMB_M = 0.16, 0.10
"""A joint lies inside the body: it counts as seen when the surface before it is no more than this nearer, m. Limbs
are thinner than the trunk, and a wrist so far behind the chest is not seen."""
_MIN_VISIBLE_PX = 150
"""A person of whom fewer pixels are in sight makes no sample."""


def _depths(layout: KeypointLayout) -> Float64[np.ndarray, " keypoints"]:
    """How deep each keypoint may lie; shoulders and hips lie as deep as the trunk."""
    limb = [JOINT_LIMB[anchor] >= 0 for anchor in layout.anchors]
    trunk = ["shoulder" in name or "hip" in name for name in layout.names]
    return np.where(np.array(limb) & ~np.array(trunk), _LIMB_M, _TRUNK_M)


_SHALLOW = {layout.name: _depths(layout) for layout in (J44, LDPOSE25)}
_DISTAL_COCO = {limb: [i for i in range(17) if JOINT_LIMB[COCO17.anchors[i]] == limb][1:] for limb in LIMBS}
"""Per limb, its elbow and wrist, or knee and ankle."""
_COCO_LIMB = np.array([JOINT_LIMB[anchor] for anchor in COCO17.anchors])


def _bounds(points: Float[np.ndarray, "points 2"]) -> Float64[np.ndarray, "xyxy=4"]:
    """Box around points. Column by column: numpy reduces the short axis of a long array slowly."""
    x, y = points[:, 0], points[:, 1]
    return np.array([x.min(), y.min(), x.max(), y.max()], np.float64)


class Label:
    """The annotation of a picture from the exact geometry it was drawn with."""

    def __init__(self, config: GenerateConfig, body_gender: str) -> None:
        self.config, self.body_gender = config, body_gender

    def __call__(self, record: Record) -> Record:
        background = record.background
        assert background is not None and record.mask is not None
        people = []
        for number, person in enumerate(record.people):
            seen = (record.mask >> 5) == number
            seen &= record.mask > 0
            if np.count_nonzero(seen) < _MIN_VISIBLE_PX:
                raise Drop("hardly_visible")
            people.append(self._person(record, person, seen))
        key = f"{record.index:08d}"
        twin = f"{record.index + 1:08d}" if self.config.twins and not record.is_twin else None
        record.annotation = ImageRecord(
            key=key,
            scene_id=f"{record.scene:08d}",
            intact_twin=twin,
            split=self.config.split,
            width=background.width,
            height=background.height,
            photo=SourcePhoto(f"{background.source}/{background.photo}", background.licence),
            people=tuple(people),
        )
        return record

    def _person(self, record: Record, person: Person, seen: np.ndarray) -> PersonRecord:
        mesh, levels = person.mesh, person.rendered_levels
        assert mesh is not None and person.render is not None and person.texture is not None
        camera = person_camera(record, person, self.config.render.projection)
        keypoints_3d = mesh.keypoints_44.astype(np.float64)
        joints_3d = mesh.joints.astype(np.float64)
        ends = self._residual(person)
        ldpose = ldpose_3d(
            keypoints_3d, joints_3d, levels, [None if one is None else one.end_3d for one in ends]
        )
        keypoints_2d = self._labelled(keypoints_3d, J44, camera, person, seen)
        ldpose_2d = self._labelled(
            ldpose, LDPOSE25, camera, person, seen, self._under_the_skin(ldpose, person)
        )
        outline = _bounds(camera.project(person.vertices))
        if record.is_twin and not self._losses_in_sight(person, ldpose_2d):
            raise Drop("loss_out_of_sight")
        occluded, status = [], []
        for limb in LIMBS:
            visibility = ldpose_2d[_DISTAL_COCO[limb], 2]
            existing = visibility[visibility != ABSENT]
            hidden = bool((existing == OCCLUDED).any())
            occluded.append(hidden)
            if levels[limb]:
                worn = person.prosthesis[limb]
                status.append(LimbStatus.PROSTHESIS if worn else LimbStatus.AMPUTATED)
            else:
                status.append(LimbStatus.OCCLUDED if (visibility == OCCLUDED).all() else LimbStatus.INTACT)
        for limb in person.hidden_limb.values():
            if not person.levels[limb] and status[limb] != LimbStatus.OCCLUDED:
                raise Drop("limb_still_in_sight")
        cases = set(person.cases)
        if any(person.prosthesis):
            cases.add("prosthesis")
        if self._behind_own_body(person, status, ldpose_2d, seen):
            cases.add("self_occlusion")
        return PersonRecord(
            bbox_xyxy=outline,
            pose_rotvec=person.pose_rotvec.astype(np.float64),
            betas=np.resize(person.betas, 10).astype(np.float64),
            body_gender=self.body_gender,
            transl=person.transl.astype(np.float64),
            camera=camera,
            keypoints_2d=keypoints_2d,
            ldpose_2d=ldpose_2d,
            joints_3d=joints_3d,
            keypoints_3d=keypoints_3d,
            limb_levels=levels,
            limb_status=tuple(status),
            occluded=tuple(occluded),
            residual_length=residual_lengths(joints_3d, levels, person.rendered_fractions),
            appearance=Appearance(person.texture.group, person.texture.sex, person.texture.id),
            pose_source=PoseSource(person.pose_source, person.pose_family),
            hard_cases=tuple(case for case in HARD_CASES if case in cases),
            prosthesis=person.prosthesis,
            residual_limbs=ends,
        )

    def _losses_in_sight(self, twin: Person, ldpose_2d: np.ndarray) -> bool:
        """Whether the twin shows enough of every limb that the amputee beside it has lost."""
        lost = COCO17.absent(twin.levels)
        for limb in LIMBS:
            mine = lost & (limb == _COCO_LIMB)
            if mine.any() and (ldpose_2d[:17][mine, 2] == VISIBLE).mean() < self.config.amputation.in_sight:
                return False
        return True

    @staticmethod
    def _residual(person: Person) -> tuple[ResidualEnd | None, ...]:
        """What the cuts of a person say of their limbs."""
        found: list[ResidualEnd | None] = [None] * NUM_LIMBS
        if person.cut is None:
            return tuple(found)
        shape = person.cut.shape
        for end, measured, tip in zip(shape.ends, shape.measures, person.cut.tips, strict=True):
            found[end.segment.limb] = ResidualEnd(
                end.segment.name,
                end.fraction,
                tip.astype(np.float64),
                1000 * measured.length,
                1e6 * measured.volume,
                tuple(1000 * x for x in measured.circumferences),
                end.oblique,
            )
        return tuple(found)

    @staticmethod
    def _under_the_skin(ldpose: np.ndarray, person: Person) -> np.ndarray:
        """The same points, but half-way from the tip of a cut limb into its dome.

        The tip itself lies on the outline of a limb seen from aside, where a pixel is as likely the background's.
        """
        inner = ldpose.copy()
        if person.cut is not None:
            for end, tip, middle in zip(
                person.cut.shape.ends, person.cut.tips, person.cut.middles, strict=True
            ):
                inner[end.segment.point] = (tip.astype(np.float64) + middle) / 2
        return inner

    @staticmethod
    def _behind_own_body(
        person: Person, status: list[LimbStatus], ldpose_2d: np.ndarray, seen: np.ndarray
    ) -> bool:
        """Whether an occluded limb of this person is hidden by nothing but themselves."""
        height, width = seen.shape
        for limb in LIMBS:
            x, y = np.floor(ldpose_2d[_DISTAL_COCO[limb], :2]).astype(np.int64).T
            if (
                status[limb] != LimbStatus.OCCLUDED
                or not ((x >= 0) & (x < width) & (y >= 0) & (y < height)).all()
            ):
                continue
            if seen[y, x].all():
                return True
        return False

    @staticmethod
    def _labelled(
        points: np.ndarray, layout: KeypointLayout, camera: Camera, person: Person, seen: np.ndarray,
        inner: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Pixels and visibility of 3D points; absent ones are (0, 0, 0).

        In sight is what lies in the picture, on a pixel that shows this person, and no deeper under what is drawn
        there than the inside of their own limb or trunk. ``inner`` are the points that are looked for, where they
        are not those that are labelled.
        """
        assert person.render is not None
        absent = layout.absent(person.rendered_levels)
        points = np.where(absent[:, None], [[0.0, 0.0, 1.0]], points)
        pixels = camera.project(points)
        inside = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(axis=1)
        sought = pixels
        if inner is not None:
            points = np.where(absent[:, None], [[0.0, 0.0, 1.0]], inner)
            sought = camera.project(points)
        column, row = np.floor(sought).astype(np.int64).T
        column, row = np.clip(column, 0, camera.width - 1), np.clip(row, 0, camera.height - 1)
        before = points[:, 2] - person.render.depth[row, column]
        visible = inside & seen[row, column] & (before < _SHALLOW[layout.name])
        visibility = np.where(visible, VISIBLE, OCCLUDED)
        labelled = np.concatenate([pixels, visibility[:, None]], axis=1).astype(np.float64)
        labelled[absent] = 0.0
        return labelled
