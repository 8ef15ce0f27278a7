"""People given in a JSON file. Five forms are read::

    {"street.jpg": [[x0, y0, x1, y1], ...], ...}                                      boxes
    {"street.jpg": [{"bbox_xyxy": [...], "keypoints": [[x, y, confidence] x 17], "score": 1}, ...], ...}
    {"images": [...], "annotations": [...], ...}                                      COCO annotations
    [{"image_id": 785, "bbox": [x, y, w, h], "score": 0.98, "keypoints": [51 numbers]}, ...]   COCO results
    [{"image": "1.jpg", "joints": [[x, y] x 16], "joints_vis": [...], "center": [...], "scale": 2.1}, ...]   MPII

Keypoints may be LDPose's 25 (75 numbers): the last eight are ends of residual limbs.

The first two are px in continuous coordinates: pixel (row i, column j) covers [j, j+1) x [i, i+1). A person
given with keypoints and no box gets one around the confident ones. Frames of a video have their numbers, from
0, for names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.anatomy import COCO17, LDPOSE25
from ajahr.data.images import LoadedImage
from ajahr.data.readers.coco import read_coco
from ajahr.data.readers.mpii import read_mpii
from ajahr.data.readers.people import AnnotatedPhotos, Photo, load_json, numbers
from ajahr.errors import UserError
from ajahr.geometry.crops import box_from_points
from ajahr.inference.people import People

_WHAT = 'people as JSON: {"street.jpg": [[x0, y0, x1, y1]]}, COCO annotations or results, or MPII'
_COCO_CENTRE = 0.5  # COCO's keypoints name a pixel, whose centre lies half a pixel further


class GivenPeople:
    """The people of a file, by picture.

    Args:
        path: the JSON file.
        images: folder of the pictures; names in the file are relative to it.
        min_score: people with a lower score are left out.

    Raises:
        UserError: the file is missing, of none of the forms, or not one entry in it can be used.
    """

    def __init__(self, path: str | Path, images: str | Path = ".", *, min_score: float = 0.0) -> None:
        self.path, self._images, self._min_score = Path(path), Path(images), min_score
        self.dropped: Counter[str] = Counter()
        self._people: dict[str, People] = {}
        self._photos: dict[Path, Photo] = {}
        document = load_json(self.path, _WHAT)
        if isinstance(document, dict) and "annotations" in document and "images" in document:
            self._read_annotated(read_coco(self.path, self._images))
        elif isinstance(document, dict) and all(isinstance(value, list) for value in document.values()):
            for name, entries in document.items():
                self._people[_plain(name)] = self._gather([self._own(entry) for entry in entries])
        elif isinstance(document, list) and all(isinstance(e, dict) and "image_id" in e for e in document):
            self._read_results(document)
        elif isinstance(document, list) and all(isinstance(e, dict) and "joints" in e for e in document):
            self._read_annotated(read_mpii(self.path, self._images))
        else:
            raise UserError(f"{self.path}: none of the forms that are read; give {_WHAT}")
        if self.dropped and not len(self):
            reasons = ", ".join(f"{reason} {count}" for reason, count in self.dropped.items())
            raise UserError(f"{self.path}: not one person in it can be used ({reasons}); give {_WHAT}")

    def __len__(self) -> int:
        """People in all pictures."""
        return sum(map(len, self._people.values())) + sum(len(p.people) for p in self._photos.values())

    def of(self, path: str | Path, image: LoadedImage | None = None) -> People | None:
        """The people of a picture, in px of its full upright size; None if the file does not name it.

        Args:
            path: the picture; its name relative to the folder, then its bare name, then (COCO results) its
                number are looked for. For a frame of a video, its number.
            image: as loaded: COCO annotations may refer to the picture before its EXIF orientation.
        """
        path = Path(path)
        photo = self._photos.get(path.resolve())
        if photo is not None:
            return self._annotated(photo, image)
        names = [path.name, path.stem, path.stem.lstrip("0") or "0"]
        if path.is_relative_to(self._images):
            names.insert(0, path.relative_to(self._images).as_posix())
        return next((self._people[name] for name in names if name in self._people), None)

    def _annotated(self, photo: Photo, image: LoadedImage | None) -> People:
        found = photo.people if image is None else photo.people_in(image)
        if found is None:
            raise UserError(
                f"{photo.path}: another size than {self.path} gives it; are these its photographs?"
            )
        found = [person for person in found if not person.crowd]
        keypoints = np.zeros((len(found), len(COCO17), 3), np.float32)
        for row, person in zip(keypoints, found, strict=True):
            if person.keypoints_coco17 is not None:
                row[:, :2], row[:, 2] = person.keypoints_coco17[:, :2], person.keypoint_confidence
        return People.of([person.bbox_xyxy.tolist() for person in found], None, keypoints)

    def _read_annotated(self, found: AnnotatedPhotos) -> None:
        self._photos = {photo.path.resolve(): photo for photo in found.photos}
        self.dropped += found.dropped_people

    def _read_results(self, document: list[dict[str, Any]]) -> None:
        rows: defaultdict[str, list[Any]] = defaultdict(list)
        for entry in document:
            if entry.get("category_id", 1) != 1:
                continue
            keypoints = None
            if "keypoints" in entry:
                flat = numbers(entry["keypoints"], 3 * len(COCO17))
                flat = numbers(entry["keypoints"], 3 * len(LDPOSE25)) if flat is None else flat
                if flat is None:
                    self.dropped["bad_keypoints"] += 1
                    continue
                keypoints = flat.reshape(-1, 3) + np.array([_COCO_CENTRE, _COCO_CENTRE, 0], np.float32)
            xywh = numbers(entry.get("bbox"), 4) if "bbox" in entry else None
            box = None if xywh is None else np.concatenate([xywh[:2], xywh[:2] + xywh[2:]])
            rows[_plain(str(entry["image_id"]))].append(self._person(box, entry.get("score", 1), keypoints))
        self._people = {name: self._gather(people) for name, people in rows.items()}

    def _own(self, entry: Any) -> tuple[np.ndarray, float, np.ndarray] | None:
        """A person of the first two forms."""
        if not isinstance(entry, dict):
            box = numbers(entry)
            score = float(box[4]) if box is not None and len(box) == 5 else 1.0
            return self._person(None if box is None or len(box) not in (4, 5) else box[:4], score, None)
        try:
            keypoints = np.asarray(entry["keypoints"], np.float32) if entry.get("keypoints") else None
        except (TypeError, ValueError):
            keypoints = np.zeros((0, 3), np.float32)
        return self._person(
            numbers(entry.get("bbox_xyxy", entry.get("bbox")), 4), entry.get("score", 1), keypoints
        )

    def _person(
        self, box: np.ndarray | None, score: Any, keypoints: np.ndarray | None
    ) -> tuple[np.ndarray, float, np.ndarray] | None:
        """Box, score and keypoints of one person; None, counted, if they are of no use."""
        if keypoints is not None:
            if (
                keypoints.shape not in ((len(COCO17), 3), (len(LDPOSE25), 3))
                or not np.isfinite(keypoints).all()
            ):
                self.dropped["bad_keypoints"] += 1
                return None
            keypoints[:, 2] = np.clip(keypoints[:, 2], 0, 1)  # COCO's visibility 2 is sure
            if box is None and (keypoints[:, 2] > 0).sum() >= 2:
                centre, size = box_from_points(keypoints[keypoints[:, 2] > 0, :2])
                box = np.concatenate([centre - size / 2, centre + size / 2]).astype(np.float32)
        value = numbers([score], 1)
        if box is None or value is None:
            self.dropped["bad_box"] += 1
        elif (box[2:] - box[:2]).min() <= 0:
            self.dropped["empty_box"] += 1
        elif value[0] >= self._min_score:
            points = np.zeros((len(LDPOSE25), 3), np.float32)
            if keypoints is not None:
                points[: len(keypoints)] = keypoints
            return box, float(value[0]), points
        return None

    @staticmethod
    def _gather(rows: list[tuple[np.ndarray, float, np.ndarray] | None]) -> People:
        good = [row for row in rows if row is not None]
        if not good:
            return People.nobody()
        boxes, scores, keypoints = zip(*good, strict=True)
        return People.of(np.stack(boxes), list(scores), np.stack(keypoints))


def _plain(name: str) -> str:
    """A name as `GivenPeople.of` looks for it: forward slashes; numbers without leading zeros."""
    name = name.replace("\\", "/").removeprefix("./")
    return str(int(name)) if name.isdecimal() else name
