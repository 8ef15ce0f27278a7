from __future__ import annotations

import json

import pytest

from synth.appearance.groups import GROUPS, MONK_RANGES, SEXES, Group, Sex
from synth.appearance.look import FOOTWEAR, NECKLINES, PATTERNS
from synth.appearance.wardrobe import sample_look

LOOKS = [sample_look(3, i) for i in range(400)]


def test_law_same_numbers_same_look_and_others_differ():
    assert sample_look(3, 17) == LOOKS[17]
    assert len({look.seed for look in LOOKS}) > 390
    assert sample_look(4, 17) != LOOKS[17]


@pytest.mark.parametrize("sex", SEXES)
@pytest.mark.parametrize("group", GROUPS)
def test_law_a_given_sex_and_group_is_kept(sex, group):
    look = sample_look(0, 5, sex, group)
    assert (look.sex, look.group) == (sex, group)
    low, high = MONK_RANGES[group]
    assert low <= look.monk <= high


def test_law_every_length_and_name_is_in_range():
    for look in LOOKS:
        assert 18 <= look.age <= 80
        assert look.feet.kind in FOOTWEAR and look.bottom.fabric.pattern in PATTERNS
        assert 0.2 <= look.bottom.length <= 1.05
        if look.top is not None:
            assert 0 <= look.top.sleeve <= 1.03 and look.top.neckline in NECKLINES
            assert look.top.fabric.pattern in PATTERNS and 0 <= look.top.hem <= 1
            assert all(0 <= c <= 255 for c in (*look.top.fabric.colour, *look.top.fabric.second))


def test_law_beards_and_bare_chests_are_mens():
    women = [look for look in LOOKS if look.sex is Sex.FEMALE]
    men = [look for look in LOOKS if look.sex is Sex.MALE]
    assert all(look.hair.beard == "none" and look.top is not None for look in women)
    assert 0.3 < sum(look.hair.beard != "none" for look in men) / len(men) < 0.8


def test_law_a_headscarf_goes_with_covered_arms_and_legs():
    looks = [sample_look(1, i, Sex.FEMALE, Group.MIDDLE_EASTERN) for i in range(60)]
    scarves = [look for look in looks if look.hair.style == "headscarf"]
    assert scarves
    for look in scarves:
        assert look.top is not None and look.top.sleeve > 0.9 and look.bottom.length > 0.9


def test_law_wardrobes_vary():
    tops = [look.top for look in LOOKS if look.top is not None]
    assert {t.neckline for t in tops} == set(NECKLINES)
    assert {look.feet.kind for look in LOOKS} == set(FOOTWEAR)
    assert any(t.sleeve == 0 for t in tops) and any(0.2 < t.sleeve < 0.5 for t in tops)
    assert any(0.5 < t.sleeve < 0.9 for t in tops) and any(t.sleeve > 0.9 for t in tops)
    assert {look.hair.style for look in LOOKS} >= {
        "bald",
        "buzz",
        "short",
        "medium",
        "long",
        "tied",
        "headscarf",
    }


def test_pin_summary_is_plain_json():
    """Written from sample_look(0, 0); a change here means a new PAINTER_VERSION."""
    assert json.loads(json.dumps(sample_look(0, 0).summary())) == PINNED


PINNED = {
    "sex": "male",
    "group": "hispanic",
    "monk": 6.53,
    "age": 56,
    "sleeve_length": 0.441,
    "neckline": "scoop",
    "top": "stripes",
    "trouser_length": 0.972,
    "trousers": "plain",
    "shoes": "sneakers",
    "hair": "buzz",
    "hair_colour": "dark_brown",
    "beard": "stubble",
    "eye_colour": "dark_brown",
}
