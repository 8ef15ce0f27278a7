"""Layers over a photograph: who is on top, and what realism may touch."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.data.mask import split_mask
from synth.appearance.groups import Group, Sex
from synth.appearance.source import TextureEntry, TextureSource
from synth.background_bank import Background, BackgroundBank
from synth.config import RealismConfig, RenderConfig
from synth.realism.colour import Tone
from synth.realism.noise import Grain
from synth.realism.traits import PhotoTraits, PlaceTraits
from synth.record import Person, Record
from synth.stages.compose import Compose
from synth.stages.encode import Encode
from synth.stages.render import Render

FAST = FastBody(load_body())


class Bank(BackgroundBank):
    """One picture."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture
        self.picture.setflags(write=False)

    def image(self, background):
        return self.picture


class Cloth(TextureSource):
    """One texture for everybody."""

    def entries_of(self, sex, group):
        return [TextureEntry("cloth", sex, group, self)]

    def decode(self, entry):
        return np.full((8, 8, 3), (150, 110, 90), np.uint8)


def background(grey: bool = False, **traits) -> Background:
    known = PhotoTraits(**traits)
    return Background("0", Path("0"), "made", "a", "", 320, 240, 1.0, grey, (), traits=known)


@pytest.fixture
def drawn(scene):
    """A rendered record over a flat picture."""

    def make(levels=(0, 0, 0, 0), traits=None, photo=None, **options) -> Record:
        record = scene(levels, **options)
        record.background = photo or background()
        for person in record.people:
            if traits is not None:
                person.slot = replace(person.slot, traits=traits)
            person.texture = Cloth().entries_of(Sex.FEMALE, next(iter(Group)))[0]
        return render(record)

    render = Render(FAST.data, RenderConfig(samples=1), RealismConfig.plain())
    return make


def composed(record: Record, realism: RealismConfig, value: int = 120) -> Record:
    picture = np.full((240, 320, 3), (value, value - 20, value - 40), np.uint8)
    return Compose(FAST, Bank(picture), RenderConfig(samples=1), realism)(record)


PLAIN = RealismConfig.plain()


def only(**steps) -> RealismConfig:
    return RealismConfig(**{**dict.fromkeys(("light", "shadow", "colour", "blur", "noise"), False), **steps})


def test_the_plain_paste_changes_nothing_beside_the_body(drawn):
    record = composed(drawn(), PLAIN)
    outside = record.people[0].render.alpha == 0
    assert (record.image[outside] == (120, 100, 80)).all()
    assert not (record.image[~outside] == (120, 100, 80)).all()


def test_the_mask_is_the_same_whatever_the_realism(drawn):
    masks = [composed(drawn(traits=PlaceTraits(2.0)), realism).mask for realism in (PLAIN, RealismConfig())]
    assert np.array_equal(*masks)
    person, joint = split_mask(masks[0])
    assert set(np.unique(person)) == {-1, 0} and joint.max() < 24


def test_grain_falls_on_rendered_pixels_only(drawn):
    photo = background(grain=Grain((5.0,) * 5, 0.3, 0.0))
    bare, grainy = (
        composed(drawn(photo=photo), realism) for realism in (PLAIN, only(noise=True, jpeg_quality="fixed"))
    )
    covered = bare.people[0].render.alpha > 0
    assert np.array_equal(bare.image[~covered], grainy.image[~covered])
    step = (grainy.image[covered].astype(float) - bare.image[covered]).mean(axis=1)
    assert step.std() == pytest.approx(5.0, rel=0.15) and abs(step.mean()) < 0.5


def test_a_shadow_lies_on_the_ground_and_on_nobody(drawn):
    bare, shaded = (composed(drawn(), realism) for realism in (PLAIN, only(shadow=True)))
    covered = bare.people[0].render.alpha == 255
    assert np.array_equal(bare.image[covered], shaded.image[covered])
    darker = (shaded.image.astype(int) < bare.image).all(axis=2)
    assert not (shaded.image.astype(int) > bare.image).any()
    rows = np.flatnonzero(darker.any(axis=1))
    assert rows.size and rows.min() > 150  # he stands at y = 220


def test_blur_spills_no_farther_than_it_says(drawn):
    sharp, soft = (composed(drawn(traits=PlaceTraits(2.0)), realism) for realism in (PLAIN, only(blur=True)))
    near = cv2.dilate((sharp.people[0].render.alpha > 0).astype(np.uint8), np.ones((15, 15))) > 0
    assert np.array_equal(sharp.image[~near], soft.image[~near])
    assert (sharp.image != soft.image).any()


def test_haze_lifts_a_dark_body(drawn):
    traits = PlaceTraits(tone=Tone(36.0, 250.0, 22.0, (1.0, 1.0, 1.0)))
    bare, hazy = (composed(drawn(traits=traits), realism) for realism in (PLAIN, only(colour=True)))
    covered = bare.people[0].render.alpha == 255
    assert hazy.image[covered].min() > bare.image[covered].min() + 10


def test_twins_differ_by_the_lost_limb_alone(drawn):
    """Grain, colour and blur are the same pixel by pixel where both bodies are."""
    photo = background(grain=Grain((4.0,) * 5, 0.45, 0.2))
    traits = PlaceTraits(1.2, Tone(20.0, 240.0, 18.0, (1.02, 1.0, 0.98)))
    everything = RealismConfig(light=False)
    one, other = (
        composed(drawn((2, 0, 0, 0), traits, photo, is_twin=twin), everything) for twin in (False, True)
    )
    lost = np.abs(one.people[0].render.alpha.astype(int) - other.people[0].render.alpha) > 0
    lost |= one.mask != other.mask
    # the end of the residual limb, blur, and the shadow of the lost forearm
    near = cv2.dilate(lost.astype(np.uint8), np.ones((25, 25))) > 0
    head = np.zeros_like(near)
    head[:120] = True
    assert near.any()
    assert np.array_equal(one.image[head & ~near], other.image[head & ~near])


def test_a_black_and_white_photograph_stays_so(drawn):
    record = composed(drawn(photo=background(grey=True, grain=Grain((4.0,) * 5, 0.3, 0.6))), RealismConfig())
    assert np.ptp(record.image.astype(int), axis=2).max() == 0


def test_what_is_drawn_after_does_not_depend_on_the_realism(drawn):
    draws = {
        composed(drawn(), realism).rng.random() for realism in (PLAIN, RealismConfig(), only(noise=True))
    }
    assert len(draws) == 1


@pytest.mark.parametrize(("source", "wanted"), [(70, 70), (20, 60), (99, 95), (None, 83)])
def test_pictures_are_written_as_their_photograph_was(drawn, source, wanted):
    record = composed(drawn(photo=background(jpeg_quality=source)), PLAIN)
    sizes = {}
    for quality in (60, 70, 83, 95):
        fixed = Encode(RenderConfig(jpeg_quality=quality), PLAIN)
        sizes[quality] = len(fixed(record).files["jpg"])
    assert len(Encode(RenderConfig(jpeg_quality=83), RealismConfig())(record).files["jpg"]) == sizes[wanted]
    assert len(set(sizes.values())) == 4


def test_people_stand_before_those_behind_them(drawn):
    record = drawn()
    copy = Person(**{**vars(record.people[0])})
    record.people.append(copy)
    person, _ = split_mask(composed(record, PLAIN).mask)
    assert set(np.unique(person)) == {-1, 1}
