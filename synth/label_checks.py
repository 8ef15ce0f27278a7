"""What must hold of one picture's labels. Every check yields one line per thing that does not.

The rules are those of `ajahr.data.record`; nothing here knows how a picture was made.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, MutableMapping
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.anatomy import (
    J44,
    JOINT_NAMES,
    LDPOSE25,
    LIMBS,
    NUM_JOINTS,
    PARENTS,
    KeypointLayout,
    absent_joint_mask,
    amputation_joint,
    descendants,
    residual_end,
)
from ajahr.body.data import BodyData
from ajahr.body.fast import FastBody
from ajahr.data.mask import split_mask
from ajahr.data.record import ABSENT, OCCLUDED, PROSTHESES, VISIBLE, ImageRecord, LimbStatus, PersonRecord
from ajahr.data.residual_end import residual_lengths
from ajahr.data.residual_mesh import collapsed_joints, residual_ends
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.cutter import LimbCutter

REPROJECTION_PX = 0.5
"""2D keypoints lie this close to their projected 3D ones."""
SAME_PLACE_M = 1e-3
"""Two computations of one joint agree this well."""
BESIDE_BONE_M = 0.12
"""The end of a residual limb lies this close to its place on the bone; skin slides over a bent joint."""
NEAR_PX = 3
"""A keypoint in sight lies this close to a pixel of its person in the part mask."""
BACKGROUND_MARGIN_PX = 24
BACKGROUND_LEVELS = 3.0
"""Farther than the margin from every silhouette, two twins differ by less than this on average, in grey
levels: they are one photograph there, and JPEG's blocks reach no farther than 16 px."""


OF_ONE_TWIN = {"prosthesis", "self_occlusion"}
"""Hard cases that follow from what is lost; the others were arranged for both twins."""


@runtime_checkable
class PosedPoints(Protocol):
    @property
    def joints(self) -> np.ndarray: ...
    @property
    def keypoints_44(self) -> np.ndarray: ...


@runtime_checkable
class PosableBody(Protocol):
    """`ajahr.body.fast.FastBody`, as far as it is needed here."""

    def __call__(
        self, betas: np.ndarray, rotmats: np.ndarray, absent_joints: np.ndarray, /
    ) -> PosedPoints: ...


def check_keypoints(
    labelled: Float[np.ndarray, "points 3"],
    points_3d: Float[np.ndarray, "points 3"],
    layout: KeypointLayout,
    person: PersonRecord,
) -> Iterator[str]:
    """One layout's 2D keypoints against the levels and the projected 3D ones."""
    visibility = labelled[:, 2]
    for i in np.flatnonzero(~np.isin(visibility, (ABSENT, OCCLUDED, VISIBLE))):
        yield f"{layout.name} {layout.names[i]} has visibility {visibility[i]:g}"
    must_be_absent = layout.absent(person.limb_levels)
    for i in np.flatnonzero(must_be_absent & labelled.any(1)):
        yield f"{layout.name} {layout.names[i]} is absent and not (0, 0, 0)"
    for i in np.flatnonzero((visibility == ABSENT) & labelled[:, :2].any(1) & ~must_be_absent):
        yield f"{layout.name} {layout.names[i]} is unlabelled and not (0, 0, 0)"
    known = (visibility != ABSENT) & ~must_be_absent
    if not known.any():
        return
    error = np.linalg.norm(person.camera.project(points_3d[known]) - labelled[known, :2], axis=1)
    for i, distance in zip(np.flatnonzero(known), error, strict=True):
        if not distance <= REPROJECTION_PX:  # NaN is no agreement
            yield f"{layout.name} {layout.names[i]} lies {distance:.2f} px from its projected 3D point"
    size = (person.camera.width, person.camera.height)
    inside = ((labelled[:, :2] >= 0) & (labelled[:, :2] < size)).all(1)
    for i in np.flatnonzero((visibility == VISIBLE) & ~inside):
        yield f"{layout.name} {layout.names[i]} is in sight and outside the picture"


def check_limbs(person: PersonRecord) -> Iterator[str]:
    """Status, occlusion and residual length of each limb against its level and joints."""
    expected = residual_lengths(person.joints_3d, person.limb_levels, person.fractions)
    for limb in LIMBS:
        name, level, status = limb.name.lower(), person.limb_levels[limb], person.limb_status[limb]
        if (level > 0) != (status in (LimbStatus.AMPUTATED, LimbStatus.PROSTHESIS)):
            yield f"{name} has level {level} and is called {status}"
        worn = person.prosthesis[limb]
        if (worn is not None) != (status == LimbStatus.PROSTHESIS):
            yield f"{name} is called {status} and wears {worn or 'no prosthesis'}"
        elif worn is not None and PROSTHESES[worn] != (limb.is_arm, level):
            yield f"{name} wears a {worn}, which is for another level than {level}"
        if status == LimbStatus.OCCLUDED and not person.occluded[limb]:
            yield f"{name} is called occluded and is not marked so"
        found, wanted = person.residual_length[limb], expected[limb]
        if (found is None) != (wanted is None):
            yield f"{name} has residual length {found}, by its level {wanted}"
        elif found is not None and wanted is not None and abs(found - wanted) > SAME_PLACE_M:
            yield f"{name} has residual length {found:.3f} m, its joints are {wanted:.3f} m apart"
        if level:
            top = amputation_joint(limb, level)
            below = list(descendants(top))
            gap = np.linalg.norm(person.joints_3d[below] - person.joints_3d[top], axis=1).max()
            if gap > SAME_PLACE_M:
                yield f"{name} has lost joints {gap:.3f} m from {JOINT_NAMES[top]}, where it ends"


