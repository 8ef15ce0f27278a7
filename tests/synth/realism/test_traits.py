import json

import cv2
import numpy as np
import pytest

from synth.realism.colour import Tone
from synth.realism.noise import NO_GRAIN, Grain
from synth.realism.traits import (
    PhotoTraits,
    PlaceTraits,
    measure_photo,
    measure_place,
    photo_from_json,
    place_from_json,
    to_json,
)

BOX = np.array([20.0, 30.0, 90.0, 150.0])


def photo(sigma: float = 1.2, noise: float = 4.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    blocks = rng.integers(20, 235, (12, 16, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    return np.clip(
        cv2.GaussianBlur(blocks, (0, 0), sigma) + rng.normal(0, noise, blocks.shape), 0, 255
    ).astype(np.uint8)


def test_what_was_filled_in_is_not_the_photographs_own():
    image = photo()
    hole = np.zeros(image.shape[:2], bool)
    hole[:, :100] = True
    smeared = image.copy()
    smeared[:, :100] = 90
    # a little more than the hole is left out: its edge is no edge of the photograph
    near = cv2.dilate(hole.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    whole = measure_place(image, np.zeros_like(hole), BOX)
    filled = measure_place(smeared, near, BOX)
    assert filled.blur_px == pytest.approx(whole.blur_px, abs=0.25)
    assert max(measure_photo(smeared, near, None).grain.sigma) == pytest.approx(
        max(measure_photo(image, np.zeros_like(hole), None).grain.sigma), rel=0.3
    )


def test_whoever_stood_there_says_how_sharp_it_is():
    image = photo()
    assert measure_place(image, np.zeros(image.shape[:2], bool), BOX, 2.5).blur_px == 2.5


def test_a_place_without_edges_is_as_sharp_as_the_rest():
    image = photo()
    image[:, :130] = 100
    hole = np.zeros(image.shape[:2], bool)
    hole[:, 100:140] = True  # the step to the flat part is ours
    assert measure_place(image, hole, BOX).blur_px == pytest.approx(1.2, abs=0.3)
    assert measure_place(np.full_like(image, 80), ~hole | hole, BOX).blur_px is None


@pytest.mark.parametrize(
    "traits",
    [
        PhotoTraits(),
        PhotoTraits(87, Grain((0.5, 1.0, 1.5, 1.0, 0.0), 0.45, 0.2)),
        PhotoTraits(None, NO_GRAIN),
    ],
)
def test_traits_of_a_photograph_survive_the_bank(traits):
    assert photo_from_json(json.loads(json.dumps(to_json(traits)))) == traits


@pytest.mark.parametrize(
    "traits", [PlaceTraits(), PlaceTraits(0.7, Tone(5.0, 240.0, 20.0, (1.02, 1.0, 0.98)))]
)
def test_traits_of_a_place_survive_the_bank(traits):
    assert place_from_json(json.loads(json.dumps(to_json(traits)))) == traits


def test_an_older_bank_knows_nothing():
    assert photo_from_json(None) == PhotoTraits() and place_from_json(None) == PlaceTraits()
