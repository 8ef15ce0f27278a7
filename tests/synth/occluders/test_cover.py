"""People, props and objects in the part mask."""

import numpy as np

from ajahr.render.rasterizer import RenderResult
from synth.occluders.cover import hide_behind, mark_person
from synth.record import Cutout


def rendered(parts: np.ndarray) -> RenderResult:
    shape = parts.shape
    return RenderResult(np.zeros((*shape, 4), np.uint8), np.zeros(shape, np.float32), parts, (1, 1, 5, 4))


def test_props_are_nobodys_part_and_hide_who_is_behind():
    mask = np.zeros((4, 6), np.uint8)
    behind = np.full((4, 6), 3, np.uint8)
    mark_person(mask, rendered(behind), 0)
    parts = np.zeros((4, 6), np.uint8)
    parts[2, 2:4] = (24, 25)  # the last joint, and a prop
    mark_person(mask, rendered(parts), 1)
    expected = np.zeros((4, 6), np.uint8)
    expected[1:4, 1:5] = 3
    expected[2, 2:4] = (32 + 24, 0)
    assert mask.tolist() == expected.tolist()


def test_objects_take_away_what_they_cover_by_half_or_more():
    mask = np.full((4, 6), 7, np.uint8)
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[..., 3] = [[127, 128], [255, 0]]
    hide_behind(mask, Cutout(rgba, 4, 2))
    assert mask[2:, 4:].tolist() == [[7, 0], [0, 7]]
    assert (mask[:2] == 7).all() and (mask[:, :4] == 7).all()
