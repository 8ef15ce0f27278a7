"""Choose a background, the places in it, and who has lost what."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import LIMBS, NUM_LEVELS, NUM_LIMBS, absent_joint_mask, from_ajahr_index
from ajahr.geometry.cameras import Camera
from synth.background_bank import BackgroundBank
from synth.config import AmputationConfig, RenderConfig
from synth.record import Person, Record

INTACT = (0, 0, 0, 0)


class PickScene:
    """A background and one to several of its slots.

    Backgrounds are taken in turn by scene number, so that every photograph is used about equally often however
    small the dataset; the slots are drawn.
    """

    def __init__(self, bank: BackgroundBank, people_per_image: tuple[int, int], render: RenderConfig) -> None:
        self.bank, self.people_per_image, self.render = bank, people_per_image, render

    def __call__(self, record: Record) -> Record:
        rng = record.rng
        background = self.bank.backgrounds[record.scene % len(self.bank)]
        fewest, most = self.people_per_image
        count = min(int(rng.integers(fewest, most + 1)), len(background.slots))
        chosen = sorted(rng.choice(len(background.slots), count, replace=False).tolist())
        record.background = background
        focal_length = self.render.focal_factor * max(background.width, background.height)
        record.camera = Camera.centred(background.width, background.height, focal_length)
        record.people = [Person(background.slots[i], INTACT, INTACT) for i in chosen]
        return record


class Amputate:
    """Draw limb levels: nothing, one of the twelve classes, or several limbs.

    The first loss is drawn by class weight; further ones fall on other limbs, with levels by the same weights. A
    twin keeps the drawn levels, on which its pose and place depend, and is rendered intact.
    """

    def __init__(self, config: AmputationConfig) -> None:
        self.config = config
        weights = np.asarray(config.class_weights, np.float64)
        self.weights = weights / weights.sum()
        self.by_limb = np.zeros((NUM_LIMBS, NUM_LEVELS - 1))
        for index, weight in enumerate(self.weights):
            found = from_ajahr_index(index)
            assert found is not None
            self.by_limb[found[0], found[1] - 1] = weight

    def levels(self, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Levels of one person."""
        levels = [0] * NUM_LIMBS
        if rng.random() < self.config.intact_share:
            return INTACT
        found = from_ajahr_index(int(rng.choice(len(self.weights), p=self.weights)))
        assert found is not None
        levels[found[0]] = int(found[1])
        if rng.random() < self.config.multi_share:
            others = [limb for limb in LIMBS if limb != found[0] and self.by_limb[limb].sum() > 0]
            extra = 1 + int(rng.random() < 0.25)  # three limbs are rarer than two
            for limb in rng.permutation(others)[:extra].tolist():
                p = self.by_limb[limb] / self.by_limb[limb].sum()
                levels[limb] = int(rng.choice(NUM_LEVELS - 1, p=p)) + 1
        return (levels[0], levels[1], levels[2], levels[3])

    def __call__(self, record: Record) -> Record:
        for person in record.people:
            self.lose(person, record.rng, record.is_twin)
        return record

    def lose(self, person: Person, rng: np.random.Generator, is_twin: bool) -> None:
        """Draw what one person has lost."""
        person.levels = self.levels(rng)
        person.rendered_levels = INTACT if is_twin else person.levels
        person.absent = absent_joint_mask(person.rendered_levels)
