from dataclasses import fields
from itertools import pairwise

import cv2
import pytest

from ajahr.errors import UserError
from synth.cli.main import main
from synth.config import RealismConfig
from synth.strips import STEPS, stairs, write_strips


def test_every_step_of_the_configuration_is_on_the_strip():
    assert set(STEPS) == {field.name for field in fields(RealismConfig)}
    steps = [realism for _, realism in stairs()]
    assert steps[0] == RealismConfig.plain() and steps[-1] == RealismConfig()
    for before, after in pairwise(steps):
        assert sum(getattr(before, name) != getattr(after, name) for name in STEPS) == 1


def test_a_row_for_each_scene(realistic_twins, tmp_path):
    one, two = (
        cv2.imread(str(write_strips(realistic_twins, tmp_path / f"{n}.png", count=n, cell=(60, 80))))
        for n in (1, 2)
    )
    assert one.shape[1] == two.shape[1] and one.shape[0] < two.shape[0] < 2 * one.shape[0]
    assert one.shape[1] > 7 * 60


def test_the_command(realistic_twins, tmp_path, capsys):
    out = tmp_path / "strip.png"
    assert main(["preview", str(realistic_twins), "--realism", "--count", "1", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out) and out.exists()
    assert main(["preview", str(realistic_twins), "--realism", "--count", "0"]) == 2


def test_no_scene_is_an_error(realistic_twins, tmp_path):
    with pytest.raises(UserError, match="ask for one or more"):
        write_strips(realistic_twins, tmp_path / "a.png", count=0)
