"""People to measure residual limbs on: 17 body points, 8 residual ends, masks, and 3D truth where data are generated.

    people = read_limbloss("limbloss.json", "images")       LDPose-LimbLoss's 255 pictures
    people = read_residual_shards("data/residual/test")     a dataset of ajahr-synth
    people = read_progait("ProGait")                        `ajahr.data.readers.progait`

LDPose-LimbLoss is not public; of its layout the paper says 17 + 8 points and a mask per person (ResiHMR, Sec. 4).
Inferred: LDPose's own JSON, with the mask as COCO's ``segmentation`` (polygons or runs), or as ``masks/STEM.png``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from ajahr.anatomy import JOINT, LDPOSE25, Level
from ajahr.data.dataset import Dataset, open_dataset
from ajahr.data.images import LoadedImage, load_image
from ajahr.data.ldpose import LimbState, limb_states
from ajahr.data.mask import decode_mask, split_mask
from ajahr.data.readers.ldpose import read_ldpose, to_continuous
from ajahr.data.readers.people import load_json
from ajahr.data.readers.rle import Rle
from ajahr.errors import UserError
from ajahr.residual_limb.segments import SEGMENTS, fractions_of_levels

_LEVEL_OF = {LimbState.ABOVE: Level.ELBOW, LimbState.BELOW: Level.HAND, LimbState.INTACT: Level.INTACT}
_MASKS = "masks"
Mask = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class Truth3D:
    """What generated data know besides."""

    fraction: Float[np.ndarray, "people 8"]
    """Lambda by `SEGMENTS`; NaN where no limb ends."""
    ends: Float[np.ndarray, "people 8 3"]
    """Camera frame, m; NaN likewise."""
    pelvis: Float[np.ndarray, "people 3"]
    """SMPL's, camera frame, m."""
    length_mm: Float[np.ndarray, "people 8"]
    volume_ml: Float[np.ndarray, "people 8"]
    """NaN where the file does not say (limbs cut at joints, older datasets)."""


