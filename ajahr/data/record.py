"""The record: what is known of every picture and every person in it, and its JSON.

One `ImageRecord` per picture, one `PersonRecord` per person. Metres, radians, pixels; the camera frame is
OpenCV's (x right, y down, z forward); pixels are continuous (`ajahr.geometry.cameras`).

Bytes are stable: every float is rounded to a fixed number of decimals before it is written (`DECIMALS` of
`ajahr.data.fields`), keys keep one order, NaN and infinity are refused. Rounding moves a reprojected keypoint by under
0.01 px, against the 0.5 px that ``ajahr-synth verify`` allows. Reading is strict: a missing key, an unknown key or a
schema version that is not known is a `UserError` that names the file and the key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Float

from ajahr.anatomy import (
    LDPOSE25,
    LIMBS,
    NUM_LIMBS,
    Level,
    levels_to_indices,
    residual_end,
)
from ajahr.data.fields import SCHEMA_VERSION, FieldReader, parse_json, rounded
from ajahr.data.residual_end import ResidualEnd, ldpose_3d, read_residual_end, residual_end_dict
from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat

ABSENT, OCCLUDED, VISIBLE = 0, 1, 2
"""Visibility of a 2D keypoint. ABSENT: it does not exist or has no label, and is (0, 0, 0). OCCLUDED: its
place is known, and it is covered or outside the picture. VISIBLE: it is in sight."""
KEY_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""A sample key has no dot: WebDataset ends the key at the first one."""
GENDERS = ("female", "male", "neutral")
POSE_KINDS = ("sampled", "fitted", "captured")


HARD_CASES = (
    "occluded_object",  # an object was put before one of the limbs
    "occluded_person",  # somebody else was
    "border",  # one of the limbs was moved out of the picture
    "self_occlusion",  # a whole limb is behind the person's own body
    "wheelchair",
    "crutches",
    "prosthesis",
)
"""What makes a person hard to read, besides what is lost. `PersonRecord.limb_status` says what it did to whom:
a limb before which something stands may still be in sight in part."""
PROSTHESES: dict[str, tuple[bool, int]] = {
    "cosmetic_hand": (True, Level.HAND),
    "cosmetic_arm": (True, Level.ELBOW),
    "foot": (False, Level.FOOT),
    "pylon_foot": (False, Level.KNEE),
    "blade": (False, Level.KNEE),
}
"""Kinds of prosthesis: whether on an arm, and the level of the limb that it replaces."""


class LimbStatus(StrEnum):
    """What holds for one limb. Later versions may add states; a reader that does not know one says so."""

    INTACT = "intact"
    OCCLUDED = "occluded"  # whole, and covered or out of the picture: the hard negative
    AMPUTATED = "amputated"
    PROSTHESIS = "prosthesis"  # amputated all the same, and something is worn on the residual limb


@dataclass(frozen=True)
class Appearance:
    """How a person looks: ``group`` is one of the seven of A3D's proportions."""

    group: str
    gender: str
    texture_id: str


@dataclass(frozen=True)
class PoseSource:
    """Where a pose is from: ``sampled`` from a family (its name), ``fitted`` to somebody in a photo, or ``captured``
    by motion capture (the name of the source)."""

    kind: str
    name: str


@dataclass(frozen=True)
class SourcePhoto:
    """The photograph that gave the pixels around the people, and the note on its licence."""

    id: str
    licence: str


