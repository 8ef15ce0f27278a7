"""One person of a dataset before the crop, and a dataset's people as one array of fixed rows.

Readers make rows; the loader reads one row and one picture per sample. A row is one record of a structured
array, so that millions of them can be mapped from disk and shared by every worker, and a batch of them is
columns without a loop. What is not known is marked, never invented: confidences are 0, ``has_*`` False,
levels -1, lengths NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Int, Num

from ajahr.anatomy import BPAC_KEYPOINTS, J44, J44_FROM_COCO17
from ajahr.data.hmr.pictures import PictureStore
from ajahr.geometry.crops import crop_side
from ajahr.residual_limb.segments import fractions_of_levels

UNKNOWN_LEVEL = -1
GENDER_CODES = ("neutral", "male", "female")
"""Value of the column ``gender``."""
BPAC_J44: tuple[int, ...] = tuple(J44_FROM_COCO17[i] for i in BPAC_KEYPOINTS)
"""Slots in J44 of the twelve keypoints BPAC-Net sees."""
_LABELS: list[tuple[Any, ...]] = [
    ("center", "f4", (2,)),  # of the box, px
    ("side", "f4"),  # of the square crop, px, before augmentation
    ("keypoints_2d", "f4", (44, 3)),  # px, confidence
    ("keypoints_3d", "f4", (44, 4)),  # camera frame, m, confidence
    ("pose", "f4", (24, 3)),  # rotation vectors, global_orient first (body to camera)
    ("has_pose", "?", (24,)),
    ("betas", "f4", (10,)),
    ("has_betas", "?"),
    ("trusted_3d", "?"),
    ("levels", "i1", (4,)),
    ("intact_2d", "f4", (12, 2)),  # where the BPAC keypoints of the intact body are, px; NaN: not known
    ("hidden", "?", (12,)),  # BPAC keypoints known to be covered or outside the picture
    ("gender", "u1"),  # GENDER_CODES
    ("residual", "f4", (8,)),  # lambda of a limb's end in each of `SEGMENTS`; NaN: none, or not known
    ("residual_3d", "f4", (8, 4)),  # that end, camera frame, m, confidence
    ("transl", "f4", (3,)),  # SMPL's, camera frame, m; NaN: not known
    ("focal_length", "f4"),  # px; NaN: not known
    ("image_size", "f4", (2,)),  # width, height; NaN: known when the picture is read
    # where the picture is: `PictureStore`
    ("file", "i4"),
    ("offset", "i8"),
    ("length", "i8"),
    ("quarter_turns", "u1"),  # clockwise, before anything else
]


def row_dtype(name_bytes: int = 64) -> np.dtype:
    """Rows whose ``key`` and ``image`` (name of the picture) have room for so many bytes of UTF-8."""
    size = max(int(name_bytes), 1)
    return np.dtype([*_LABELS, ("key", f"S{size}"), ("image", f"S{size}")])


def empty_rows(count: int, names: list[str] | None = None) -> np.ndarray:
    """``count`` rows in which nothing is known yet; ``names``, of which the longest must fit."""
    rows = np.zeros(count, row_dtype(max((len(n.encode()) for n in names or [""]), default=1)))
    rows["levels"] = UNKNOWN_LEVEL
    for name in ("intact_2d", "residual", "transl", "focal_length", "image_size"):
        rows[name] = np.nan
    rows["file"] = -1
    return rows


def set_box(
    rows: np.ndarray, center: Num[np.ndarray, "rows xy=2"], size: Num[np.ndarray, "rows wh=2"]
) -> None:
    """Boxes of (width, height) px, enlarged already (x 1.2), to the square crops of the HMR2 lineage."""
    rows["center"] = center
    rows["side"] = crop_side(size)


def end_at_joints(rows: np.ndarray) -> None:
    """Residual ends of people cut at joints: lambda 0, or 1 at a shoulder or hip. For datasets whose cuts lie there
    exactly (A3D's and ours), never for photographs, whose classes say only between which joints a limb ends."""
    rows["residual"] = fractions_of_levels(rows["levels"].astype(np.int64))


def hide_absent(rows: np.ndarray) -> None:
    """2D confidence 0 for keypoints that a known amputation has taken, whatever the file says of them."""
    known = (rows["levels"] >= 0).all(1)
    absent = J44.absent(rows["levels"][known].astype(np.int64))
    points = rows["keypoints_2d"][known]
    points[absent] = 0
    rows["keypoints_2d"][known] = points


@dataclass(frozen=True, eq=False)
class PersonSample:
    """One person of a dataset before the crop. Frames and units as in `ajahr.data.batch.Batch`, but 2D is px."""

    key: str
    dataset: str
    picture: bytes
    """The encoded picture."""
    center: Float32[np.ndarray, "xy=2"]
    side: float
    keypoints_2d: Float32[np.ndarray, "j44=44 3"]
    keypoints_3d: Float32[np.ndarray, "j44=44 4"]
    pose_rotvec: Float32[np.ndarray, "joints=24 3"]
    has_pose: Bool[np.ndarray, "joints=24"]
    betas: Float32[np.ndarray, "betas=10"]
    has_betas: bool
    trusted_3d: bool
    limb_levels: Int[np.ndarray, "limbs=4"]
    residual: Float32[np.ndarray, "segments=8"]
    residual_3d: Float32[np.ndarray, "segments=8 4"]
    gender: str
    transl: Float32[np.ndarray, "xyz=3"]
    """NaN where it is not known."""


@dataclass(frozen=True, eq=False)
class PeopleTable:
    """The people of one dataset: their rows, and where their pictures are."""

    name: str
    rows: np.ndarray
    pictures: PictureStore
    dropped: dict[str, int] = field(default_factory=dict)
    """Reason to number of people or members a reader left out."""
    examples: dict[str, str] = field(default_factory=dict)
    """Reason to the first that was left out for it."""
    amputees: bool = True
    """False: the dataset is known to have nobody with a limb loss, so that nobody need look for them in rows
    that are on disk."""
    twins: Int[np.ndarray, " rows"] | None = None
    """Row of the same person with every limb, in the same pose before the same camera; -1: none. None: none at all."""

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, index: int) -> PersonSample:
        """Row ``index`` as one typed object."""
        row = self.rows[index]
        return PersonSample(
            key=self.key(index),
            dataset=self.name,
            picture=self.pictures.read(row),
            center=row["center"],
            side=float(row["side"]),
            keypoints_2d=row["keypoints_2d"],
            keypoints_3d=row["keypoints_3d"],
            pose_rotvec=row["pose"],
            has_pose=row["has_pose"],
            betas=row["betas"],
            has_betas=bool(row["has_betas"]),
            trusted_3d=bool(row["trusted_3d"]),
            limb_levels=row["levels"].astype(np.int64),
            residual=row["residual"],
            residual_3d=row["residual_3d"],
            gender=GENDER_CODES[row["gender"]],
            transl=row["transl"],
        )

    def key(self, index: int) -> str:
        """``dataset/key``: what errors and `Batch.keys` name."""
        return f"{self.name}/{self.rows[index]['key'].decode()}"

    def subset(self, keep: np.ndarray) -> PeopleTable:
        """Only the rows of ``keep`` (integers or a boolean mask)."""
        if self.twins is None:
            return replace(self, rows=self.rows[keep])
        kept = np.arange(len(self.rows))[keep]
        place = np.full(len(self.rows) + 1, -1)  # the last one is where a twin of -1 looks
        place[kept] = np.arange(len(kept))
        return replace(self, rows=self.rows[keep], twins=place[self.twins[kept]])

    def known_amputee(self) -> Bool[np.ndarray, " rows"]:
        """Rows with at least one limb known to be amputated."""
        return np.asarray((self.rows["levels"] > 0).any(1)) if self.amputees else np.zeros(len(self), bool)


LimbsOf = Literal["labels", "intact"]


def assume_limbs(rows: np.ndarray, limbs: LimbsOf) -> None:
    """``"intact"``: people without a label are taken to be intact, because whoever configured it knows.

    ``"labels"`` leaves them unknown, and limb losses masked.
    """
    if limbs == "intact":
        unknown = (rows["levels"] < 0).all(1)
        rows["levels"][unknown] = 0
