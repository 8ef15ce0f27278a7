"""Drawn objects."""

import hashlib

import numpy as np
import pytest

from synth.occluders.procedural import KINDS, PER_KIND, draw_object


@pytest.mark.parametrize("index", range(len(KINDS)))
def test_every_kind_is_an_object_of_its_size(index):
    drawn = draw_object(index)
    height, width = drawn.rgba.shape[:2]
    solid = drawn.rgba[..., 3] > 200
    assert 0.3 < height / drawn.px_per_m < 2.3 and 0.2 < width / drawn.px_per_m < 2.0
    assert solid.mean() > 0.1
    rim = np.concatenate([drawn.rgba[[0, -1], :, 3].ravel(), drawn.rgba[:, [0, -1], 3].ravel()])
    assert not rim.any()  # nothing is cut off
    assert drawn.rgba[solid][:, :3].std() > 4
    assert drawn.name == KINDS[index].__name__.strip("_")


def test_the_same_number_is_the_same_object_and_others_are_others():
    digests = [hashlib.sha256(draw_object(i).rgba.tobytes()).hexdigest() for i in (0, 0, len(KINDS))]
    assert digests[0] == digests[1] != digests[2]
    assert PER_KIND > 1
