"""People with 25 keypoints: LDPose's JSON, and COCO's as people who are all intact. No torch.

LDPose's files have traps, and every one of them is found by annotation id (`KeypointAnnotations.problems`):

- ``num_keypoints`` counts the 17 body points only: it is counted again over all of them;
- a point with visibility 0 may carry coordinates: they become 0;
- ``area`` may be the box's, about twice a person's own, which inflates OKS: `AreaMode` chooses;
- visibility 0 means absent, out of the picture or not annotated alike: `presence` says what is known.

Coordinates stay as the file has them, where a keypoint names a pixel by its index; so an evaluation sees the
numbers pycocotools would see. `to_continuous` moves them into this project's frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64, Num

from ajahr.anatomy import COCO17, LDPOSE25, LIMBS
from ajahr.data.ldpose import (
    LIMB_POINTS,
    NUM_INTACT_POINTS,
    NUM_POINTS,
    LimbState,
    limb_states,
    presence_targets,
)
from ajahr.data.readers.people import load_json
from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError

AreaMode = Literal["as_given", "bbox053", "mask"]
"""What OKS takes for a person's area: the file's number, 0.53 of the box (COCO's mean), or the mask's."""
BOX_TO_AREA = 0.53
PROBLEMS: dict[str, str] = {
    "conflicting_limb": "labels of a limb contradict each other; the limb is left out of what is known",
    "outside_image": "keypoints outside the picture, taken for unlabelled",
    "hidden_coordinates": "visibility 0 with coordinates, which were dropped",
    "wrong_count": "num_keypoints is not the number of labelled points; counted again",
    "box_area": "area is the whole box's, which inflates OKS; consider area bbox053 or mask",
    "no_area": "no area, taken as 0.53 of the box",
}
_WHAT = "a COCO-format keypoint file such as LDPose's or person_keypoints_val2017.json"
_ALIASES = {  # names of the authors' development code
    f"{where}_{side}_{joint}_end": f"{side}_{where}_{joint}_res"
    for side in ("left", "right")
    for where in ("above", "below")
    for joint in ("elbow", "knee")
}


@dataclass(frozen=True, eq=False)
class KeypointAnnotations:
    """Everybody in an annotation file, image by image.

    ``points`` is 25, or 17 for COCO's files, whose people are taken for intact and whose eight residual ends are
    unlabelled and known to be absent.
    """

    source: str
    points: int
    image_ids: Int64[np.ndarray, " images"]
    """Ascending."""
    file_names: tuple[str, ...]
    image_sizes: Int64[np.ndarray, "images wh=2"]
    ids: Int64[np.ndarray, " people"]
    image: Int64[np.ndarray, " people"]
    """Row of the person's image."""
    bbox_xywh: Float64[np.ndarray, "people xywh=4"]
    area: Float64[np.ndarray, " people"]
    crowd: Bool[np.ndarray, " people"]
    keypoints: Float64[np.ndarray, "people 25 xyv=3"]
    presence: Int8[np.ndarray, "people 25"]
    """1 exists, 0 does not, -1 not known (`ajahr.data.ldpose.presence_targets`)."""
    problems: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Name out of `PROBLEMS` to the annotations that have it."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_keypoints(self) -> Int64[np.ndarray, " people"]:
        """Labelled points, over all that the file has."""
        return (self.keypoints[..., 2] > 0).sum(1)

    def describe_problems(self, most: int = 5) -> list[str]:
        """A line per kind of problem, with the first annotations that have it."""
        lines = []
        for name, ids in self.problems.items():
            listed = ", ".join(map(str, ids[:most])) + (" ..." if len(ids) > most else "")
            plural = "annotation" if len(ids) == 1 else "annotations"
            lines.append(f"{len(ids)} {plural} with {PROBLEMS[name]}: {listed}")
        return lines

    def conflicts(self) -> list[tuple[int, str]]:
        """Annotation id and limb of every contradiction, to be put right in the file."""
        states = limb_states(self.keypoints[..., 2])
        return [
            (int(self.ids[row]), LIMBS[limb].name.lower())
            for row, limb in zip(*np.nonzero(states == LimbState.CONFLICT), strict=True)
        ]

    def check_images(self, folder: str | Path) -> None:
        """UserError naming the first picture that is not in ``folder``."""
        missing = [name for name in self.file_names if not (Path(folder) / name).is_file()]
        if missing:
            raise UserError(
                f"{Path(folder) / missing[0]}: no such file ({len(missing)} of {len(self.file_names)} pictures of "
                f"{self.source} are missing); check the folder of pictures"
            )


def to_continuous(keypoints: Num[np.ndarray, "*batch xyv=3"]) -> Num[np.ndarray, "*batch xyv=3"]:
    """Pixel indices to continuous coordinates: the centre of a pixel is half a pixel further."""
    moved = keypoints.copy()
    moved[..., :2] += 0.5
    return np.where(keypoints[..., 2:] > 0, moved, keypoints)


def read_ldpose(
    path: str | Path, *, area: AreaMode = "as_given", all_intact: bool | None = None
) -> KeypointAnnotations:
    """People of LDPose's, or of COCO's, keypoint file.

    Args:
        path: the JSON file.
        area: what OKS takes for a person's area.
        all_intact: nobody in it has lost a limb; None takes that of files with COCO's 17 points.

    Raises:
        UserError: the file is missing or not of this format; another number of points than 17 or 25; a category
            or a picture that the file does not list.
    """
    path = Path(path)
    document = load_json(path, _WHAT)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key), list) for key in ("images", "annotations", "categories")
    ):
        raise UserError(f"{path}: no lists 'images', 'annotations' and 'categories' in it; give {_WHAT}")
    category, slots = _category(path, document["categories"])
    known = {entry.get("id") for entry in document["categories"] if isinstance(entry, dict)}
    rows = _images(path, document["images"])
    problems: defaultdict[str, list[int]] = defaultdict(list)
    people = []
    for number, annotation in enumerate(document["annotations"]):
        if not isinstance(annotation, dict):
            raise UserError(f"{path}: annotations[{number}] is no object; mend the file")
        where = f"{path}: annotation {annotation.get('id', f'number {number}')}"
        if annotation.get("category_id", category) not in known:
            raise UserError(
                f"{where} has category {annotation['category_id']}, which the file does not list; mend it"
            )
        if annotation.get("category_id", category) != category:
            continue
        if annotation.get("image_id") not in rows.index:
            raise UserError(
                f"{where} is of image {annotation.get('image_id')}, which the file does not list; mend it"
            )
        people.append(_person(annotation, where, number, rows, slots, area, problems))
    order = np.argsort([person["image"] for person in people], kind="stable")
    people = [people[k] for k in order]
    intact = len(slots) == NUM_INTACT_POINTS if all_intact is None else all_intact
    keypoints = np.array([person["keypoints"] for person in people]).reshape(-1, NUM_POINTS, 3)
    given = np.array([person["presence"] for person in people], np.int8).reshape(-1, NUM_POINTS)
    if intact:
        given[:, :] = [0] * NUM_POINTS
        given[:, :NUM_INTACT_POINTS] = 1
    else:
        states = limb_states(keypoints[..., 2])
        unexplained = (states == LimbState.CONFLICT) & (given[:, LIMB_POINTS] < 0).any(-1)
        problems["conflicting_limb"] = [people[k]["id"] for k in np.flatnonzero(unexplained.any(1))]
    return KeypointAnnotations(
        source=str(path),
        points=len(slots),
        image_ids=rows.ids,
        file_names=rows.names,
        image_sizes=rows.sizes,
        ids=np.array([person["id"] for person in people], np.int64),
        image=np.array([person["image"] for person in people], np.int64),
        bbox_xywh=np.array([person["bbox"] for person in people], np.float64).reshape(-1, 4),
        area=np.array([person["area"] for person in people], np.float64),
        crowd=np.array([person["crowd"] for person in people], bool),
        keypoints=keypoints,
        presence=presence_targets(keypoints[..., 2], given),
        problems={name: tuple(problems[name]) for name in PROBLEMS if problems[name]},
    )


