"""Who somebody is to the eye: sex, group, texture and shape."""

from __future__ import annotations

import numpy as np

from ajahr.body.data import BodyData
from ajahr.errors import UserError
from synth.appearance.shapes import sample_betas
from synth.appearance.source import TextureSource
from synth.config import GenerateConfig
from synth.record import Record
from synth.splits import identity_split

_IDENTITY = 0x1D
"""Keeps the draws of identities apart from those of scenes."""


def identity_numbers(config: GenerateConfig) -> list[int]:
    """The identities that may appear: those of the job's split.

    Raises:
        UserError: there are identities, none of them in this split.
    """
    numbers = range(config.appearance.identities)
    if not config.split_shares:
        return list(numbers)
    own = [k for k in numbers if identity_split(k, config.split_shares) == config.split]
    if numbers and not own:
        raise UserError(
            f"config: none of the {len(numbers)} appearance.identities falls into split {config.split!r}; give more"
        )
    return own


class Appear:
    """A texture from the bank, group first so that A3D's proportions hold, and betas of an adult of that sex.

    With ``identities`` somebody is one of so many people, whose texture and shape stay theirs in every picture.
    Somebody put in place with the shape of the person who stood there keeps it; other fitted poses bring no
    shape with them.
    """

    def __init__(
        self, bank: TextureSource, body: BodyData, identities: list[int] | None = None, seed: int = 0
    ) -> None:
        self.bank, self.body, self.identities, self.seed = bank, body, identities or [], seed

    def __call__(self, record: Record) -> Record:
        for person in record.people:
            rng = record.rng
            if self.identities:
                number = self.identities[int(rng.integers(len(self.identities)))]
                rng = np.random.default_rng([self.seed, _IDENTITY, number])
            person.texture = self.bank.choose(rng)
            person.sex = person.texture.sex
            betas = sample_betas(rng, person.sex, self.body)
            if not person.keeps_betas:
                person.betas = np.asarray(betas, np.float32)
        return record
