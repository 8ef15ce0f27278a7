"""People in the JSON form of MPII Human Pose: 16 joints, a centre and a scale; no boxes, no picture sizes.

Coordinates count pixels from one, as the MATLAB original does. ``scale`` times 200 is about the person's
height in px.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from ajahr.anatomy import COCO17
from ajahr.data.readers.people import AnnotatedPhotos, PersonAnnotation, Photo, load_json, numbers
from ajahr.errors import UserError

_WHAT = "an MPII annotation file (a list with 'image', 'joints', 'joints_vis', 'center', 'scale')"
JOINT_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
    "neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
    "left_wrist",
)  # fmt: skip
_LICENCE = "MPII Human Pose: non-commercial research"
_SCALE_PX = 200.0
_TO_CONTINUOUS = np.float32(-0.5)
"""Pixel 1 is the first; its centre lies at 0.5."""
_PAD = 0.05
"""Hair, fingers, soles and clothes reach so far beyond the joints, in person heights."""
_BELOW = {"ankle": 0.06, "knee": 0.3, "hip": 0.55}
"""A person whose lowest labelled joint is of this kind reaches so far below it, in person heights."""


def read_mpii(
    path: str | Path, images: str | Path, *, source: str = "mpii", licence: str = ""
) -> AnnotatedPhotos:
    """People of an MPII file; entries of one picture are put together.

    The box is made from the joints, since the format has none: padded, and drawn down where the ankles are
    not labelled.

    Raises:
        UserError: the file is missing or not of this format.
    """
    path, images = Path(path), Path(images)
    document = load_json(path, _WHAT)
    if not isinstance(document, list) or not all(
        isinstance(entry, dict) and "joints" in entry for entry in document
    ):
        raise UserError(f"{path}: not a list of people with 'joints'; give {_WHAT}")
    dropped_people: Counter[str] = Counter()
    dropped_photos: Counter[str] = Counter()
    people: defaultdict[str, list[PersonAnnotation]] = defaultdict(list)
    for number, entry in enumerate(document):
        name = entry.get("image")
        if not isinstance(name, str) or not name or "\0" in name:
            dropped_people["unknown_image"] += 1
            continue
        found = people[name]
        person = _person(entry, number)
        if person is None:
            dropped_people["bad_keypoints"] += 1
        else:
            found.append(person)
    photos = []
    for name, found in people.items():
        if not found:
            dropped_photos["no_usable_person"] += 1
        elif not (images / name).is_file():
            dropped_photos["missing_file"] += 1
        else:
            photos.append(Photo(images / name, name, tuple(found), licence or _LICENCE, None, source))
    return AnnotatedPhotos(tuple(photos), dropped_people, dropped_photos)


def _person(entry: dict[str, Any], number: int) -> PersonAnnotation | None:
    joints = entry["joints"]
    if not isinstance(joints, list) or len(joints) != len(JOINT_NAMES):
        return None
    rows = [numbers(joint, 2) for joint in joints]
    seen = numbers(entry.get("joints_vis"), len(JOINT_NAMES))
    scale = numbers([entry.get("scale")], 1)
    if any(row is None for row in rows) or seen is None or scale is None or scale[0] <= 0:
        return None
    points = np.stack([row for row in rows if row is not None]) + _TO_CONTINUOUS
    # MPII marks joints it could not place by (-1, -1) and visibility 0; a placed hidden joint counts as seen
    labelled = (seen > 0) & (points >= 0).all(axis=1)
    if labelled.sum() < 2:
        return None
    keypoints = np.zeros((len(COCO17), 3), np.float32)
    head_neck = np.zeros((2, 3), np.float32)
    for name, point, good in zip(JOINT_NAMES, points, labelled, strict=True):
        if good and name in COCO17.index:
            keypoints[COCO17.index[name]] = (*point, 2)
        elif good and name in ("head_top", "neck"):
            head_neck[0 if name == "head_top" else 1] = (*point, 2)
    bbox = _box(points, labelled, float(scale[0]) * _SCALE_PX)
    return PersonAnnotation(
        bbox,
        keypoints_coco17=keypoints if keypoints.any() else None,
        head_neck=head_neck if head_neck.any() else None,
        source_id=str(number),
    )


def _box(
    points: Float32[np.ndarray, "16 2"], labelled: np.ndarray, height: float
) -> Float32[np.ndarray, "xyxy=4"]:
    low, high = points[labelled].min(axis=0), points[labelled].max(axis=0)
    below = next(
        (
            reach
            for joint, reach in _BELOW.items()
            if any(labelled[JOINT_NAMES.index(f"{side}_{joint}")] for side in ("left", "right"))
        ),
        _PAD,
    )
    pad = _PAD * height
    lowest = high[1] + max(below * height, pad)
    x0, y0 = np.maximum(low - pad, 0)
    return np.array([x0, y0, max(high[0] + pad, x0 + 1), max(lowest, y0 + 1)], np.float32)
