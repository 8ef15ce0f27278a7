"""What a reader returns: photographs and the people annotated in them.

Readers never give up a whole file for one bad entry: the person or the photograph is left out and its reason
counted. Coordinates are continuous: pixel (row i, column j) covers [j, j+1) x [i, i+1).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from ajahr.anatomy import COCO17
from ajahr.data.images import MIRRORED_ORIENTATIONS, LoadedImage, upright_array, upright_points
from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError

OCCLUDED_CONFIDENCE = 0.5
"""Confidence of a keypoint somebody labelled without seeing it (COCO's visibility 1)."""


@dataclass(frozen=True, eq=False)
class PersonAnnotation:
    """One annotated person, or a region of a crowd.

    Attributes:
        bbox_xyxy: px, inside the picture as far as its size is known.
        polygons: Outlines in px; the person covers their union. Empty when there is no outline.
        rle: Mask of the whole picture, when the annotation has one.
        keypoints_coco17: (x, y, visibility): 0 not labelled, 1 labelled but hidden, 2 seen.
        head_neck: Top of the head and upper neck in the same form, from formats that have them instead of a
            face (J44's ``head_top_lsp`` and ``neck_lsp``).
        crowd: A region of many people instead of one person.
        source_id: The annotation's own number in its file.
    """

    bbox_xyxy: Float32[np.ndarray, "xyxy=4"]
    polygons: tuple[Float32[np.ndarray, "_ xy=2"], ...] = ()
    rle: Rle | None = None
    keypoints_coco17: Float32[np.ndarray, "17 3"] | None = None
    head_neck: Float32[np.ndarray, "2 3"] | None = None
    crowd: bool = False
    source_id: str = ""

    @property
    def keypoint_confidence(self) -> Float32[np.ndarray, "keypoints=17"]:
        """1 for seen keypoints, `OCCLUDED_CONFIDENCE` for labelled hidden ones, 0 for the rest."""
        if self.keypoints_coco17 is None:
            return np.zeros(len(COCO17), np.float32)
        return np.array([0.0, OCCLUDED_CONFIDENCE, 1.0], np.float32)[self.keypoints_coco17[:, 2].astype(int)]

    def scaled(self, factor_x: float, factor_y: float) -> PersonAnnotation:
        """The person after the picture was resized. The mask keeps its own resolution."""
        factors = np.array([factor_x, factor_y], np.float32)
        return self._moved(lambda points: points * factors)

    def upright(self, orientation: int, stored_size: tuple[int, int]) -> PersonAnnotation:
        """The person after the picture was turned as its EXIF orientation says.

        In a mirrored stored picture the annotator saw left and right swapped; they are swapped back.
        """
        moved = self._moved(
            lambda points: upright_points(points, orientation, stored_size).astype(np.float32)
        )
        if self.rle is not None:
            moved = replace(moved, rle=Rle.encode(upright_array(self.rle.decode(), orientation)))
        if moved.keypoints_coco17 is not None and orientation in MIRRORED_ORIENTATIONS:
            moved = replace(moved, keypoints_coco17=moved.keypoints_coco17[list(COCO17.flip)])
        return moved

    def _moved(self, move) -> PersonAnnotation:
        corners = move(self.bbox_xyxy.reshape(2, 2))
        bbox = np.concatenate([corners.min(0), corners.max(0)])

        def keypoints(array: np.ndarray | None) -> np.ndarray | None:
            if array is None:
                return None
            found = np.concatenate([move(array[:, :2]), array[:, 2:]], axis=1)
            found[array[:, 2] == 0] = 0
            return found

        return replace(
            self,
            bbox_xyxy=bbox,
            polygons=tuple(move(polygon) for polygon in self.polygons),
            keypoints_coco17=keypoints(self.keypoints_coco17),
            head_neck=keypoints(self.head_neck),
        )


@dataclass(frozen=True, eq=False)
class Photo:
    """One photograph and the people known to be in it.

    Attributes:
        path: The file; not opened by the reader.
        image_id: The picture's name in its annotation file.
        people: Everybody annotated, crowds included.
        licence: One line.
        size: (width, height) the annotations refer to, where the file says it.
        source: Name of the dataset.
    """

    path: Path
    image_id: str
    people: tuple[PersonAnnotation, ...]
    licence: str = ""
    size: tuple[int, int] | None = None
    source: str = ""

    def people_in(self, image: LoadedImage) -> tuple[PersonAnnotation, ...] | None:
        """The people in coordinates of the upright picture; None when the annotations are of another size.

        Tools of today annotate what they show, the upright picture; older ones showed the stored one. The
        size in the annotation file tells which. Where it cannot (half-turns, mirrors, squares, no size),
        upright is meant.
        """
        if self.size in (None, image.full_size):
            return self.people
        if image.orientation >= 5 and self.size == image.stored_size:
            return tuple(person.upright(image.orientation, image.stored_size) for person in self.people)
        return None


@dataclass(frozen=True)
class AnnotatedPhotos:
    """Everything a file holds that can be used, and a count per reason of what cannot.

    Attributes:
        photos: In the order of the file.
        dropped_people: Reason to number of people. ``bad_box`` (not four finite numbers), ``empty_box``,
            ``outside_image``, ``unknown_image`` (no such picture in the file), ``bad_annotation``.
            ``bad_keypoints`` and ``bad_mask`` count people who were kept without their keypoints or mask;
            only MPII, where nothing else says where a person is, drops people for ``bad_keypoints``.
        dropped_photos: Reason to number of photographs: ``missing_file``, ``no_usable_person``,
            ``bad_entry``.
    """

    photos: tuple[Photo, ...]
    dropped_people: Counter[str] = field(default_factory=Counter)
    dropped_photos: Counter[str] = field(default_factory=Counter)


def load_json(path: Path, what: str) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the path of {what}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of {what}") from None
    except (ValueError, RecursionError) as error:  # also UnicodeDecodeError
        raise UserError(f"{path}: not a JSON file ({error}); give the path of {what}") from None


def numbers(value: Any, count: int | None = None) -> np.ndarray | None:
    """A flat float32 array of finite numbers (``count`` of them), or None."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
    if array.ndim != 1 or (count is not None and len(array) != count):
        return None
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    return array if np.isfinite(array).all() else None


def check_box(
    box_xyxy: Float32[np.ndarray, "xyxy=4"], size: tuple[int, int] | None
) -> tuple[Float32[np.ndarray, "xyxy=4"] | None, str]:
    """The box cut at the border of the picture, or None and the reason it is of no use."""
    if (box_xyxy[2:] - box_xyxy[:2]).min() <= 0:
        return None, "empty_box"
    if size is not None:
        limit = np.array([*size, *size], np.float32)
        box_xyxy = np.clip(box_xyxy, np.float32(0), limit)
        if (box_xyxy[2:] - box_xyxy[:2]).min() < 1:
            return None, "outside_image"
    return box_xyxy, ""


def keep_inside(
    keypoints: Float32[np.ndarray, "k 3"], size: tuple[int, int] | None
) -> Float32[np.ndarray, "k 3"]:
    """Keypoints with visibility 0, 1 or 2; those outside the picture or unlabelled become (0, 0, 0)."""
    keypoints = keypoints.copy()
    keypoints[:, 2] = np.clip(np.round(keypoints[:, 2]), 0, 2)
    out = keypoints[:, 2] == 0
    out |= (keypoints[:, :2] < 0).any(axis=1)
    if size is not None:
        out |= (keypoints[:, :2] > np.array(size)).any(axis=1)
    keypoints[out] = 0
    return keypoints
