"""Wrong keys of the hard cases are named."""

from pathlib import Path

import pytest

from ajahr.errors import UserError
from synth.config import GenerateConfig, HardCasesConfig


def check(**keys) -> None:
    GenerateConfig(output=Path("out"), hard_cases=HardCasesConfig(**keys)).check()


def test_the_defaults_and_none_are_fine():
    check()
    GenerateConfig(output=Path("out"), hard_cases=HardCasesConfig.none()).check()
    assert HardCasesConfig.none().problems() and not any(
        wrong for wrong, _ in HardCasesConfig.none().problems()
    )


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"prosthesis": 1.2}, "hard_cases.prosthesis is a share"),
        ({"border": -0.1}, "hard_cases.border is a share"),
        ({"occluded_object": 0.5, "occluded_person": 0.4, "border": 0.2}, "together at most 1"),
        ({"wheelchair": 0.6, "crutches": 0.6}, "together at most 1"),
        ({"objects": []}, "hard_cases.objects is empty"),
        ({"objects": ["coco"]}, "needs hard_cases.annotations"),
        ({"coco_limit": 0}, "coco_limit"),
    ],
)
def test_what_makes_no_sense_is_named(keys, message):
    with pytest.raises(UserError, match=message):
        check(**keys)


def test_no_objects_are_needed_where_none_occlude():
    check(occluded_object=0.0, objects=[])
