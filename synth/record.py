"""What travels through a recipe: one picture in the making, and the way to give it up with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.body.fast import FastPose
from ajahr.data.record import ImageRecord
from ajahr.geometry.cameras import Camera
from ajahr.render.rasterizer import Lighting, RenderResult
from synth.appearance.source import TextureEntry
from synth.background_bank import Background, Slot


class Drop(Exception):
    """A picture or photograph that is given up. ``reason`` is a short name that is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class Person:
    """One person put into a picture. Stages fill the fields in the order they stand here.

    Attributes:
        slot: Where in the photograph.
        levels: Limb levels drawn for the scene; what is rendered is `rendered_levels`.
        rendered_levels: ``levels``, or all intact in an intact twin.
        pose_rotvec: (24, 3) rotation vectors, root first and in the camera frame; absent joints keep theirs.
        pose_source: ``fitted`` or ``sampled``.
        pose_family: Family of a sampled pose, ``fitted`` otherwise.
        sex: ``female`` or ``male``.
        transl: (3,) m, camera frame.
        mesh: The body as rendered, camera frame.
        render: What the rasteriser drew.
    """

    slot: Slot
    levels: tuple[int, int, int, int]
    rendered_levels: tuple[int, int, int, int]
    pose_rotvec: Float[np.ndarray, "24 3"] = field(default_factory=lambda: np.zeros((24, 3), np.float32))
    pose_source: str = ""
    pose_family: str = ""
    sex: str = ""
    texture: TextureEntry | None = None
    betas: Float[np.ndarray, "num_betas"] = field(default_factory=lambda: np.zeros(10, np.float32))
    transl: Float[np.ndarray, "xyz=3"] = field(default_factory=lambda: np.zeros(3, np.float32))
    mesh: FastPose | None = None
    lighting: Lighting | None = None
    render: RenderResult | None = None
    absent: Bool[np.ndarray, "joints=24"] = field(default_factory=lambda: np.zeros(24, bool))


@dataclass
class Record:
    """One picture in the making.

    Attributes:
        index: The sample's number in the dataset.
        scene: Number of the scene; an amputee and their intact twin share it.
        is_twin: Whether this is the intact twin.
        rng: The scene's own generator: twins draw the same numbers.
    """

    index: int
    scene: int
    is_twin: bool
    rng: np.random.Generator
    background: Background | None = None
    camera: Camera | None = None
    people: list[Person] = field(default_factory=list)
    image: UInt8[np.ndarray, "height width 3"] | None = None
    mask: UInt8[np.ndarray, "height width"] | None = None
    annotation: ImageRecord | None = None
    files: dict[str, bytes] = field(default_factory=dict)


Stage = Callable[[Record], Record]
"""One step of a recipe: takes a record and returns it, or raises `Drop`."""


def run_recipe(stages: Sequence[Stage], record: Record) -> Record:
    """The record after every stage in order."""
    for stage in stages:
        record = stage(record)
    return record
