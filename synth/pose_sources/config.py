"""Where poses come from, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ajahr.poses.sampler import FAMILIES

FILE_KINDS = ("hmr2", "predictions", "scorehmr", "amass", "moyo")
"""Kinds of sources that are read from files into the pose bank."""
MOCAP_KINDS = ("amass", "moyo")


@dataclass
class PoseSourceConfig:
    """One origin of poses.

    Fits and predictions know the photograph they were made on: where that photograph is the background, the
    person is put in place with their own pose, shape and camera; anywhere else the file is a pool of poses.

    Attributes:
        kind: ``sampled`` (`PoseConfig.families`), ``smplify`` (fitted to the keypoints of the people in the
            photographs), ``hmr2`` (an .npz annotation of HMR2/4D-Humans with fits: COCO, MPII, H36M),
            ``predictions`` (of any model, in the JSON of `synth.pose_sources.predictions`, or a folder that
            ``ajahr predict`` made), ``scorehmr`` (its
            results, .npz or .pkl), ``amass`` or ``moyo`` (a folder of sequences).
        path: The file, or the folder of sequences.
        weight: Relative share of people whose pose is from here.
        name: Recorded with every person in such a pose; the kind when empty.
        annotations: Annotation .npz whose rows a ``scorehmr`` file follows, when it names no images itself.
        stride: Every so manieth frame of a sequence; 0 takes TokenHMR's (10 of AMASS, 5 of MOYO).
        up_axis: Vertical axis of a motion capture's world; ``auto`` finds the one most pelvises point along.
        max_penetration: Poses in which limbs pass deeper through the body are dropped, m.
        max_violation_deg: Poses with a joint further outside its range of motion are dropped.
        limit: Keep at most so many poses, evenly spaced.
    """

    kind: Literal["sampled", "smplify", "hmr2", "predictions", "scorehmr", "amass", "moyo"]
    path: Path | None = None
    weight: float = 1.0
    name: str = ""
    annotations: Path | None = None
    stride: int = 0
    up_axis: Literal["auto", "y", "z"] = "auto"
    max_penetration: float = 0.05
    max_violation_deg: float = 45.0
    limit: int | None = None

    @property
    def label(self) -> str:
        """What is recorded."""
        return self.name or self.kind


@dataclass
class PoseConfig:
    """Where poses come from.

    Attributes:
        fitted_share: Without ``sources``: the share of people in a pose fitted to somebody in the photographs;
            the rest are sampled.
        sources: A mix of sources by weight; ``fitted_share`` then plays no part.
        families: Relative weights of the sampler's families.
        camera_pitch_deg: Largest downward tilt of the camera on sampled and captured poses.
    """

    fitted_share: float = 0.4
    sources: list[PoseSourceConfig] = field(default_factory=list)
    families: dict[str, float] = field(
        default_factory=lambda: {
            "everyday": 0.4,
            "sport": 0.25,
            "seated": 0.15,
            "wheelchair": 0.12,
            "lying": 0.08,
        }
    )
    camera_pitch_deg: float = 12.0

    def mix(self) -> list[PoseSourceConfig]:
        """The sources in effect."""
        return self.sources or [
            PoseSourceConfig("smplify", weight=self.fitted_share, name="fitted"),
            PoseSourceConfig("sampled", weight=1 - self.fitted_share),
        ]

    def problems(self) -> list[tuple[bool, str]]:
        """Pairs of whether a key is wrong and what to say about it."""
        files = [source for source in self.sources if source.kind in FILE_KINDS]
        labels = [source.label for source in self.mix()]
        twice = next((label for label in labels if labels.count(label) > 1), "")
        return [
            (not 0 <= self.fitted_share <= 1, "poses.fitted_share is a share, 0..1"),
            (any(name not in FAMILIES for name in self.families),
             f"poses.families: {', '.join(sorted(set(self.families) - set(FAMILIES)))} is none of "
             f"{', '.join(FAMILIES)}"),
            (min(self.families.values(), default=-1) < 0 or sum(self.families.values()) <= 0,
             "poses.families takes weights, none negative, not all zero"),
            (any(source.path is None for source in files),
             "poses.sources: " + ", ".join(s.kind for s in files if s.path is None) + " needs 'path'"),
            (any(source.path is not None for source in self.sources if source.kind not in FILE_KINDS),
             "poses.sources: sampled and smplify read no file; take their 'path' away"),
            (any(source.weight < 0 for source in self.sources)
             or (bool(self.sources) and sum(source.weight for source in self.sources) <= 0),
             "poses.sources takes weights, none negative, not all zero"),
            (bool(twice), f"poses.sources: two are called {twice}; give each a 'name' of its own"),
            (any(source.stride < 0 for source in files), "poses.sources: stride must not be negative"),
            (any(source.limit is not None and source.limit < 1 for source in files),
             "poses.sources: limit must be at least 1"),
            (any(source.max_penetration <= 0 or source.max_violation_deg <= 0 for source in files),
             "poses.sources: max_penetration and max_violation_deg must be positive"),
        ]  # fmt: skip
