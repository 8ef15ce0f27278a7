"""Read from a finished dataset what the page shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from ajahr.anatomy import INTACT_INDEX, LIMBS, NUM_LIMBS, PARENTS, Level, absent_joints
from ajahr.data.dataset import Dataset, Manifest, ShardEntry, open_dataset
from ajahr.data.npz import BOX_SCALE, NpzArrays
from ajahr.data.shards import Sample, index_shard, read_sample
from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera, full_to_crop_cam
from ajahr.geometry.crops import crop_side
from ajahr.residual_limb.segments import SEGMENTS
from synth.config import RealismConfig
from synth.preview import limbs_in_words
from synth.report.boundary import RingCounts, ring_counts
from synth.timing import Cost, read_cost

MAX_SHARDS = 64
"""Shards read for the distributions; of larger datasets, this many spread evenly."""
CROP_HEIGHT = 220
"""Of a gallery picture, px."""


@dataclass(frozen=True)
class GalleryItem:
    """A picture cut out around one person, and the same cut of their intact twin."""

    picture: bytes
    twin: bytes | None
    size: tuple[int, int]
    words: str
    key: str
    photo: str


@dataclass(frozen=True)
class SourceQuality:
    """How well the backgrounds of one source were filled."""

    ssim: Float[np.ndarray, " backgrounds"]
    lpips: Float[np.ndarray, " measured"]


@dataclass(frozen=True)
class PlainPaste:
    """The same scenes pasted plainly, without any step of realism.

    Attributes:
        rings: Of the plain pictures, None where they could not be made.
        realistic: Of the same scenes as they are in the dataset.
        pictures: Scenes measured.
        why: Why there are none.
    """

    rings: RingCounts | None = None
    realistic: RingCounts | None = None
    pictures: int = 0
    why: str = ""


@dataclass
class ReportData:
    """Everything on the page.

    Attributes:
        people: Arrays over people: ``betas`` (n, 10), ``camera_scale`` (n,) of the HMR crop camera, ``box_px``
            (n,), ``intact_limb_px`` and ``residual_limb_px`` (n, 4), ``residual_lambda`` (n, 8) with NaN elsewhere.
        gallery: Pictures per AJAHR-Index.
        sources: Per source of photographs; empty where the backgrounds are not there any more.
        read_shards: Shards the arrays are from.
        plain: Boundaries of the same scenes without realism; None when nobody asked.
        cost: Seconds per stage; None where the timings are not there any more.
    """

    name: str
    manifest: Manifest
    people: dict[str, Float[np.ndarray, "people *axes"]]
    gallery: dict[int, list[GalleryItem]]
    rings: RingCounts
    ring_pictures: int
    sources: dict[str, SourceQuality] = field(default_factory=dict)
    read_shards: int = 0
    plain: PlainPaste | None = None
    cost: Cost | None = None


def gather(
    folder: str | Path,
    *,
    per_class: int = 4,
    ring_pictures: int = 64,
    plain_pictures: int = 32,
    tick: Callable[[], None] | None = None,
) -> ReportData:
    """Read a finished dataset.

    Args:
        folder: the dataset.
        per_class: gallery pictures for each amputation class, twins not counted.
        ring_pictures: pictures whose silhouettes are measured, spread evenly.
        plain_pictures: scenes that are made once more without realism and measured; 0 makes none.
        tick: called once per shard that is read.

    Raises:
        UserError: no finished dataset, an empty one, or a damaged shard.
    """
    folder = Path(folder)
    dataset = open_dataset(folder)
    if not len(dataset):
        raise UserError(f"{folder}: the dataset is empty; see 'drops' in its dataset.json for the reasons")
    entries = [entry for entry in dataset.manifest.shards if entry.samples]
    entries = [entries[i] for i in _spread(len(entries), MAX_SHARDS)]
    arrays: list[NpzArrays] = []
    for entry in entries:
        arrays.append(dataset.arrays(entry))
        if tick is not None:
            tick()
    together = {name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]}
    together["shard"] = np.repeat(np.arange(len(entries)), [len(one["key"]) for one in arrays])
    reader = _Reader(dataset, entries)
    rings = RingCounts.none()
    rows = _one_per_picture(together, ring_pictures)
    for row in rows:
        sample = reader.sample(together, int(row))
        rings += ring_counts(sample.image(), sample.mask() > 0)
    return ReportData(
        name=folder.resolve().name,
        manifest=dataset.manifest,
        people=_people(together),
        gallery=_gallery(together, reader, per_class),
        rings=rings,
        ring_pictures=len(rows),
        sources=_sources(folder, dataset.manifest),
        read_shards=len(entries),
        plain=_plain_paste(folder, reader, together, rows[_spread(len(rows), plain_pictures)]),
        cost=read_cost(folder / ".work"),
    )


def _plain_paste(
    folder: Path, reader: _Reader, arrays: NpzArrays, rows: Shaped[np.ndarray, " rows"]
) -> PlainPaste | None:
    """Rings of some scenes with and without realism."""
    if len(rows) == 0:
        return None
    from synth.remake import (  # everything that makes pictures: only when they are made
        Remaker,
        written_picture,
    )

    try:
        remaker = Remaker(folder)
        plain, realistic, measured = RingCounts.none(), RingCounts.none(), 0
        for row in rows:
            sample = reader.sample(arrays, int(row))
            again = remaker.scene(int(sample.record.scene_id))
            bare = remaker.scene(int(sample.record.scene_id), RealismConfig.plain())
            if not again or not np.array_equal(written_picture(again[0]), sample.image()):
                return PlainPaste(why="this version of the code makes other pictures of the same scenes")
            silhouette = sample.mask() > 0
            realistic += ring_counts(sample.image(), silhouette)
            plain += ring_counts(written_picture(bare[0]), silhouette)
            measured += 1
    except UserError as error:
        return PlainPaste(why=str(error))
    return PlainPaste(plain, realistic, measured)


def _spread(length: int, count: int) -> list[int]:
    """At most ``count`` of ``length`` indices, evenly spread."""
    return np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist() if count > 0 else []


class _Reader:
    """Samples of a dataset by a row of the arrays. Only the shards that are asked for are indexed."""

    def __init__(self, dataset: Dataset, entries: list[ShardEntry]) -> None:
        self.paths = [dataset.shard_path(entry) for entry in entries]
        self.indices: dict[int, dict] = {}

    def sample(self, arrays: NpzArrays, row: int, key: str | None = None) -> Sample:
        shard = int(arrays["shard"][row])
        if shard not in self.indices:
            self.indices[shard] = index_shard(self.paths[shard])
        key = key or str(arrays["key"][row])
        if key not in self.indices[shard]:
            raise UserError(f"{self.paths[shard]}: no sample {key}; delete the shard and run generate again")
        return read_sample(self.paths[shard], key, self.indices[shard][key])


def _one_per_picture(arrays: NpzArrays, count: int) -> Shaped[np.ndarray, " rows"]:
    """Rows of the first people of ``count`` pictures that are no intact twins."""
    leading = np.flatnonzero((arrays["person"] == 0) & ~_is_twin(arrays))
    return leading[_spread(len(leading), count)]


def _is_twin(arrays: NpzArrays) -> Shaped[np.ndarray, " people"]:
    twins = set(arrays["intact_twin"].tolist()) - {""}
    return np.array([key in twins for key in arrays["key"].tolist()])


# ----------------------------------------------------------------------------------------------- gallery


def _gallery(arrays: NpzArrays, reader: _Reader, per_class: int) -> dict[int, list[GalleryItem]]:
    gallery = {}
    leading = ~_is_twin(arrays)
    one_loss = (arrays["limb_levels"] > 0).sum(1) <= 1
    height, width = arrays["img_size"][:, 1], arrays["img_size"][:, 0]
    x0, y0, x1, y1 = arrays["bbox_xyxy"].T
    shown = (np.minimum(x1, width) - np.maximum(x0, 0)) * (np.minimum(y1, height) - np.maximum(y0, 0))
    in_sight = shown / np.maximum((x1 - x0) * (y1 - y0), 1) > 0.7
    for index in range(INTACT_INDEX + 1):
        of_class = leading & (arrays["labels"] == index).any(1)
        if index == INTACT_INDEX:
            of_class &= (arrays["limb_levels"] == 0).all(1)
        gallery[index] = [
            _item(arrays, reader, row) for row in _choose(of_class, in_sight & one_loss, per_class)
        ]
    return gallery


def _choose(
    wanted: Shaped[np.ndarray, " people"], clear: Shaped[np.ndarray, " people"], count: int
) -> list[int]:
    """``count`` of the wanted rows, evenly spread; those that are not ``clear`` only where there are too few."""
    first, second = np.flatnonzero(wanted & clear), np.flatnonzero(wanted & ~clear)
    chosen = first[_spread(len(first), count)].tolist()
    chosen += second[_spread(len(second), count - len(chosen))].tolist()
    return sorted(chosen)


def _item(arrays: NpzArrays, reader: _Reader, row: int) -> GalleryItem:
    sample = reader.sample(arrays, row)
    person = sample.record.people[int(arrays["person"][row])]
    box = arrays["bbox_xyxy"][row]
    twin_key = sample.record.intact_twin
    twin = None
    if twin_key is not None:
        other = reader.sample(arrays, row, twin_key)
        whole = other.record.people[int(arrays["person"][row])].bbox_xyxy
        box = np.concatenate([np.minimum(box[:2], whole[:2]), np.maximum(box[2:], whole[2:])])
        twin, _ = _cut(other.image(), box)
    picture, size = _cut(sample.image(), box)
    return GalleryItem(picture, twin, size, limbs_in_words(person), sample.key, sample.record.photo.id)


def _cut(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "xyxy=4"]
) -> tuple[bytes, tuple[int, int]]:
    """JPEG of the part of the picture around a box, three wide by four high where the picture allows."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.clip(box, 0, [width, height, width, height])
    tall = min(max(1.12 * (y1 - y0), 1.12 * (x1 - x0) * 4 / 3, 48.0), height)
    wide = min(tall * 3 / 4, width)
    tall = wide * 4 / 3
    left = int(np.clip((x0 + x1) / 2 - wide / 2, 0, width - wide))
    top = int(np.clip((y0 + y1) / 2 - tall / 2, 0, max(height - tall, 0)))
    part = image[top : top + int(tall), left : left + int(wide)]
    size = (round(CROP_HEIGHT * part.shape[1] / part.shape[0]), CROP_HEIGHT)
    shrink = size[1] < part.shape[0]
    part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(part[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {part.shape}")
    return data.tobytes(), size


# ------------------------------------------------------------------------------------------ distributions


def _people(arrays: NpzArrays) -> dict[str, Float[np.ndarray, "people *axes"]]:
    scale = arrays["scale"].astype(np.float64)  # HMR's enlargement is in it
    translation = arrays["transl"].astype(np.float64)
    weak = arrays["weak_depth"]
    depth = np.where(np.isnan(weak), translation[:, 2], weak).astype(np.float64)
    cam = full_to_crop_cam(
        np.concatenate([translation[:, :2], depth[:, None]], 1),
        arrays["center"].astype(np.float64),
        crop_side(scale),
        arrays["img_size"].astype(np.float64),
        arrays["focal_length"].astype(np.float64),
    )
    limb_px = _limb_px(arrays)
    lost = arrays["limb_levels"]
    return {
        "betas": arrays["betas"],
        "camera_scale": np.asarray(cam)[:, 0],
        "box_px": scale.max(1) / BOX_SCALE,
        "intact_limb_px": np.where(lost == 0, limb_px, np.nan),
        "residual_limb_px": np.where((lost > 0) & (limb_px > 0), limb_px, np.nan),
        "residual_lambda": _ends(arrays),
    }


def _limb_px(arrays: NpzArrays) -> Float[np.ndarray, "people limbs=4"]:
    """Length in the picture of what is left of each limb, from shoulder or hip on, px."""
    pixels = np.stack(
        [
            Camera(
                int(size[0]),
                int(size[1]),
                float(focal),
                tuple(centre.tolist()),
                None if np.isnan(weak) else float(weak),
            ).project(joints.astype(np.float64))
            for joints, size, focal, centre, weak in zip(
                arrays["joints_3d"],
                arrays["img_size"],
                arrays["focal_length"],
                arrays["principal_point"].astype(np.float64),
                arrays["weak_depth"],
                strict=True,
            )
        ]
    ).reshape(-1, 24, 2)
    lengths = np.zeros((len(pixels), NUM_LIMBS))
    for limb in LIMBS:
        for joint in absent_joints(limb, max(Level))[1:]:
            lengths[:, limb] += np.linalg.norm(pixels[:, joint] - pixels[:, PARENTS[joint]], axis=-1)
    if "residual_lambda" in arrays:  # joints reach to that of the limb's level; the limb may end above it
        lost = np.nan_to_num(arrays["residual_lambda"])
        for k, bone in enumerate(SEGMENTS):
            gap = np.linalg.norm(pixels[:, bone.anchor] - pixels[:, bone.upstream], axis=-1)
            lengths[:, bone.limb] -= lost[:, k] * gap
    return lengths


def _ends(arrays: NpzArrays) -> Float[np.ndarray, "people segments=8"]:
    """Lambda of limbs that end inside a bone, by bone; NaN elsewhere."""
    if "residual_lambda" not in arrays:
        return np.full((len(arrays["key"]), len(SEGMENTS)), np.nan)
    found = arrays["residual_lambda"].astype(np.float64)
    return np.where(found > 0, found, np.nan)


def _sources(folder: Path, manifest: Manifest) -> dict[str, SourceQuality]:
    """SSIM and LPIPS from the bank's own files; what is not there, or of another version, is left out."""
    bank = manifest.run.config.get("backgrounds", {}).get("bank")
    place = (Path(bank) if bank else folder / ".work") / "backgrounds"
    found: dict[str, tuple[list[float], list[float]]] = {}
    for path in sorted(place.glob("*.json")):
        try:
            entry = json.loads(path.read_bytes())
            source, ssim, lpips = str(entry["source"]), float(entry["ssim"]), entry.get("lpips")
        except (OSError, ValueError, TypeError, KeyError):
            continue
        of_source = found.setdefault(source, ([], []))
        of_source[0].append(ssim)
        if lpips is not None:
            of_source[1].append(float(lpips))
    return {
        name: SourceQuality(np.array(ssim, np.float64), np.array(lpips, np.float64))
        for name, (ssim, lpips) in sorted(found.items())
    }
