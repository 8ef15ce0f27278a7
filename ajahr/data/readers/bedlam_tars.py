"""BEDLAM's training tars as TokenHMR distributes them: SMPL parameters and a camera per person (facts 3.7).

Keypoints are not taken from the file but posed: a body is needed, SMPL's neutral one for real BEDLAM data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import PeopleTable, empty_rows
from ajahr.data.hmr.table_cache import Part, cached_rows
from ajahr.data.hmr.tar_index import scan_tar
from ajahr.data.readers.npz_file import plain
from ajahr.data.readers.webdataset import TarPerson, iter_people, values
from ajahr.errors import UserError
from ajahr.geometry.crops import expand_to_aspect
from ajahr.geometry.rotations_np import rotvec_to_rotmat

_UNIT = 200.0


@dataclass(frozen=True)
class _PartReader:
    paths: tuple[Path, ...]
    body: str | None
    expand: bool

    @cached_property
    def _fast_body(self) -> FastBody:
        return FastBody(load_body(self.body, gender="neutral"))

    def __call__(self, number: int) -> Part:
        path = self.paths[number]
        contents = scan_tar(path)
        people: list[tuple[TarPerson, dict[str, Any]]] = []
        for person in iter_people(path, contents):
            try:
                people.append((person, self._labels(person.fields)))
            except (ValueError, TypeError, KeyError) as error:
                contents.drop("bad_annotation", f"{path}: {person.key}: {error}")
        rows = empty_rows(len(people), [name for p, _ in people for name in (p.key, p.picture.name)])
        for row, (person, labels) in zip(rows, people, strict=True):
            for name, value in labels.items():
                row[name] = value
            row["key"], row["image"] = person.key.encode(), person.picture.name.encode()
            row["offset"], row["length"] = person.picture.offset, person.picture.size
            row["quarter_turns"] = "closeup" in person.key  # these scenes are stored lying on their side
        rows["file"] = number
        rows["has_pose"] = True
        rows["has_betas"] = True
        rows["trusted_3d"] = True
        rows["levels"] = 0  # every body of BEDLAM is whole
        return Part(rows, contents.dropped, contents.examples)

    def _labels(self, fields: dict[str, Any]) -> dict[str, Any]:
        pose = _first(fields, "pose_cam", 72).reshape(24, 3)
        betas = _first(fields, "shape", 10)
        translation = values(fields, "trans_cam", (3,)) + values(fields, "cam_ext", (4, 4))[:3, 3]
        intrinsics = values(fields, "cam_int", (3, 3))
        size = float(np.asarray(plain(fields["scale"]), np.float64).reshape(-1).max()) * _UNIT
        if not (np.isfinite(size) and size > 0):
            raise ValueError(f"scale is {size / _UNIT}")
        posed = self._fast_body(betas, rotvec_to_rotmat(pose.astype(np.float64)), translation=translation)
        points = posed.keypoints_44
        depth = points[:, 2:]
        ahead = depth > 0.01
        pixels = (points / np.where(ahead, depth, 1)) @ intrinsics.T
        ones = np.ones((len(points), 1), np.float32)
        return {
            "pose": pose,
            "betas": betas,
            "keypoints_2d": np.where(ahead, np.concatenate([pixels[:, :2], ones], 1), 0),
            "keypoints_3d": np.concatenate([points, ones], 1),
            "center": values(fields, "center", (2,)),
            # upstream's box is a square of the scale; `expand` grows it as those of all other datasets
            "side": float(expand_to_aspect(np.array([size, size])).max()) if self.expand else size,
            "transl": translation,
            "focal_length": intrinsics[0, 0],
        }


def _first(fields: dict[str, Any], name: str, count: int) -> np.ndarray:
    array = np.asarray(plain(fields[name]), np.float32).reshape(-1)[:count]
    if array.size != count or not np.isfinite(array).all():
        raise ValueError(f"{name} has not {count} finite numbers")
    return array


def read_bedlam_tars(
    folder: str | Path,
    *,
    body: str | Path | None,
    name: str = "BEDLAM",
    expand: bool = True,
    cache: str | Path | None = None,
    processes: int = 1,
) -> PeopleTable:
    """The people of ``folder/SCENE/*.tar``; scenes named after AGORA are left out, as upstream does.

    Args:
        folder: ``dataset_tars/bedlam``.
        body: SMPL neutral file or its folder; None: the embedded body, whose keypoints do not fit real BEDLAM.
        name: of the dataset in keys.
        expand: grow boxes to 192:256 like those of all other datasets; False: TokenHMR's squares (facts 9, 36).
        cache: folder of the index.
        processes: that make the index.
    """
    paths = sorted(path for path in Path(folder).glob("*/*.tar") if "agora" not in path.parent.name)
    if not paths:
        raise UserError(f"{folder}: no SCENE/*.tar in it; give the folder of BEDLAM's tars")
    loaded = load_body(body, gender="neutral")
    reader = _PartReader(tuple(paths), None if body is None else str(body), expand)
    options = {"reader": "bedlam", "body": loaded.sha256, "expand": expand}
    part = cached_rows(name, paths, options, reader, cache=cache, processes=processes)
    return PeopleTable(
        name, part.rows, PictureStore(folder, paths), part.dropped, part.examples, amputees=False
    )