def check_residual_limbs(person: PersonRecord) -> Iterator[str]:
    """Limbs that end inside a bone against level, lengths and joints."""
    for limb in LIMBS:
        one, level = person.residual_limbs[limb], person.limb_levels[limb]
        if one is None:
            continue
        name = limb.name.lower()
        if one.segment != residual_end(limb, level):
            yield f"{name} of level {level} is said to end at {one.segment}"
            continue
        joint = amputation_joint(limb, level)
        anchor, upstream = person.joints_3d[joint], person.joints_3d[PARENTS[joint]]
        length = (1 - one.fraction) * float(np.linalg.norm(upstream - anchor))
        if not abs(length - one.length_mm / 1000) <= SAME_PLACE_M:
            yield f"{name} is {one.length_mm:.1f} mm long, by its lambda {1000 * length:.1f} mm"
        gap = float(np.linalg.norm(one.end_3d - (anchor + one.fraction * (upstream - anchor))))
        if not gap <= BESIDE_BONE_M:
            yield f"{name} ends {1000 * gap:.0f} mm from the bone at its lambda"


_cutters: MutableMapping[BodyData, LimbCutter] = weakref.WeakKeyDictionary()


def check_surface(person: PersonRecord, body: FastBody) -> Iterator[str]:
    """Limbs that end inside a bone against the surface cut and posed again."""
    ends = residual_ends(person)
    if not ends:
        return
    cutter = _cutters.setdefault(body.data, LimbCutter(body.data))
    betas = person.betas[: body.data.num_betas]
    try:
        shape = cutter(betas, ends)
    except UserError as error:
        yield f"its limbs cannot be cut as they are said to end: {error}"
        return
    rotmats = rotvec_to_rotmat(person.pose_rotvec).astype(np.float32)
    collapsed = np.zeros(NUM_JOINTS, bool)
    collapsed[list(collapsed_joints(person))] = True
    posed = cutter.pose(body, shape, betas, rotmats, collapsed, person.transl)
    for end, measured, tip in zip(shape.ends, shape.measures, posed.tips, strict=True):
        one, name = person.residual_limbs[end.segment.limb], end.segment.limb.name.lower()
        assert one is not None
        gap = float(np.abs(tip - one.end_3d).max())
        if not gap <= SAME_PLACE_M:
            yield f"{name} is said to end {1000 * gap:.1f} mm from where its surface does"
        if end.oblique != one.oblique:
            yield f"{name} is {'' if end.oblique else 'not '}cut obliquely, and its record says otherwise"
        said = np.array([one.length_mm, one.volume_ml, *one.circumferences_mm])
        found = [1e3 * measured.length, 1e6 * measured.volume, *(1e3 * x for x in measured.circumferences)]
        if len(said) != len(found) or not (np.abs(said - found) <= 0.1 + 1e-3 * np.abs(found)).all():
            yield f"{name} measures otherwise than its surface does"


def check_hard_cases(person: PersonRecord) -> Iterator[str]:
    """The names of hard cases against the limbs."""
    cases, status = set(person.hard_cases), person.limb_status
    if ("prosthesis" in cases) != any(kind is not None for kind in person.prosthesis):
        yield f"its hard cases {sorted(cases)} do not agree with its prostheses {list(person.prosthesis)}"
    if "self_occlusion" in cases and LimbStatus.OCCLUDED not in status:
        yield "a limb is said to be behind the own body, and none is occluded"
    if cases >= {"wheelchair", "crutches"}:
        yield "sits in a wheelchair and walks with crutches"


def check_geometry(person: PersonRecord, body: PosableBody | None) -> Iterator[str]:
    """Box, depth, and with a body also that the 3D points are those of the pose, shape and levels."""
    x0, y0, x1, y1 = person.bbox_xyxy
    if not (x0 < x1 and y0 < y1):
        yield f"the box {person.bbox_xyxy.tolist()} is empty"
    if person.camera.weak_depth is None and person.joints_3d[:, 2].min() <= 0:
        yield "a joint lies behind the camera"
    if body is None:
        return
    rotmats = rotvec_to_rotmat(person.pose_rotvec).astype(np.float32)
    posed = body(person.betas, rotmats, absent_joint_mask(person.limb_levels))
    for name, found, made in (
        ("joints_3d", person.joints_3d, posed.joints),
        ("keypoints_3d", person.keypoints_3d, posed.keypoints_44),
    ):
        gap = np.abs(found - (made.astype(np.float64) + person.transl)).max()
        if not gap <= SAME_PLACE_M:
            yield f"{name} lie {1000 * gap:.1f} mm from those of the body in this pose"


