"""HMR2.0's training tars (4D-Humans): H36M, MPI-INF-3DHP, COCO, MPII, InstaVariety, AVA, AI Challenger.

Their pseudo ground truth is filtered as HMR2.0, TokenHMR and AJAHR do (facts 3.6), once, when the index is
made; training then reads rows and pictures only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import LimbsOf, PeopleTable, assume_limbs, empty_rows, set_box
from ajahr.data.hmr.table_cache import Part, cached_rows
from ajahr.data.hmr.tar_index import scan_tar
from ajahr.data.readers.npz_file import plain
from ajahr.data.readers.pose_plausibility import PosePlausibility
from ajahr.data.readers.webdataset import TarPerson, expand_tars, iter_people, values

_BAD_AIC = (
    "0a047f0124ae48f8eee15a9506ce1449ee1ba669", "1a703aa174450c02fbc9cfbf578a5435ef403689",
    "0394e6dc4df78042929b891dbc24f0fd7ffb6b6d", "5c032b9626e410441544c7669123ecc4ae077058",
    "ca018a7b4c5f53494006ebeeff9b4c0917a55f07", "4a77adb695bef75a5d34c04d589baf646fe2ba35",
    "a0689017b1065c664daef4ae2d14ea03d543217e", "39596a45cbd21bed4a5f9c2342505532f8ec5cbb",
    "3d33283b40610d87db660b62982f797d50a7366b",
)  # fmt: skip
KNOWN_BAD = frozenset(f"{folder}/{key}" for folder in ("aic-train", "aic-train-vitpose") for key in _BAD_AIC)
"""Samples upstream skips by name."""
KNOWN_BAD_TARS = frozenset(f"insta-train-vitpose-replicate/{n:06d}.tar" for n in range(2994, 3001))
"""Tars TokenHMR and AJAHR skip."""
_UNIT = 200.0
"""Box sizes in these tars are divided by it already."""


@dataclass(frozen=True)
class Hmr2Filters:
    """The ``low1`` values, used by HMR2.0b, TokenHMR and AJAHR."""

    min_confidence: float = 0.3
    """2D confidences below it become 0."""
    max_beta: float = 3.0
    """Betas with a larger entry do not count."""
    pose_histogram: str | None = None
    """Of `PosePlausibility`; poses that fail it do not count. None: all poses do."""
    pose_with_betas: bool = True
    """Pose and betas count together or not at all."""
    min_keypoints: int = 4
    """People with this many labelled 2D keypoints or fewer are left out."""
    max_reprojection_loss: float = 31000.0
    """Fits with this loss or more are left out; a fit without one stays."""
    zero_betas: bool = False
    """Upstream's ``BETAS_REG``: people without betas count as having zero ones."""


@dataclass(frozen=True)
class _PartReader:
    """Rows of one tar; a small object, so that it can be sent to other processes."""

    paths: tuple[Path, ...]
    filters: Hmr2Filters
    trusted_3d: bool
    limbs: LimbsOf

    def __call__(self, number: int) -> Part:
        contents = scan_tar(self.paths[number])
        people: list[tuple[TarPerson, dict[str, Any]]] = []
        for person in iter_people(self.paths[number], contents, KNOWN_BAD):
            try:
                people.append((person, _labels(person.fields)))
            except (ValueError, TypeError, KeyError) as error:
                contents.drop("bad_annotation", f"{self.paths[number]}: {person.key}: {error}")
        rows = empty_rows(len(people), [name for p, _ in people for name in (p.key, p.picture.name)])
        for row, (person, labels) in zip(rows, people, strict=True):
            for name in ("keypoints_2d", "keypoints_3d", "pose", "betas", "has_betas"):
                row[name] = labels[name]
            row["has_pose"] = labels["has_pose"]
            row["key"], row["image"] = person.key.encode(), person.picture.name.encode()
            row["offset"], row["length"] = person.picture.offset, person.picture.size
        if len(rows):
            boxes = np.array([[*labels["center"], *labels["scale"]] for _, labels in people])
            set_box(rows, boxes[:, :2], boxes[:, 2:] * _UNIT)
        rows["file"] = number
        rows["trusted_3d"] = self.trusted_3d
        assume_limbs(rows, self.limbs)
        loss = np.array([labels["loss"] for _, labels in people], np.float64)
        keep = self._filter(rows, loss, contents.drop, self.paths[number])
        return Part(rows[keep], contents.dropped, contents.examples)

    @cached_property
    def _plausible(self) -> PosePlausibility | None:
        return (
            None
            if self.filters.pose_histogram is None
            else PosePlausibility.read(self.filters.pose_histogram)
        )

    def _filter(self, rows: np.ndarray, loss: np.ndarray, drop: Any, path: Path) -> np.ndarray:
        """In upstream's order. Returns which rows stay; the others are counted by reason."""
        filters = self.filters
        rows["keypoints_2d"][rows["keypoints_2d"][..., 2] < filters.min_confidence, 2] = 0
        rows["has_betas"] &= np.abs(rows["betas"]).max(1, initial=0) <= filters.max_beta
        has_pose = rows["has_pose"].any(1)
        if self._plausible is not None and len(rows):
            has_pose &= self._plausible(rows["pose"])
        if filters.pose_with_betas:
            has_pose &= rows["has_betas"]
            rows["has_betas"] &= has_pose
        rows["has_pose"] = np.asarray(has_pose)[:, None]
        enough = (rows["keypoints_2d"][..., 2] > 0).sum(1) > filters.min_keypoints
        fitted = ~(loss >= filters.max_reprojection_loss)
        square = (rows["side"] > 0) & np.isfinite(rows["side"])
        for reason, bad in (
            ("few_keypoints", ~enough), ("bad_fit", enough & ~fitted), ("empty_box", enough & fitted & ~square),
        ):  # fmt: skip
            for number in np.flatnonzero(bad):
                drop(reason, f"{path}: {rows['key'][number].decode()}")
        if filters.zero_betas:
            rows["betas"][~rows["has_betas"]] = 0
            rows["has_betas"] = True
        return enough & fitted & square


