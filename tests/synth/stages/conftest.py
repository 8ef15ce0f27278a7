"""A person placed in a small picture, ready for the stages that draw."""

from pathlib import Path

import numpy as np
import pytest

from ajahr.anatomy import absent_joint_mask
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.cameras import Camera
from synth.appearance.groups import Group, Sex
from synth.appearance.source import TextureEntry, TextureSource
from synth.background_bank import Background, Slot
from synth.config import GenerateConfig, PoseConfig, RealismConfig, RenderConfig
from synth.occluders.cover import hide_behind, mark_person
from synth.record import Person, Record
from synth.stages.hard_cases import TakeAids
from synth.stages.label import Label
from synth.stages.place import Place
from synth.stages.render import Render
from synth.stages.residual import CutLimbs

UPRIGHT = np.zeros((24, 3), np.float32)
UPRIGHT[0] = (np.pi, 0, 0)


@pytest.fixture(scope="session")
def fast() -> FastBody:
    return FastBody(load_body())


@pytest.fixture
def scene(fast):
    """Makes a record with one person, placed and cut: 320 x 240, 100 px per m, standing at y = 220."""
    cut = CutLimbs(fast)

    def make(levels=(0, 0, 0, 0), *, cases=(), worn=(None,) * 4, seed=0, is_twin=False, others=(),
             fractions=(0.0,) * 4) -> Record:  # fmt: skip
        rendered = (0, 0, 0, 0) if is_twin else levels
        slot = Slot((0, 0, 1, 1), 100.0, 160.0, 220.0)
        person = Person(slot, levels, rendered, UPRIGHT.copy(), "sampled", "everyday",
                        absent=absent_joint_mask(rendered), cases=set(cases), worn=worn,
                        fractions=fractions)  # fmt: skip
        record = Record(0, 0, is_twin, np.random.default_rng(seed), camera=Camera.hmr(320, 240))
        record.people = [person, *others]
        TakeAids(PoseConfig())(record)
        return cut(Place(fast, RenderConfig())(record))

    return make


class Grey(TextureSource):
    """One texture for everybody."""

    def entries_of(self, sex, group):
        return [TextureEntry("grey", sex, group, self)]

    def decode(self, entry):
        return np.full((8, 8, 3), 150, np.uint8)


@pytest.fixture(scope="session")
def labelled(fast):
    """Renders, fills the mask and labels: the people of the annotation."""
    render = Render(fast.data, RenderConfig(), RealismConfig.plain())

    def run(record: Record, **config):
        label = Label(GenerateConfig(output=Path("out"), **config), "neutral")
        entry = Grey().entries_of(Sex.FEMALE, next(iter(Group)))[0]
        for person in record.people:
            person.texture, person.sex = entry, entry.sex
        record.background = Background("0", Path("0"), "test", "0", "none", 320, 240, 1.0, False, ())
        render(record)
        record.mask = np.zeros((240, 320), np.uint8)
        for number, person in enumerate(record.people):
            mark_person(record.mask, person.render, number)
            for cutout in person.cutouts:
                hide_behind(record.mask, cutout)
        return label(record).annotation.people

    return run
