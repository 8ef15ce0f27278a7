"""People with 25 keypoints as training crops: tables of datasets, chance, and one sample. No torch.

Three kinds of data meet here: our shards, whose 25 points are exact and whose limbs are all known; LDPose's files;
COCO, whose people are intact. A point that is known to be absent is told apart from one that nobody labelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int8, Int64, UInt8

from ajahr.anatomy import LDPOSE25
from ajahr.data.dataset import open_dataset
from ajahr.data.hmr.crops import reduction_for
from ajahr.data.hmr.pictures import PictureStore, decode_reduced
from ajahr.data.ldpose import NUM_INTACT_POINTS, UPPER_BODY, presence_of_levels
from ajahr.data.readers.ldpose import AreaMode, read_ldpose, to_continuous
from ajahr.data.readers.shards import read_shards
from ajahr.errors import UserError
from ajahr.geometry.crops import apply_affine, expand_to_aspect
from ajahr.keypoints.crops import INPUT_SIZE, Place, cut_person

_FLIP = list(LDPOSE25.flip)
HALF_BODY_PADDING = 1.5


@dataclass(frozen=True, eq=False)
class KeypointTable:
    """The people of one dataset."""

    name: str
    boxes_xyxy: Float32[np.ndarray, "people xyxy=4"]
    keypoints: Float32[np.ndarray, "people 25 xyv=3"]
    """px of the picture, continuous; visibility 0, 1 or 2."""
    presence: Int8[np.ndarray, "people 25"]
    """1 exists, 0 does not, -1 not known."""
    ids: np.ndarray
    """Annotation ids, or row numbers of our shards."""
    twins: Int64[np.ndarray, " people"]
    """Row of the same person with every limb; -1: none."""
    where: np.ndarray
    """What `PictureStore` asks of a row: image, file, offset, length."""
    pictures: PictureStore

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def picture(self, row: int, shrink: float) -> tuple[UInt8[np.ndarray, "height width 3"], int]:
        """The picture of a row, decoded at 1/n of its size, and n.

        Args:
            shrink: by how much the crop will shrink it.

        Raises:
            ImageError: it cannot be read.
        """
        where = self.where[row]
        return decode_reduced(self.pictures.read(where), reduction_for(shrink), self.pictures.where(where))


@runtime_checkable
class PeopleTable(Protocol):
    """What a sample is made of: `KeypointTable`, or `ajahr.keypoints.crop_cache.CachedTable`."""

    @property
    def name(self) -> str: ...
    @property
    def boxes_xyxy(self) -> np.ndarray: ...
    @property
    def keypoints(self) -> np.ndarray: ...
    @property
    def presence(self) -> np.ndarray: ...
    @property
    def twins(self) -> np.ndarray: ...
    def __len__(self) -> int: ...
    def picture(self, row: int, shrink: float) -> tuple[np.ndarray, int]: ...


def table_of_shards(folder: str | Path, *, splits: Iterable[str] = ()) -> KeypointTable:
    """Everybody of a generated dataset: 25 exact points, residual ends included, covered ones as visibility 1.

    Args:
        folder: holds dataset.json.
        splits: only people of these splits; empty: all.
    """
    wanted = frozenset(splits)
    people = read_shards(folder, splits=wanted)
    dataset = open_dataset(folder)
    points, boxes = [], []
    for entry in dataset.manifest.shards:
        arrays = dataset.arrays(entry)
        keep = np.array([not wanted or str(split) in wanted for split in arrays["split"]], bool)
        points.append(arrays["keypoints_ldpose25"][keep])
        boxes.append(arrays["bbox_xyxy"][keep])
    if not len(people):
        raise UserError(f"{folder}: nobody in it; check the dataset and the splits")
    presence = presence_of_levels(people.rows["levels"].astype(np.int64))
    rows = people.rows[["image", "file", "offset", "length"]]
    return KeypointTable(
        people.name,
        np.concatenate(boxes),
        np.concatenate(points),
        presence,
        np.arange(len(people)),
        people.twins if people.twins is not None else no_twins(len(people)),
        rows,
        people.pictures,
    )


def table_of_annotations(
    path: str | Path, images: str | Path, *, area: AreaMode = "as_given", all_intact: bool | None = None
) -> KeypointTable:
    """LDPose's or COCO's file: single people with at least one labelled point.

    Raises:
        UserError: as `read_ldpose`; a picture is missing; nobody is labelled.
    """
    found = read_ldpose(path, area=area, all_intact=all_intact)
    found.check_images(images)
    keep = np.flatnonzero(~found.crowd & (found.num_keypoints > 0) & (found.bbox_xywh[:, 2:] > 0).all(1))
    if not len(keep):
        raise UserError(f"{path}: nobody with labelled keypoints in it; check the file")
    boxes = found.bbox_xywh[keep]
    names = [found.file_names[image].encode() for image in found.image[keep]]
    dtype = [("image", f"S{max(map(len, names))}"), ("file", "i4"), ("offset", "i8"), ("length", "i8")]
    rows = np.zeros(len(keep), dtype)
    rows["image"], rows["file"] = names, -1
    return KeypointTable(
        Path(path).stem,
        np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1).astype(np.float32),
        to_continuous(found.keypoints[keep]).astype(np.float32),
        found.presence[keep],
        found.ids[keep],
        no_twins(len(keep)),
        rows,
        PictureStore(images),
    )


def no_twins(people: int) -> Int64[np.ndarray, " people"]:
    """Of a dataset in which everybody stands once."""
    return np.full(people, -1, np.int64)


@dataclass(frozen=True)
class KeypointAugmentation:
    """Chances and ranges; the defaults are ViTPose's (facts: mmpose).

    Args:
        flip_probability: of mirroring; sides change with it.
        half_body_probability: of looking at one half of the body only.
        half_body_points: more than so many points must be accounted for: labelled, or known to be absent, so
            that a lost limb does not keep a person from being cut.
        scale: the crop is multiplied by a factor in 1 -+ scale.
        rotation_probability, rotation_deg: rotation is this x N(0, 1), cut at twice it.
        shift: of the centre, share of the crop, up to it in x and in y.
        colour: each channel is multiplied by U(1 - colour, 1 + colour); ViTPose has none.
    """

    flip_probability: float = 0.5
    half_body_probability: float = 0.3
    half_body_points: int = 8
    scale: float = 0.5
    rotation_probability: float = 0.6
    rotation_deg: float = 40.0
    shift: float = 0.16
    colour: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flip_probability", "half_body_probability", "rotation_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is a chance, 0..1, not {getattr(self, name)}")
        for name in ("scale", "shift", "colour"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} is 0 or more and below 1, not {getattr(self, name)}")


def half_body(
    keypoints: Float32[np.ndarray, "25 xyv=3"],
    presence: Int8[np.ndarray, "25"],
    upper: bool,
    points: int = KeypointAugmentation.half_body_points,
) -> Place | None:
    """A crop of the labelled points of one half of the body; None where it would show too little.

    Args:
        upper: which half is tried first; the other stands in for it.
        points: more than so many of COCO's 17 must be accounted for.
    """
    labelled = keypoints[:, 2] > 0
    accounted = (labelled | (presence == 0))[:NUM_INTACT_POINTS]
    if accounted.sum() <= points:
        return None
    for half in (UPPER_BODY, ~UPPER_BODY) if upper else (~UPPER_BODY, UPPER_BODY):
        chosen = keypoints[half & labelled, :2].astype(np.float64)
        if len(chosen) < 3:
            continue
        low, high = chosen.min(0), chosen.max(0)
        size = expand_to_aspect(np.maximum(high - low, 1.0), (INPUT_SIZE[1], INPUT_SIZE[0]))
        return Place((low + high) / 2, size * HALF_BODY_PADDING)
    return None


def draw_place(
    rng: np.random.Generator,
    config: KeypointAugmentation,
    box_xyxy: Float32[np.ndarray, "xyxy=4"],
    keypoints: Float32[np.ndarray, "25 xyv=3"],
    presence: Int8[np.ndarray, "25"],
) -> Place:
    """Where one training crop looks. The numbers drawn are the same whatever they decide."""
    uniform, normal = rng.random(7), float(rng.standard_normal())
    place = Place.of_box(box_xyxy)
    if uniform[0] < config.half_body_probability:
        place = half_body(keypoints, presence, bool(uniform[1] < 0.5), config.half_body_points) or place
    rotation = 0.0
    if uniform[2] < config.rotation_probability:
        rotation = float(np.deg2rad(config.rotation_deg * np.clip(normal, -2, 2)))
    shift = config.shift * (2 * uniform[3:5] - 1) * place.size
    scale = 1 + config.scale * (2 * uniform[5] - 1)
    return replace(
        place,
        centre=place.centre + shift,
        size=place.size * scale,
        rotation=rotation,
        flip=bool(uniform[6] < config.flip_probability),
    )


@dataclass(frozen=True, eq=False)
class KeypointSample:
    """One crop and what is known of it."""

    pixels: UInt8[np.ndarray, "256 192 3"]
    points: Float32[np.ndarray, "25 xy=2"]
    """px of the crop, continuous; 0 where not labelled."""
    visibility: Int8[np.ndarray, "25"]
    presence: Int8[np.ndarray, "25"]
    row: int


def make_sample(
    table: PeopleTable,
    row: int,
    rng: np.random.Generator,
    augmentation: KeypointAugmentation | None,
    *,
    placed_by: int | None = None,
) -> KeypointSample:
    """The crop of one person.

    Args:
        rng: of the augmentation; used for nothing else.
        augmentation: None for the box as it is.
        placed_by: the row whose box and keypoints say where the crop looks, where it is another one's: a twin's.

    Raises:
        ImageError: the picture cannot be read.
    """
    keypoints, presence = table.keypoints[row], table.presence[row]
    colour, placer = None, row if placed_by is None else placed_by
    if augmentation is None:
        place = Place.of_box(table.boxes_xyxy[placer])
    else:
        place = draw_place(
            rng, augmentation, table.boxes_xyxy[placer], table.keypoints[placer], table.presence[placer]
        )
        colour = 1 + augmentation.colour * (2 * rng.random(3) - 1)
    image, reduction = table.picture(row, 1 / float(place.zoom.max()))
    pixels = cut_person(image, place, reduction=reduction)
    if colour is not None and augmentation is not None and augmentation.colour:
        pixels = np.clip(pixels * colour, 0, 255).astype(np.uint8)
    visibility = keypoints[:, 2].astype(np.int8)
    points = apply_affine(place.affine(), keypoints[:, :2].astype(np.float64)).astype(np.float32)
    if place.flip:
        points, visibility, presence = points[_FLIP], visibility[_FLIP], presence[_FLIP]
    points = np.where(visibility[:, None] > 0, points, np.float32(0))
    return KeypointSample(pixels, points, visibility, presence, row)