@dataclass(frozen=True, eq=False)
class ResidualPeople:
    """People of one dataset; pictures and masks are read when asked for."""

    name: str
    keys: tuple[str, ...]
    pictures: tuple[str, ...]
    """Name of each one's picture: people of one are drawn together in a bootstrap."""
    boxes_xyxy: Float[np.ndarray, "people 4"]
    points: Float[np.ndarray, "people 25 xyv=3"]
    """LDPose's 25, px (continuous) and visibility; 0 is not labelled, or not there."""
    levels: Int[np.ndarray, "people limbs=4"]
    """-1 where it is not known."""
    focal_length: Float[np.ndarray, " people"]
    """px; NaN where it is not known."""
    truth: Truth3D | None
    load: Callable[[int], LoadedImage]
    """The picture of a person."""
    load_mask: Callable[[int], Mask | None]
    """The person's mask, as large as the picture; None where there is none."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, index: Int[np.ndarray, " chosen"]) -> ResidualPeople:
        """Those of ``index``, in its order."""
        rows = [int(i) for i in index]
        truth = self.truth
        if truth is not None:
            truth = Truth3D(**{name: value[index] for name, value in vars(truth).items()})
        return replace(
            self,
            keys=tuple(self.keys[i] for i in rows),
            pictures=tuple(self.pictures[i] for i in rows),
            boxes_xyxy=self.boxes_xyxy[index],
            points=self.points[index],
            levels=self.levels[index],
            focal_length=self.focal_length[index],
            truth=truth,
            load=lambda i, load=self.load: load(rows[i]),
            load_mask=lambda i, load=self.load_mask: load(rows[i]),
        )

    def limited(self, people: int | None) -> ResidualPeople:
        """At most so many, spread evenly."""
        if people is None or len(self) <= people:
            return self
        few = self.take(np.linspace(0, len(self) - 1, people).astype(int))
        note = f"{people} of {len(self)} people, spread evenly: not the benchmark's number"
        return replace(few, notes=(*self.notes, note))


def with_residual_limb(
    levels: Int[np.ndarray, "people 4"], points: np.ndarray
) -> Bool[np.ndarray, " people"]:
    """People with a labelled residual end."""
    return np.asarray((points[:, list(LDPOSE25.residual), 2] > 0).any(1))


# ----------------------------------------------------------------------------------- LDPose-LimbLoss


def read_limbloss(
    annotations: str | Path, images: str | Path, *, name: str = "LimbLoss-255"
) -> ResidualPeople:
    """LDPose-LimbLoss, or any LDPose file with masks.

    Args:
        annotations: the JSON.
        images: folder of the pictures.

    Raises:
        UserError: as `read_ldpose`; a picture that is not there; nobody with a residual end.
    """
    annotations, images = Path(annotations), Path(images)
    found = read_ldpose(annotations)
    found.check_images(images)
    shapes = {
        int(entry["id"]): entry.get("segmentation")
        for entry in load_json(annotations, "a COCO-format keypoint file")["annotations"]
    }
    keep = np.flatnonzero(~found.crowd & (found.keypoints[..., 2] > 0).any(1))
    points = to_continuous(found.keypoints[keep])
    files = [found.file_names[found.image[i]] for i in keep]
    boxes = found.bbox_xywh[keep]
    states = limb_states(found.keypoints[keep][..., 2])
    levels = np.full(states.shape, -1)
    for state, level in _LEVEL_OF.items():
        levels[states == state] = int(level)
    sizes = found.image_sizes[found.image[keep]]
    ids = found.ids[keep]

    def mask(i: int) -> Mask | None:
        width, height = (int(side) for side in sizes[i])
        drawn = draw_segmentation(shapes.get(int(ids[i])), (width, height))
        return drawn if drawn is not None else _mask_file(annotations.parent, files[i], int(ids[i]))

    people = ResidualPeople(
        name,
        tuple(f"{file}/{number}" for file, number in zip(files, ids, strict=True)),
        tuple(files),
        np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1),
        points,
        levels,
        np.full(len(keep), np.nan),
        None,
        lambda i: load_image(images / files[i]),
        mask,
        tuple(found.describe_problems()),
    )
    if not len(people) or not with_residual_limb(levels, points).any():
        raise UserError(
            f"{annotations}: nobody in it has a residual-limb end; give LDPose-LimbLoss's or LDPose's JSON"
        )
    return people


def draw_segmentation(value: Any, size: tuple[int, int]) -> Mask | None:
    """COCO's ``segmentation`` as a mask of (width, height): polygons or runs; None if it is neither."""
    if isinstance(value, dict):
        rle = Rle.parse(value)
        return None if rle is None or (rle.width, rle.height) != size else rle.decode()
    if not isinstance(value, list) or not value:
        return None
    mask = np.zeros((size[1], size[0]), np.uint8)
    for flat in value:  # one by one: together, places where two overlap would be holes
        polygon = np.asarray(flat, np.float64).reshape(-1, 2)
        cv2.fillPoly(mask, [np.round((polygon - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask > 0


def _mask_file(folder: Path, file: str, number: int) -> Mask | None:
    stem = Path(file).stem
    for path in (folder / _MASKS / f"{stem}_{number}.png", folder / _MASKS / f"{stem}.png"):
        if path.is_file():
            grey = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
            if grey is None:
                raise UserError(f"{path}: not a picture; a mask is a PNG, above 0 where the person is")
            return np.asarray(grey) > 0
    return None


# --------------------------------------------------------------------------------------- ajahr-synth


def read_residual_shards(
    folder: str | Path, *, name: str = "", splits: Sequence[str] = (), inside: bool = False
) -> ResidualPeople:
    """People with a residual end of a dataset of ``ajahr-synth``.

    Limbs cut at joints count as lambda 0, and say nothing of volumes.

    Args:
        inside: only ends inside a bone; those at joints, of which a class says everything, are no labelled points.

    Raises:
        UserError: no finished dataset, or nobody with a residual limb in it.
    """
    dataset = open_dataset(folder)
    parts = [_shard_people(dataset, entry, splits, inside) for entry in dataset.manifest.shards]
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}
    if not columns or not len(columns["key"]):
        raise UserError(f"{folder}: nobody with a residual limb in it; generate some (ajahr-synth generate)")
    keys, person = columns["key"].tolist(), columns["person"].tolist()
    truth = Truth3D(
        columns["fraction"], columns["ends"], columns["pelvis"], columns["length_mm"], columns["volume_ml"]
    )  # fmt: skip

    def picture(i: int) -> LoadedImage:
        pixels = dataset[keys[i]].image()
        return LoadedImage(pixels, 1, (pixels.shape[1], pixels.shape[0]))

    def mask(i: int) -> Mask:
        who, _ = split_mask(decode_mask(dataset[keys[i]].mask_png, f"{folder}: {keys[i]}.mask.png"))
        return np.asarray(who == person[i])

    return ResidualPeople(
        name or Path(folder).name,
        tuple(f"{key}/{n}" for key, n in zip(keys, person, strict=True)),
        tuple(keys),
        columns["box"],
        columns["points"],
        columns["levels"],
        columns["focal"],
        truth,
        picture,
        mask,
    )


def _shard_people(dataset: Dataset, entry: Any, splits: Sequence[str], inside: bool) -> dict[str, np.ndarray]:
    arrays = dataset.arrays(entry)
    levels, points = arrays["limb_levels"], arrays["keypoints_ldpose25"].astype(np.float64)
    fraction = fractions_of_levels(levels).astype(np.float64)
    if "residual_lambda" in arrays:
        own = arrays["residual_lambda"]
        fraction = np.where(np.isnan(own), fraction, own)
    fraction = np.where(fraction < 1, fraction, np.nan)  # a disarticulation leaves no end
    if inside:
        points[:, list(LDPOSE25.residual)] *= (fraction > 0)[..., None]
    joints = arrays["joints_3d"].astype(np.float64)
    anchor, upstream = joints[:, [s.anchor for s in SEGMENTS]], joints[:, [s.upstream for s in SEGMENTS]]
    ends = anchor + fraction[..., None] * (upstream - anchor)
    if "residual_3d" in arrays:
        told = arrays["residual_3d"]
        ends = np.where(told[..., 3:] > 0, told[..., :3], ends)
    length = 1000 * (1 - fraction) * np.linalg.norm(upstream - anchor, axis=-1)
    volume = np.full(length.shape, np.nan)
    if "residual_length_mm" in arrays:
        length = np.where(np.isfinite(arrays["residual_length_mm"]), arrays["residual_length_mm"], length)
        volume = arrays["residual_volume_ml"].astype(np.float64)
    keep = with_residual_limb(levels, points)
    keep &= np.array([not splits or str(split) in splits for split in arrays["split"]], bool)
    columns = {
        "key": arrays["key"].astype(object), "person": arrays["person"], "box": arrays["bbox_xyxy"].astype(np.float64),
        "points": points, "levels": levels, "focal": arrays["focal_length"].astype(np.float64),
        "fraction": fraction, "ends": ends, "pelvis": joints[:, JOINT["pelvis"]], "length_mm": length,
        "volume_ml": volume,
    }  # fmt: skip
    return {key: value[keep] for key, value in columns.items()}