def _category(path: Path, categories: Sequence[Any]) -> tuple[int, list[int]]:
    """Id of the category with keypoints, and the row among the 25 of each of its points."""
    found = [c for c in categories if isinstance(c, dict) and isinstance(c.get("keypoints"), list)]
    if not found:
        raise UserError(f"{path}: no category has keypoints; give {_WHAT}")
    names = [_ALIASES.get(str(name).lower(), str(name).lower()) for name in found[0]["keypoints"]]
    for layout in (LDPOSE25, COCO17):
        if sorted(names) == sorted(layout.names):
            return found[0]["id"], [layout.index[name] for name in names]
    unknown = [name for name in names if name not in LDPOSE25.index]
    what = f"an unknown one ({unknown[0]})" if unknown else "another selection"
    raise UserError(
        f"{path}: category '{found[0].get('name', '')}' has {len(names)} keypoints, {what}; expected LDPose's 25 "
        "or COCO's 17"
    )


@dataclass(frozen=True, eq=False)
class _Images:
    index: dict[Any, int]
    ids: np.ndarray
    names: tuple[str, ...]
    sizes: np.ndarray


def _images(path: Path, images: Sequence[Any]) -> _Images:
    try:
        entries = sorted(
            {int(i["id"]): (str(i["file_name"]), int(i["width"]), int(i["height"])) for i in images}.items()
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: an image lacks id, file_name, width or height as expected ({error}); mend the file"
        ) from None
    ids = np.array([key for key, _ in entries], np.int64)
    sizes = np.array([entry[1:] for _, entry in entries], np.int64).reshape(-1, 2)
    return _Images(
        {key: n for n, (key, _) in enumerate(entries)}, ids, tuple(e[0] for _, e in entries), sizes
    )


