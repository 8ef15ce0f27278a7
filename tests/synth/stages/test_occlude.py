"""Objects before limbs."""

import numpy as np
import pytest

from ajahr.render.rasterizer import Lighting
from synth.config import RealismConfig, RenderConfig
from synth.occluders.bank import Occluder, OccluderBank
from synth.occluders.limbs import joints_to_hide, limb_ends
from synth.record import Drop
from synth.stages.occlude import Occlude, lit, on_shadow
from synth.stages.place import person_camera


class Bank(OccluderBank):
    """One grey board, 0.9 m wide and as high as it is told."""

    def __init__(self, height_m: float) -> None:
        rgba = np.full((round(100 * height_m), 90, 4), 120, np.uint8)
        rgba[..., 3] = 255
        self.one = Occluder("board", "test", "none", 100.0, rgba)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Occluder:
        return self.one


def occlude(record, height_m=1.0, realism=None):
    return Occlude(Bank(height_m), RenderConfig(), realism or RealismConfig.plain())(record)


def is_under(cutout, point) -> bool:
    x, y = int(point[0]) - cutout.left, int(point[1]) - cutout.top
    height, width = cutout.rgba_premultiplied.shape[:2]
    return 0 <= x < width and 0 <= y < height and cutout.rgba_premultiplied[y, x, 3] > 127


@pytest.mark.parametrize(
    "levels, fractions",
    [
        ((0, 0, 0, 0), (0,) * 4),
        ((0, 0, 2, 0), (0,) * 4),
        ((0, 0, 1, 3), (0,) * 4),
        ((0, 0, 1, 3), (0, 0, 0.6, 0)),
    ],
)
@pytest.mark.parametrize("seed", range(6))
def test_one_limb_is_behind_it_and_every_cut_is_not(scene, levels, fractions, seed):
    record = occlude(scene(levels, cases=["occluded_object"], seed=seed, fractions=fractions))
    person = record.people[0]
    (cutout,) = person.cutouts
    limb = person.hidden_limb["occluded_object"]
    pixels = person_camera(record, person, "weak").project(person.joints_intact.astype(float))
    assert all(is_under(cutout, pixels[joint]) for joint in joints_to_hide(limb, levels[limb]))
    assert not any(is_under(cutout, end) for end in limb_ends(pixels, levels, fractions))


def test_it_is_the_same_in_both_twins(scene):
    for seed in range(3):
        one, other = (
            occlude(scene((0, 0, 2, 0), cases=["occluded_object"], seed=seed, is_twin=is_twin)).people[0]
            for is_twin in (False, True)
        )
        assert one.hidden_limb == other.hidden_limb
        assert np.array_equal(one.cutouts[0].rgba_premultiplied, other.cutouts[0].rgba_premultiplied)
        assert (one.cutouts[0].left, one.cutouts[0].top) == (other.cutouts[0].left, other.cutouts[0].top)


def test_objects_stand_before_lost_limbs_too(scene):
    chosen = [
        occlude(scene((0, 0, 2, 0), cases=["occluded_object"], seed=seed))
        .people[0]
        .hidden_limb["occluded_object"]
        for seed in range(40)
    ]
    assert chosen.count(2) >= 5 and chosen.count(3) >= 5


def test_no_object_large_enough_is_a_drop(scene):
    with pytest.raises(Drop) as drop:
        occlude(scene(cases=["occluded_object"]), height_m=0.05)
    assert drop.value.reason == "no_object_hides_a_limb"


def test_people_without_the_case_are_left_alone(scene):
    assert occlude(scene(cases=["border"])).people[0].cutouts == []


def test_light_keeps_colour_within_coverage():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (100, 100, 100, 255)
    rgba[0, 1] = (60, 60, 60, 64)
    bright = Lighting(np.array([0.9, 0.5, 0.2], np.float32), np.full(3, 0.2, np.float32))
    found = lit(rgba, bright)
    assert found[0, 0, 0] > 100 > found[0, 0, 2]
    assert found[0, 1, 0] == 64 and (found[..., 3] == rgba[..., 3]).all()
    assert not found[1].any()


def test_a_shadow_lies_under_the_foot_and_changes_nothing_of_the_object():
    rgba = np.zeros((60, 40, 4), np.uint8)
    rgba[:, 8:32] = (90, 80, 70, 255)
    found, aside = on_shadow(rgba)
    assert np.array_equal(found[:60, aside + 8 : aside + 32], rgba[:, 8:32])
    below = found[60:]
    assert below[..., 3].max() > 40 and not below[..., :3].any()
    assert found[..., 3][:, [0, -1]].max() < 128 and below[..., 3].max() < 128  # no part of the mask
    assert not found[:30, : aside + 8].any()
    nothing, none = on_shadow(np.zeros((5, 5, 4), np.uint8))
    assert none == 0 and not nothing.any()
