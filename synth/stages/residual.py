"""Draw where in a bone limbs end, and cut them there."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import LIMBS, residual_end
from ajahr.body.fast import FastBody
from ajahr.data.fields import DECIMALS
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.residual_limb.cutter import LimbCutter
from ajahr.residual_limb.segments import SEGMENT, Segment
from synth.record import Drop, Person, Record
from synth.residual_config import CLINICAL, HIGHEST, ResidualConfig

_ENDS = 0x5E6
"""Keeps these draws apart from all others of the scene, which are what they would be without."""
_REDRAWS = 64


class DrawEnds:
    """Lambda of each limb that ends inside a bone, the same for both twins."""

    def __init__(self, config: ResidualConfig) -> None:
        self.config = config

    def __call__(self, record: Record) -> Record:
        if self.config.share == 0:
            return record
        entropy = record.rng.bit_generator.seed_seq.entropy  # type: ignore[attr-defined]
        rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(_ENDS,)))
        for person in record.people:
            found = [self.draw(rng, bone_of(limb, person.levels[limb])) for limb in LIMBS]
            person.fractions = (found[0], found[1], found[2], found[3])
        return record

    def draw(self, rng: np.random.Generator, bone: Segment | None) -> float:
        """Lambda, rounded as it is written; 0: the limb ends at the joint, or is whole, or lost at its top."""
        inside = rng.random() < self.config.share
        share = rng.random()
        if bone is None or not inside:
            return 0.0
        low, high = self.config.lambda_range
        high = max(min(high, HIGHEST.get(bone.bone, 1.0)), low)
        value = low + share * (high - low)
        if self.config.distribution == "clinical":
            mean, spread = CLINICAL[bone.bone]
            for _ in range(_REDRAWS):
                drawn = rng.normal(mean, spread)
                if low <= drawn <= high:
                    value = drawn
                    break
        return round(value, DECIMALS["share"])


def bone_of(limb: int, level: int) -> Segment | None:
    """The bone in which a limb of this level ends."""
    name = residual_end(limb, level)
    return None if name is None else SEGMENT[name]


class CutLimbs:
    """The surface of those whose limbs end inside a bone, in the pose and place they were given.

    Cut at the betas that the record holds, so that the record's cut is this one.
    """

    def __init__(self, body: FastBody) -> None:
        self.body, self.cutter = body, LimbCutter(body.data)

    def __call__(self, record: Record) -> Record:
        for person in record.people:
            ends = {
                bone: fraction
                for limb, fraction in zip(LIMBS, person.rendered_fractions, strict=True)
                if fraction and (bone := bone_of(limb, person.rendered_levels[limb])) is not None
            }
            if ends:
                self.cut(person, ends)
        return record

    def cut(self, person: Person, ends: dict[Segment, float]) -> None:
        betas = np.round(np.asarray(person.betas, np.float64), DECIMALS["betas"])
        try:
            shape = self.cutter(betas, ends)
        except UserError:
            raise Drop("limb_cannot_be_cut") from None
        if any(end.clamped for end in shape.ends):
            raise Drop("limb_cut_too_high")
        rotmats = rotvec_to_rotmat(person.pose_rotvec).astype(np.float32)
        person.cut = self.cutter.pose(
            self.body, shape, person.betas, rotmats, person.collapsed, person.transl
        )
