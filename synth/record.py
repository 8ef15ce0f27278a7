"""What travels through a recipe: one picture in the making, and the way to give it up with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from ajahr.anatomy import absent_joint_mask
from ajahr.body.fast import FastPose
from ajahr.data.record import ImageRecord
from ajahr.geometry.cameras import Camera
from ajahr.render.rasterizer import Lighting, RenderResult
from ajahr.residual_limb.cutter import CutPose
from synth.appearance.source import TextureEntry
from synth.background_bank import Background, Slot
from synth.props.mesh import Mesh


class Drop(Exception):
    """A picture or photograph that is given up. ``reason`` is a short name that is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Cutout:
    """An object on the picture plane: it hides what was drawn before it.

    Attributes:
        rgba_premultiplied: Its own small picture, colours multiplied by coverage.
        left, top: Where its corner lies in the picture, px. What reaches beyond the picture is cut off already.
    """

    rgba_premultiplied: UInt8[np.ndarray, "height width 4"]
    left: int
    top: int


@dataclass
class Person:
    """One person put into a picture. Stages fill the fields in the order they stand here.

    Attributes:
        slot: Where in the photograph.
        levels: Limb levels drawn for the scene; what is rendered is `rendered_levels`.
        rendered_levels: ``levels``, or all intact in an intact twin.
        fractions: Lambda of each limb that ends inside a bone, for the scene; 0 where it ends at a joint.
        pose_rotvec: (24, 3) rotation vectors, root first and in the camera frame; absent joints keep theirs.
        pose_source: ``fitted``, ``sampled`` or ``captured``.
        pose_family: Family of a sampled pose, name of its source otherwise.
        sex: ``female`` or ``male``.
        keeps_betas: Whether ``betas`` came with the pose, of somebody put in their own place.
        transl: (3,) m, camera frame.
        mesh: The body, camera frame, lost limbs shrunk onto the joint of their level; what is rendered unless there
            is a ``cut``. Labels of joints are its.
        cut: The body with limbs cut inside a bone, camera frame.
        render: What the rasteriser drew.
        cases: Hard cases arranged for this person, by name (`ajahr.data.record.HARD_CASES`); twins have the same.
        hidden_limb: The limb that an object, somebody else or the border takes out of sight, by case.
        in_front_of: Whom this person was put there to hide.
        T_cam_world: (3, 3) rotation of the upright world (y up) to the camera frame, where it is known.
        clearance_m: Height of the feet above the ground; a wheelchair's footrests carry them.
        joints_intact: (24, 3) m, camera frame: the joints with nothing lost, the same in both twins.
        crutch_hands: Limbs that hold a crutch.
        worn: Per limb the kind of prosthesis drawn for the scene; what is rendered is `prosthesis`.
        props: What is worn, sat in and held, camera frame.
        cutouts: Objects right in front of this person.
    """

    slot: Slot
    levels: tuple[int, int, int, int]
    rendered_levels: tuple[int, int, int, int]
    fractions: tuple[float, float, float, float] = field(default=(0.0, 0.0, 0.0, 0.0), kw_only=True)
    pose_rotvec: Float[np.ndarray, "24 3"] = field(default_factory=lambda: np.zeros((24, 3), np.float32))
    pose_source: str = ""
    pose_family: str = ""
    sex: str = ""
    texture: TextureEntry | None = None
    betas: Float[np.ndarray, "num_betas"] = field(default_factory=lambda: np.zeros(10, np.float32))
    keeps_betas: bool = False
    transl: Float[np.ndarray, "xyz=3"] = field(default_factory=lambda: np.zeros(3, np.float32))
    mesh: FastPose | None = None
    cut: CutPose | None = None
    lighting: Lighting | None = None
    render: RenderResult | None = None
    absent: Bool[np.ndarray, "joints=24"] = field(default_factory=lambda: np.zeros(24, bool))
    cases: set[str] = field(default_factory=set)
    hidden_limb: dict[str, int] = field(default_factory=dict)
    in_front_of: Person | None = None
    T_cam_world: Float[np.ndarray, "3 3"] | None = None
    clearance_m: float = 0.0
    joints_intact: Float[np.ndarray, "joints=24 3"] = field(
        default_factory=lambda: np.zeros((24, 3), np.float32)
    )
    crutch_hands: tuple[int, ...] = ()
    worn: tuple[str | None, ...] = (None, None, None, None)
    props: list[Mesh] = field(default_factory=list)
    cutouts: list[Cutout] = field(default_factory=list)

    @property
    def prosthesis(self) -> tuple[str | None, ...]:
        """Per limb the kind that is worn, as rendered: an intact twin wears none."""
        return tuple(
            kind if level else None for kind, level in zip(self.worn, self.rendered_levels, strict=True)
        )

    @property
    def rendered_fractions(self) -> tuple[float, ...]:
        """``fractions`` as rendered: an intact twin has lost nothing."""
        return tuple(
            one if level else 0.0 for one, level in zip(self.fractions, self.rendered_levels, strict=True)
        )

    @property
    def collapsed(self) -> Bool[np.ndarray, "joints=24"]:
        """Joints lost at joint level as rendered; those of a limb that ends inside a bone are cut off instead."""
        levels = [
            0 if one else level for one, level in zip(self.fractions, self.rendered_levels, strict=True)
        ]
        return absent_joint_mask(levels)

    @property
    def vertices(self) -> Float32[np.ndarray, "vertices 3"]:
        """Of the surface that is rendered."""
        assert self.mesh is not None
        return self.mesh.vertices if self.cut is None else self.cut.vertices

    @property
    def pose_levels(self) -> tuple[int, ...]:
        """Limb levels as far as the pose is concerned: on a prosthesis people stand."""
        return tuple(0 if kind else level for kind, level in zip(self.worn, self.levels, strict=True))


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
