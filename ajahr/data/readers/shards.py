"""A dataset made by ``ajahr-synth`` as people for the regressor: the arrays beside the tars, and offsets.

No JSON is read. Where the intact body's keypoints would be, of limbs that are lost, is read from the intact
twin, which stands in the same pose before the same camera.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ajahr.anatomy import NUM_LEVELS
from ajahr.data.dataset import Dataset, ShardEntry, open_dataset
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import (
    BPAC_J44,
    GENDER_CODES,
    PeopleTable,
    empty_rows,
    end_at_joints,
    hide_absent,
    set_box,
)
from ajahr.data.npz import NpzArrays
from ajahr.data.record import OCCLUDED
from ajahr.data.shards import index_shard
from ajahr.errors import UserError
from ajahr.residual_limb.segments import SEGMENTS

_GENDER = {name[0]: code for code, name in enumerate(GENDER_CODES)}


def read_shards(folder: str | Path, *, name: str = "", splits: Iterable[str] = ()) -> PeopleTable:
    """The people of a finished dataset.

    Args:
        folder: holds dataset.json.
        name: of the dataset in keys; the folder's name when empty.
        splits: only people of these splits; empty: all.

    Raises:
        UserError: no finished dataset, a damaged shard, or labels outside their range.
    """
    dataset = open_dataset(folder)
    parts = [
        _shard_rows(dataset, number, entry, frozenset(splits))
        for number, entry in enumerate(dataset.manifest.shards)
    ]
    size = max((part.dtype["key"].itemsize for part, *_ in parts), default=1)
    rows = empty_rows(sum(len(part) for part, *_ in parts), ["x" * size])
    twins: list[str] = []
    persons: list[int] = []
    start = 0
    for part, twin, person in parts:
        rows[start : start + len(part)] = part
        start += len(part)
        twins += twin
        persons += person
    twin_rows = _twin_rows(rows, twins, persons)
    _place_lost_limbs(rows, twin_rows)
    tars = [dataset.shard_path(entry) for entry in dataset.manifest.shards]
    hide_absent(rows)
    return PeopleTable(name or Path(folder).name, rows, PictureStore(folder, tars), twins=twin_rows)


def _shard_rows(
    dataset: Dataset, number: int, entry: ShardEntry, splits: frozenset[str]
) -> tuple[np.ndarray, list[str], list[int]]:
    """Rows of one shard, the key of each one's intact twin, and which person of its picture each is."""
    arrays: NpzArrays = dataset.arrays(entry)
    where = dataset.folder / "annotations" / f"{entry.name}.npz"
    try:
        keys = [str(key) for key in arrays["key"]]
        keep = np.array([not splits or str(split) in splits for split in arrays["split"]], bool)
        names = [f"{key}/{person}" for key, person in zip(keys, arrays["person"], strict=True)]
        rows = empty_rows(len(names), [*names, *(f"{key}.jpg" for key in keys)])
        rows["key"] = [name.encode() for name in names]
        rows["image"] = [f"{key}.jpg".encode() for key in keys]
        set_box(rows, arrays["center"], arrays["scale"])
        keypoints = arrays["keypoints_j44"]
        # an occluded keypoint is labelled as exactly as a visible one
        rows["keypoints_2d"][..., :2] = keypoints[..., :2]
        rows["keypoints_2d"][..., 2] = keypoints[..., 2] > 0
        rows["hidden"] = keypoints[:, list(BPAC_J44), 2] == OCCLUDED
        rows["keypoints_3d"] = np.concatenate(
            [arrays["body_keypoints_3d"], arrays["extra_keypoints_3d"]], axis=1
        )
        rows["pose"] = arrays["body_pose"].reshape(-1, 24, 3)
        rows["has_pose"] = True
        rows["betas"] = arrays["betas"]
        rows["has_betas"] = True
        rows["trusted_3d"] = True
        levels = arrays["limb_levels"]
        if levels.size and not 0 <= levels.min() <= levels.max() < NUM_LEVELS:
            raise ValueError(f"limb_levels are 0..3, got {levels.min()}..{levels.max()}")
        rows["levels"] = levels
        _fill_residual(rows, arrays)
        rows["gender"] = [_GENDER[str(letter)] for letter in arrays["gender"]]
        rows["transl"] = arrays["transl"]
        rows["focal_length"] = arrays["focal_length"]
        rows["image_size"] = arrays["img_size"]
        twins = [str(twin) for twin in arrays["intact_twin"]]
        persons = arrays["person"].tolist()
    except KeyError as error:
        raise UserError(f"{where}: no key {error} in it; delete the shard and run generate again") from None
    except ValueError as error:
        raise UserError(f"{where}: {error}; delete the shard and run generate again") from None
    members = index_shard(dataset.shard_path(entry))
    missing = next((key for key in keys if key not in members), None)
    if missing is not None:
        raise UserError(
            f"{where}: sample {missing} is not in the tar; delete the shard and run generate again"
        )
    rows["file"] = number
    rows["offset"] = [members[key]["jpg"].offset for key in keys]
    rows["length"] = [members[key]["jpg"].size for key in keys]
    kept = np.flatnonzero(keep)
    return rows[keep], [twins[i] for i in kept], [persons[i] for i in kept]


def _fill_residual(rows: np.ndarray, arrays: NpzArrays) -> None:
    """Lambda and end of each residual limb: the cut's own (since schema version 3), else the joint it was cut at."""
    end_at_joints(rows)
    if "residual_lambda" in arrays:
        own = arrays["residual_lambda"]
        if own.size and not (np.isnan(own) | ((own >= 0) & (own <= 1))).all():
            raise ValueError("residual_lambda is 0..1, or NaN where no limb ends")
        rows["residual"] = np.where(np.isnan(own), rows["residual"], own)
    fraction = rows["residual"][..., None]
    anchor, upstream = (
        arrays["joints_3d"][:, [getattr(s, end) for s in SEGMENTS]] for end in ("anchor", "upstream")
    )
    ends = anchor + fraction * (upstream - anchor)
    if "residual_3d" in arrays:
        told = arrays["residual_3d"]
        ends = np.where(told[..., 3:] > 0, told[..., :3], ends)
    left = fraction < 1  # a shoulder or hip disarticulation leaves no end
    rows["residual_3d"][..., :3] = np.where(left, ends, 0)
    rows["residual_3d"][..., 3] = left[..., 0]


def _twin_rows(rows: np.ndarray, twins: list[str], persons: list[int]) -> np.ndarray:
    """Row of each one's intact twin; -1 where it is not among the rows."""
    index = {name.decode(): i for i, name in enumerate(rows["key"])}
    found = [
        index.get(f"{twin}/{person}", -1) if twin else -1 for twin, person in zip(twins, persons, strict=True)
    ]
    return np.array(found, np.int64)


def _place_lost_limbs(rows: np.ndarray, twins: np.ndarray) -> None:
    """`intact_2d` from the twins that are among the rows."""
    mine = np.flatnonzero(twins >= 0)
    points = rows["keypoints_2d"][twins[mine]][:, list(BPAC_J44)]
    rows["intact_2d"][mine] = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
