"""Who somebody is to the eye: sex, group, texture and shape."""

from __future__ import annotations

import numpy as np

from ajahr.body.data import BodyData
from synth.appearance.shapes import sample_betas
from synth.appearance.source import TextureSource
from synth.record import Record


class Appear:
    """A texture from the bank, group first so that A3D's proportions hold, and betas of an adult of that sex.

    Somebody in a fitted pose keeps no fitted shape: photographs give poses, not identities.
    """

    def __init__(self, bank: TextureSource, body: BodyData) -> None:
        self.bank, self.body = bank, body

    def __call__(self, record: Record) -> Record:
        for person in record.people:
            person.texture = self.bank.choose(record.rng)
            person.sex = person.texture.sex
            person.betas = np.asarray(sample_betas(record.rng, person.sex, self.body), np.float32)
        return record