def _labels(fields: dict[str, Any]) -> dict[str, Any]:
    """One person's fields as arrays; ValueError naming the one that is wrong."""
    scale = np.asarray(plain(fields["scale"]), np.float64).reshape(-1) if "scale" in fields else np.zeros(0)
    if scale.size not in (1, 2) or not np.isfinite(scale).all():
        raise ValueError("scale is missing or no size")
    extra = plain(fields.get("extra_info")) if fields.get("extra_info") is not None else {}
    return {
        "keypoints_2d": values(fields, "keypoints_2d", (44, 3)),
        "keypoints_3d": values(fields, "keypoints_3d", (44, 4)),
        "center": values(fields, "center", (2,)),
        "scale": np.broadcast_to(scale, 2),
        "pose": values(fields, "body_pose", (24, 3)),
        "betas": values(fields, "betas", (10,)),
        "has_pose": bool(values(fields, "has_body_pose", (1,))[0] > 0),
        "has_betas": bool(values(fields, "has_betas", (1,))[0] > 0),
        "loss": _reprojection_loss(extra),
    }


def _reprojection_loss(extra: Any) -> float:
    """NaN where there is none. The file wraps a dict in an array of no dimensions."""
    found = extra.get("fitting_loss") if isinstance(extra, dict) else None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    loss = found.get("reprojection_loss") if isinstance(found, dict) else None
    try:
        return float(np.asarray(loss, np.float64).reshape(-1)[0])
    except (TypeError, ValueError, IndexError):
        return float("nan")


def read_hmr2_tars(
    tars: str | Sequence[str],
    *,
    root: str | Path = ".",
    name: str,
    filters: Hmr2Filters | None = None,
    trusted_3d: bool = False,
    limbs: LimbsOf = "labels",
    cache: str | Path | None = None,
    processes: int = 1,
) -> PeopleTable:
    """The people of one of HMR2.0's tar datasets; the index is made on first use (`table_cache`).

    Args:
        tars: a folder, a glob, or ``aic-train-vitpose/{000000..000104}.tar``.
        root: what ``tars`` is relative to.
        name: of the dataset in keys.
        filters: of pseudo ground truth.
        trusted_3d: H36M only: its labels are motion capture.
        limbs: ``intact`` where all people are known to be.
        cache: folder of the index.
        processes: that make the index.
    """
    paths = [path for path in expand_tars(tars, root) if "/".join(path.parts[-2:]) not in KNOWN_BAD_TARS]
    reader = _PartReader(tuple(paths), filters or Hmr2Filters(), trusted_3d, limbs)
    options = {"reader": "hmr2", **asdict(reader.filters), "trusted_3d": trusted_3d, "limbs": limbs}
    part = cached_rows(name, paths, options, reader, cache=cache, processes=processes)
    return PeopleTable(
        name, part.rows, PictureStore(root, paths), part.dropped, part.examples, amputees=False
    )
