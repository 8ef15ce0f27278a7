"""Means over seeds and the numbers they are held to, on invented reports."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from reproduced import report, write_reports

from ajahr.errors import UserError
from ajahr.evaluation.reproduction.recipe import Recipe
from ajahr.evaluation.reproduction.summary import (
    Value,
    as_json,
    criteria,
    error_section,
    gather,
    sections,
    status_section,
)
from ajahr.evaluation.tables import json_text, markdown

RECIPE = Recipe(seeds=[0, 1, 2])


def test_mean_and_sd() -> None:
    value = Value({0: 1.0, 1: 2.0, 2: 4.5, 3: math.nan})
    assert value.mean == 2.5 and value.sd == pytest.approx(1.8027756) and value.text(1) == "2.5 ± 1.8"
    assert Value({0: 1.0}).text(2) == "1.00" and Value({}).text(2) == "-"


def test_all_met(tmp_path: Path) -> None:
    write_reports(tmp_path, RECIPE)
    found = gather(RECIPE, tmp_path)
    held = criteria(found)
    assert len(held) == 2 * 2 * 2 + 3 and all(one.met for one in held), [one.line() for one in held]
    assert held[0].text == "PA-MPJPE below TokenHMR-style where true labels remove parts"
    assert "better in 3 of 3 seeds" in held[0].figures and held[0].line().startswith("         met")
    f1 = held[-3].figures
    assert "detector-like 0.950" in f1 and "ground truth 0.970" in f1 and "image only 0.600" in f1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"tokenhmr": {"pa_mpjpe_mm": 60}}, "PA-MPJPE below TokenHMR-style"),
        ({"hmr2": {"mve_mm": 60}}, "MVE below HMR2-style"),
        ({"ajahr": {"f1": 0.85}}, "F1 on amputation at least 0.90"),
        ({"ajahr": {"false_occluded": 0.06}}, "false amputations at most 5%"),
        ({"ajahr": {"hallucinated": 0.3}}, "hallucinated limbs under a quarter"),
    ],
)
def test_each_can_be_missed(tmp_path: Path, changes: dict, text: str) -> None:
    write_reports(tmp_path, RECIPE, changes)
    missed = [one for one in criteria(gather(RECIPE, tmp_path)) if not one.met]
    assert missed and all(text in one.text and "NOT met" in one.line() for one in missed)


def test_only_the_seeds_that_are_there(tmp_path: Path) -> None:
    write_reports(tmp_path, Recipe(seeds=[1]))
    found = gather(RECIPE, tmp_path)
    assert found.seeds == [1] and "better in 1 of 1 seeds" in criteria(found)[0].figures
    nothing = gather(RECIPE, tmp_path / "none")
    assert {one.met for one in criteria(nothing)} == {None} and "not measured" in criteria(nothing)[0].line()
    (tmp_path / "seed_0/evaluation").mkdir(parents=True)
    (tmp_path / "seed_0/evaluation/hmr.json").write_text("{")
    with pytest.raises(UserError, match="delete it"):
        gather(RECIPE, tmp_path)


def test_tables(tmp_path: Path) -> None:
    write_reports(tmp_path, RECIPE)
    found = gather(RECIPE, tmp_path)
    errors, status = error_section(found), status_section(found)
    ours = dict(zip(errors.heading, errors.rows[0], strict=True))
    assert (
        ours["amputees, true labels: PA-MPJPE"] == "71.0 ± 1.0"
        and ours["intact, own labels: MVE"] == "81.0 ± 1.0"
    )
    seen = [row[:2] for row in status.rows]
    assert ["AJAHR, BPAC-Net sees the image only", "image only"] in seen and ["HMR2-style", "none"] in seen
    assert len(seen) == 2 + 1 + 1 + 1
    assert "What it is held to" in markdown(sections(found))
    document = json.loads(json_text(as_json(found, {"threads": 1})))
    assert document["models"]["ajahr"]["errors"]["truth"]["amputated"]["mve_mm"]["seeds"]["2"] == 102
    assert document["seeds"] == [0, 1, 2] and len(document["criteria"]) == 11 and document["not_finite"] == 0


def test_confusion_adds_up(tmp_path: Path) -> None:
    write_reports(tmp_path, RECIPE)
    found = gather(RECIPE, tmp_path)
    counts = found.counts("ajahr", "detector")
    one = report("ajahr", 0, "test", "predicted", "detector")["limb_status"]["counts"]["left_arm"]
    assert (
        counts is not None and counts[0][1][1] == 3 * one[1][1] and found.counts("nobody", "detector") is None
    )
