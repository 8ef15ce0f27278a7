"""Poses of every file source in one memory-mapped bank; workers share its pages.

    poses/
      bank.json     sources with their rows, what was left out; written last
      poses.npy     (N, 24, 3) float32 rotation vectors, root first
      betas.npy     (N, 10) float32, NaN without a shape
      places.npy    which fit is of whom in which background

Roots of fits are in the camera frame of their photograph, those of motion capture in the upright body frame.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from ajahr.errors import UserError
from synth.pose_sources.config import MOCAP_KINDS
from synth.pose_sources.matching import ANYWHERE

BANK_NAME = "bank.json"
PLACE_DTYPE = np.dtype(
    [
        ("background", "<i4"),
        ("slot", "<i2"),
        ("source", "<i2"),
        ("row", "<i8"),
        ("px_per_m", "<f4"),
        ("pelvis_x", "<f4"),
        ("pelvis_y", "<f4"),
        ("ground_y", "<f4"),
        ("overlap", "<f4"),
    ]
)


@dataclass(frozen=True)
class BankSource:
    """Rows ``first`` to ``first + count`` of one source."""

    name: str
    kind: str
    first: int
    count: int

    @property
    def captured(self) -> bool:
        """Whether roots are upright instead of seen by a camera."""
        return self.kind in MOCAP_KINDS


@dataclass(frozen=True, eq=False)
class BankPose:
    """One pose.

    Attributes:
        pose_rotvec: Root first.
        betas: Or None.
        px_per_m, pelvis_px, ground_y: Where it is in the background it was asked for; None in any other.
    """

    pose_rotvec: Float32[np.ndarray, "24 3"]
    betas: Float32[np.ndarray, " 10"] | None
    px_per_m: float | None = None
    pelvis_px: tuple[float, float] | None = None
    ground_y: float | None = None


class PoseBank:
    """The bank in ``folder``; an empty one without.

    Raises:
        UserError: it is not there, or damaged.
    """

    def __init__(self, folder: Path | None) -> None:
        self.sources: dict[str, BankSource] = {}
        self.drops: dict[str, int] = {}
        self._ranges: dict[tuple[int, int, int], tuple[int, int]] = {}
        if folder is None:
            return
        mend = f"delete {folder} and run the same command again"
        try:
            tree = json.loads((folder / BANK_NAME).read_bytes())
            self.drops = dict(tree["drops"])
            self._numbers = {entry["name"]: i for i, entry in enumerate(tree["sources"])}
            for entry in tree["sources"]:
                source = BankSource(entry["name"], entry["kind"], entry["first"], entry["count"])
                self.sources[source.name] = source
            self._poses = np.load(folder / "poses.npy", mmap_mode="r", allow_pickle=False)
            self._betas = np.load(folder / "betas.npy", mmap_mode="r", allow_pickle=False)
            self._places = np.load(folder / "places.npy", mmap_mode="r", allow_pickle=False)
            total = sum(source.count for source in self.sources.values())
            if len(self._poses) != total or len(self._betas) != total or self._places.dtype != PLACE_DTYPE:
                raise ValueError("its arrays do not agree with bank.json")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder}: the pose bank cannot be read ({error}); {mend}") from None
        keys = self._places[["background", "slot", "source"]]
        bounds = [0, *(np.flatnonzero(keys[1:] != keys[:-1]) + 1).tolist(), len(keys)]
        for start, stop in pairwise(bounds):
            if start < stop:
                background, slot, number = (int(v) for v in keys[start].tolist())
                self._ranges[background, slot, number] = (start, stop)

    def draw(self, rng: np.random.Generator, name: str) -> BankPose:
        """Any pose of a source."""
        source = self.sources[name]
        return self._pose(source.first + int(rng.integers(source.count)))

    def own(self, rng: np.random.Generator, name: str, background: str, slot: int) -> BankPose | None:
        """The pose of whoever stood in a place of a background, or of somebody before the same camera."""
        number = self._numbers[name]
        found = self._ranges.get((int(background), slot, number))
        found = found or self._ranges.get((int(background), ANYWHERE, number))
        if found is None:
            return None
        place = self._places[int(rng.integers(*found))]
        pelvis = float(place["pelvis_x"]), float(place["pelvis_y"])
        return self._pose(int(place["row"]), float(place["px_per_m"]), pelvis, float(place["ground_y"]))

    def _pose(
        self,
        row: int,
        px_per_m: float | None = None,
        pelvis_px: tuple[float, float] | None = None,
        ground_y: float | None = None,
    ) -> BankPose:
        betas = np.array(self._betas[row])
        return BankPose(
            np.array(self._poses[row]),
            betas if np.isfinite(betas).all() else None,
            px_per_m,
            pelvis_px,
            ground_y,
        )