def _person(
    annotation: dict[str, Any],
    where: str,
    number: int,
    rows: _Images,
    slots: list[int],
    mode: AreaMode,
    problems: defaultdict[str, list[int]],
) -> dict[str, Any]:
    id_ = annotation.get("id", number)
    if not isinstance(id_, int):
        raise UserError(f"{where}: its id is no whole number; mend the file")
    image = rows.index[annotation["image_id"]]
    flat = _finite(annotation.get("keypoints") or [0] * 3 * len(slots), where, "keypoints")
    if len(flat) != 3 * len(slots):
        raise UserError(
            f"{where} has {len(flat) / 3:g} keypoints where its category has {len(slots)}; mend the file"
        )
    points = np.zeros((NUM_POINTS, 3))
    points[slots] = flat.reshape(-1, 3)
    labelled = points[:, 2] > 0
    if (points[~labelled, :2] != 0).any():
        problems["hidden_coordinates"].append(id_)
    outside = labelled & ((points[:, :2] < 0) | (points[:, :2] > rows.sizes[image])).any(1)
    if outside.any():
        problems["outside_image"].append(id_)
    points[~labelled | outside] = 0
    if annotation.get("num_keypoints", labelled.sum()) != labelled.sum():
        problems["wrong_count"].append(id_)
    bbox = _finite(annotation.get("bbox"), where, "bbox")
    if len(bbox) != 4 or bbox[2:].min() < 0:
        raise UserError(f"{where}: its bbox is not [x, y, width, height]; mend the file")
    crowd = bool(annotation.get("iscrowd"))
    presence = annotation.get("presence", [-1] * NUM_POINTS)
    if not isinstance(presence, list) or len(presence) != NUM_POINTS or not set(presence) <= {-1, 0, 1}:
        raise UserError(f"{where}: its presence is not {NUM_POINTS} numbers out of -1, 0, 1; mend the file")
    area = _area(annotation, where, bbox, mode, tuple(rows.sizes[image].tolist()), problems, id_)
    return {
        "id": id_, "image": image, "bbox": bbox, "crowd": crowd, "keypoints": points, "presence": presence,
        "area": area,
    }  # fmt: skip


def _area(
    annotation: dict[str, Any],
    where: str,
    bbox: np.ndarray,
    mode: AreaMode,
    size: tuple[int, int],
    problems: defaultdict[str, list[int]],
    id_: int,
) -> float:
    box = float(bbox[2] * bbox[3])
    if mode == "mask":
        return _mask_area(annotation.get("segmentation"), where, size)
    if mode == "bbox053":
        return BOX_TO_AREA * box
    value = annotation.get("area")
    if not isinstance(value, int | float) or not np.isfinite(value):
        problems["no_area"].append(id_)
        return BOX_TO_AREA * box
    if box and value == box:
        problems["box_area"].append(id_)
    return float(value)


def _mask_area(value: Any, where: str, size: tuple[int, int]) -> float:
    if isinstance(value, dict):
        rle = Rle.parse(value)
        if rle is not None and (rle.width, rle.height) == size:
            return float(rle.area)
    elif isinstance(value, list) and value:
        total = 0.0
        for polygon in value:
            x, y = _finite(polygon, where, "segmentation").reshape(-1, 2).T
            total += abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        return total
    raise UserError(f"{where} has no mask; choose area as_given or bbox053")


def _finite(value: Any, where: str, what: str) -> np.ndarray:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        array = np.zeros((0, 0))
    if array.ndim != 1 or not np.isfinite(array).all():
        raise UserError(f"{where}: its {what} is not a list of finite numbers; mend the file")
    return array


def category_25() -> dict[str, Any]:
    """The entry of ``categories`` that LDPose's files have; the skeleton counts from 1, as COCO's tools want."""
    return {
        "id": 1,
        "name": "LDHuman",
        "supercategory": "person",
        "keypoints": list(LDPOSE25.names),
        "skeleton": [[a + 1, b + 1] for a, b in LDPOSE25.edges],
    }