@dataclass(frozen=True, eq=False)
class PersonRecord:
    """One person. Compare records by their JSON (`encode_record`)."""

    bbox_xyxy: Float[np.ndarray, "xyxy=4"]
    """Box of the rendered body, occluded parts included, px; may reach outside the picture."""
    pose_rotvec: Float[np.ndarray, "joints=24 3"]
    """Rotation vectors, rad: row 0 is global_orient (body to camera frame), 1..23 body_pose. Absent joints
    keep theirs, as sampled or fitted; what is rendered has zero matrices there, by `limb_levels`."""
    betas: Float[np.ndarray, "betas=10"]
    body_gender: str
    """Which body file was posed: female, male or neutral."""
    transl: Float[np.ndarray, "xyz=3"]
    """SMPL's translation, m: camera-frame joints are the posed body's plus this."""
    camera: Camera
    """Of the whole image; with ``weak_depth`` the person was drawn by weak perspective."""
    keypoints_2d: Float[np.ndarray, "j44=44 3"]
    """x, y (px) and visibility, in the 44-joint layout."""
    ldpose_2d: Float[np.ndarray, "ldpose25=25 3"]
    """x, y (px) and visibility, in LDPose's 25: COCO's 17 and the residual-limb ends."""
    joints_3d: Float[np.ndarray, "joints=24 3"]
    """Joints of the rendered body, camera frame, m; absent ones lie on their amputation joint."""
    keypoints_3d: Float[np.ndarray, "j44=44 3"]
    """The 44 keypoints of the rendered body, camera frame, m; those of absent parts stay."""
    limb_levels: tuple[int, ...]
    limb_status: tuple[LimbStatus, ...]
    occluded: tuple[bool, ...]
    """Per limb: is a part of it that exists covered or outside the picture?"""
    residual_length: tuple[float | None, ...]
    """Per limb, m: from the joint above to the end of the residual limb; None without a residual limb."""
    appearance: Appearance
    pose_source: PoseSource
    hard_cases: tuple[str, ...] = ()
    """Names out of `HARD_CASES`, in its order."""
    prosthesis: tuple[str | None, ...] = (None,) * NUM_LIMBS
    """Per limb, which of `PROSTHESES` is worn; the limb's level says what is lost all the same."""
    residual_limbs: tuple[ResidualEnd | None, ...] = (None,) * NUM_LIMBS
    """Per limb, where it ends inside a bone; None: whole, or lost at a joint. Its level is that of the joint below."""

    @property
    def ajahr_index(self) -> tuple[int, ...]:
        """All AJAHR-Indices, ascending; ``(12,)`` for an intact person."""
        return levels_to_indices(self.limb_levels)

    @property
    def fractions(self) -> tuple[float, ...]:
        """Lambda per limb where it ends inside a bone; 0 elsewhere, as at the joint of a joint-level loss."""
        return tuple(0.0 if one is None else one.fraction for one in self.residual_limbs)

    @property
    def ldpose_3d(self) -> Float[np.ndarray, "ldpose25=25 3"]:
        """LDPose's 25 points, camera frame, m; NaN where a residual-limb end does not exist."""
        ends = [None if one is None else one.end_3d for one in self.residual_limbs]
        return ldpose_3d(self.keypoints_3d, self.joints_3d, self.limb_levels, ends)

    @property
    def residual_lambda(self) -> Float[np.ndarray, "segments=8"]:
        """Lambda by LDPose's eight ends, NaN where a limb does not end; a loss at a joint is 0 of the bone above."""
        found = np.full(len(LDPOSE25.residual), np.nan)
        for limb in LIMBS:
            name = residual_end(limb, self.limb_levels[limb])
            if name is not None:
                found[LDPOSE25.index[name] - LDPOSE25.residual[0]] = self.fractions[limb]
        return found

    @property
    def coco_2d(self) -> Float[np.ndarray, "coco17=17 3"]:
        """x, y (px) and visibility of COCO's 17."""
        return self.ldpose_2d[:17]

    @property
    def T_cam_root(self) -> Float[np.ndarray, "4 4"]:
        """Pose of the root joint in the camera frame."""
        T = np.eye(4)
        T[:3, :3] = rotvec_to_rotmat(np.asarray(self.pose_rotvec[0], np.float64))
        T[:3, 3] = self.joints_3d[0]
        return T


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One picture."""

    key: str
    """Name of the sample, unique in the dataset."""
    scene_id: str
    """The scene; a picture and its intact twin share it."""
    intact_twin: str | None
    """Key of this picture's intact twin; None in the twin itself and where no twin was made."""
    split: str
    width: int
    height: int
    photo: SourcePhoto
    people: tuple[PersonRecord, ...]
    """At most seven, as the part mask has room for (`ajahr.data.mask`); twins have the same people."""


# --------------------------------------------------------------------------------------------------- JSON


_ARRAYS: dict[str, tuple[tuple[int, ...], str]] = {
    "bbox_xyxy": ((4,), "px"),
    "pose_rotvec": ((24, 3), "rad"),
    "betas": ((10,), "betas"),
    "transl": ((3,), "m"),
    "keypoints_2d": ((44, 3), "px"),
    "ldpose_2d": ((25, 3), "px"),
    "joints_3d": ((24, 3), "m"),
    "keypoints_3d": ((44, 3), "m"),
}


def _person_dict(person: PersonRecord) -> dict[str, Any]:
    camera = person.camera
    arrays = {name: rounded(getattr(person, name), unit) for name, (_, unit) in _ARRAYS.items()}
    return {
        **arrays,
        "body_gender": person.body_gender,
        "camera": {
            "focal_length": rounded(camera.focal_length, "focal"),
            "principal_point": rounded(camera.principal_point, "px"),
            "weak_depth": None if camera.weak_depth is None else rounded(camera.weak_depth, "m"),
        },
        "limb_levels": [int(level) for level in person.limb_levels],
        "limb_status": [str(status) for status in person.limb_status],
        "ajahr_index": list(person.ajahr_index),
        "occluded": [bool(flag) for flag in person.occluded],
        "residual_length": [None if x is None else rounded(x, "m") for x in person.residual_length],
        "appearance": dict(vars(person.appearance)),
        "pose_source": dict(vars(person.pose_source)),
        "hard_cases": list(person.hard_cases),
        "prosthesis": list(person.prosthesis),
        "residual_limbs": [None if one is None else residual_end_dict(one) for one in person.residual_limbs],
    }