def check_person(person: PersonRecord, body: PosableBody | None = None) -> Iterator[str]:
    """Everything that needs no picture."""
    points = person.ldpose_3d
    yield from check_keypoints(person.keypoints_2d, person.keypoints_3d, J44, person)
    yield from check_keypoints(person.ldpose_2d, points, LDPOSE25, person)
    yield from check_limbs(person)
    yield from check_residual_limbs(person)
    yield from check_hard_cases(person)
    yield from check_geometry(person, body)
    if isinstance(body, FastBody):
        yield from check_surface(person, body)


def check_mask(mask: UInt8[np.ndarray, "height width"], record: ImageRecord) -> Iterator[str]:
    """The part mask against the people: no lost part, nobody else's, keypoints in sight on their person."""
    if mask.shape != (record.height, record.width):
        height, width = mask.shape
        yield f"the part mask is {width} x {height}, the picture {record.width} x {record.height}"
        return
    who, joint = split_mask(mask)
    if (joint >= NUM_JOINTS).any() or ((who >= 0) & (joint < 0)).any():
        yield "the part mask holds values that are no part"
        return
    if int(who.max(initial=-1)) >= len(record.people):
        yield f"the part mask shows person {int(who.max())}, and there are {len(record.people)}"
    for n, person in enumerate(record.people):
        mine = who == n
        lost = absent_joint_mask(person.limb_levels)
        for j in np.unique(joint[mine]):
            if lost[j]:
                yield f"person {n}: the part mask shows {JOINT_NAMES[j]}, which is lost"
        yield from (f"person {n}: {problem}" for problem in _check_silhouette(mine, person))


def _check_silhouette(mine: np.ndarray, person: PersonRecord) -> Iterator[str]:
    rows, columns = np.flatnonzero(mine.any(1)), np.flatnonzero(mine.any(0))
    if len(rows):
        seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        outside = np.maximum(person.bbox_xyxy[:2] - seen[:2], seen[2:] - person.bbox_xyxy[2:]).max()
        if outside > NEAR_PX:
            yield f"the part mask reaches {outside:.0f} px out of the box"
    for layout, points in ((J44, person.keypoints_2d), (LDPOSE25, person.ldpose_2d)):
        for i in np.flatnonzero(points[:, 2] == VISIBLE):
            x, y = (int(v) for v in points[i, :2])
            if 0 <= y < mine.shape[0] and 0 <= x < mine.shape[1]:
                near = mine[max(y - NEAR_PX, 0) : y + NEAR_PX + 1, max(x - NEAR_PX, 0) : x + NEAR_PX + 1]
                if not near.any():
                    yield f"{layout.name} {layout.names[i]} is in sight and not on the person"


def check_twins(record: ImageRecord, twin: ImageRecord) -> Iterator[str]:
    """``twin`` is the intact twin of ``record``: the same but for the levels and what follows from them."""
    if twin.intact_twin is not None:
        yield f"its intact twin {twin.key} names a twin of its own"
    for name in ("scene_id", "photo", "split", "width", "height"):
        if getattr(record, name) != getattr(twin, name):
            yield f"its intact twin {twin.key} has another {name}"
    if len(record.people) != len(twin.people):
        yield f"its intact twin {twin.key} has {len(twin.people)} people, not {len(record.people)}"
        return
    for n, (one, other) in enumerate(zip(record.people, twin.people, strict=True)):
        if any(other.limb_levels):
            yield f"person {n} has lost limbs in the intact twin {twin.key}"
        for name in ("pose_rotvec", "betas", "transl"):
            if not np.array_equal(getattr(one, name), getattr(other, name)):
                yield f"person {n} has another {name} in the intact twin {twin.key}"
        cases = [set(x.hard_cases) - OF_ONE_TWIN for x in (one, other)]
        if cases[0] != cases[1]:
            yield f"person {n} has other hard cases in the intact twin {twin.key}"
        for name in ("camera", "appearance", "body_gender", "pose_source"):
            if getattr(one, name) != getattr(other, name):
                yield f"person {n} has another {name} in the intact twin {twin.key}"
        kept = ~absent_joint_mask(one.limb_levels)
        gap = np.abs(one.joints_3d[kept] - other.joints_3d[kept]).max()
        if gap > SAME_PLACE_M:
            yield f"person {n} has joints {1000 * gap:.1f} mm elsewhere in the intact twin {twin.key}"


def check_backgrounds(
    image: UInt8[np.ndarray, "height width 3"],
    other: UInt8[np.ndarray, "height width 3"],
    anybody: Bool[np.ndarray, "height width"],
) -> Iterator[str]:
    """Away from ``anybody`` (both silhouettes) two twins of one size show the same picture."""
    side = 2 * BACKGROUND_MARGIN_PX + 1
    far = cv2.dilate(anybody.astype(np.uint8), np.ones((side, side), np.uint8)) == 0
    if np.count_nonzero(far) < 256:
        return  # the people fill the picture
    difference = cv2.absdiff(image, other)[far].mean()
    if difference > BACKGROUND_LEVELS:
        yield f"the intact twin's background differs by {difference:.1f} grey levels"