def encode_record(record: ImageRecord) -> bytes:
    """The record as UTF-8 JSON, one line; the same record gives the same bytes on every machine."""
    if KEY_PATTERN.fullmatch(record.key) is None:
        raise ValueError(f"a sample key is letters, digits, '_' and '-', got {record.key!r}")
    for person in record.people:
        if (person.camera.width, person.camera.height) != (record.width, record.height):
            raise ValueError(f"{record.key}: a person's camera has another size than the picture")
    tree = {
        "schema_version": SCHEMA_VERSION,
        "key": record.key,
        "scene_id": record.scene_id,
        "intact_twin": record.intact_twin,
        "split": record.split,
        "width": int(record.width),
        "height": int(record.height),
        "photo": dict(vars(record.photo)),
        "people": [_person_dict(person) for person in record.people],
    }
    text = json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _float_or_none(value: float | int | None) -> float | None:
    return None if value is None else float(value)  # JSON of other writers may say 3 for 3.0


def _read_person(fields: FieldReader, width: int, height: int, version: int) -> PersonRecord:
    arrays = {name: fields.take_array(name, shape) for name, (shape, _) in _ARRAYS.items()}
    camera = fields.object("camera")
    try:
        person_camera = Camera(
            width,
            height,
            float(camera.take("focal_length", float)),
            tuple(camera.take_array("principal_point", (2,)).tolist()),
            _float_or_none(camera.take("weak_depth", float, type(None))),
        )
    except ValueError as error:
        raise UserError(f"{camera.where}: {error}; remake this file") from None
    camera.done()
    levels = tuple(fields.take_list("limb_levels", NUM_LIMBS, int))
    try:
        indices = levels_to_indices(levels)
    except ValueError as error:
        raise fields.fail("limb_levels", str(error)) from None
    if tuple(fields.take("ajahr_index", list)) != indices:
        raise fields.fail("ajahr_index", f"does not follow from limb_levels, which give {list(indices)}")
    status = fields.take_list("limb_status", NUM_LIMBS, str)
    for name in status:
        if name not in list(LimbStatus):
            raise fields.fail("limb_status", f"has the state {name!r}, which this version does not know")
    cases, worn = [], [None] * NUM_LIMBS
    if version >= 2:
        cases = fields.take("hard_cases", list)
        if cases != [name for name in HARD_CASES if name in cases]:
            raise fields.fail("hard_cases", f"is {cases}, expected names out of {', '.join(HARD_CASES)}")
        worn = fields.take_list("prosthesis", NUM_LIMBS, str, type(None))
        for kind in worn:
            if kind is not None and kind not in PROSTHESES:
                raise fields.fail("prosthesis", f"has the kind {kind!r}, which this version does not know")
    residual = [None] * NUM_LIMBS
    if version >= 3:
        trees = fields.take_list("residual_limbs", NUM_LIMBS, dict, type(None))
        where = f"{fields.where}: residual_limbs"
        residual = [
            None
            if tree is None
            else read_residual_end(FieldReader(tree, f"{where}[{limb}]"), limb, levels[limb])
            for limb, tree in enumerate(trees)
        ]
    appearance, source = fields.object("appearance"), fields.object("pose_source")
    person = PersonRecord(
        **arrays,
        body_gender=fields.take_choice("body_gender", GENDERS),
        camera=person_camera,
        limb_levels=levels,
        limb_status=tuple(LimbStatus(name) for name in status),
        occluded=tuple(fields.take_list("occluded", NUM_LIMBS, bool)),
        residual_length=tuple(
            _float_or_none(x) for x in fields.take_list("residual_length", NUM_LIMBS, float, type(None))
        ),
        appearance=Appearance(
            appearance.take("group", str),
            appearance.take_choice("gender", GENDERS),
            appearance.take("texture_id", str),
        ),
        pose_source=PoseSource(source.take_choice("kind", POSE_KINDS), source.take("name", str)),
        hard_cases=tuple(cases),
        prosthesis=tuple(worn),
        residual_limbs=tuple(residual),
    )
    for reader in (appearance, source, fields):
        reader.done()
    return person


def decode_record(data: bytes, where: str) -> ImageRecord:
    """The record in ``data``.

    Args:
        data: bytes of a KEY.json.
        where: name of the file, for the errors.

    Raises:
        UserError: it is not JSON, of another schema version, or a key is missing, unknown or wrong.
    """
    fields = FieldReader(parse_json(data, where), where)
    version = fields.take_version()
    width, height = fields.take("width", int), fields.take("height", int)
    if width <= 0 or height <= 0:
        raise fields.fail("width", f"and 'height' are {width} x {height}")
    photo = fields.object("photo")
    record = ImageRecord(
        key=fields.take("key", str),
        scene_id=fields.take("scene_id", str),
        intact_twin=fields.take("intact_twin", str, type(None)),
        split=fields.take("split", str),
        width=width,
        height=height,
        photo=SourcePhoto(photo.take("id", str), photo.take("licence", str)),
        people=tuple(
            _read_person(FieldReader(tree, f"{where}: people[{i}]"), width, height, version)
            for i, tree in enumerate(fields.take("people", list))
        ),
    )
    photo.done()
    fields.done()
    return record
