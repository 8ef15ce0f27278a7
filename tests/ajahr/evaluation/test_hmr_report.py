"""Tables of results: the paper's rows where they belong, names of what is in no mean, NaN as null."""

from __future__ import annotations

import json

from measured_people import invented

from ajahr.evaluation.hmr_report import as_json, csv_text, errors_section, pairs, sections
from ajahr.evaluation.tables import markdown


def test_the_papers_rows_follow_the_labels() -> None:
    own = errors_section([invented(labels="predicted")])
    names = [row[1] for row in own.rows]
    assert names == ["ours", "HMR2.0 + BPAC (Table 4c)", "BEDLAM-CLIFF + BPAC (Table 4c)", "AJAHR (Table 4)"]
    assert own.rows[-1][4:7] == ["87.11", "87.91", "68.01"]
    both = errors_section([invented(), invented("b"), invented(labels="predicted")])
    assert [row[1] for row in both.rows].count("AJAHR (Table 2/3)") == 1
    assert own.rows[0][3] == invented(labels="predicted").protocol.digest != both.rows[0][3]


def test_what_is_not_finite_is_named_everywhere() -> None:
    found = invented(nan=True)
    assert found.mean("mve_mm").value == 82 and found.mean("mve_mm").people == 5
    text = markdown(sections([found]))
    assert "Left out of the means" in text and "A3D/1" in text
    (row,) = [row for row in errors_section([found]).rows if row[1] == "ours"]
    assert row[-2:] == ["6", "1"] and row[4].startswith("82.00 [")
    (result,) = json.loads(as_json([found]))["results"]
    assert result["not_finite"] == ["A3D/1"] and result["limb_status"]["calibration_error"] is None
    assert result["errors"]["mve_mm"]["by_level"]["amputated"] == {"value": 120, "people": 1, "not_finite": 0}
    assert "nan" not in csv_text([found]).lower()


def test_pairs_are_of_the_same_people_and_protocol() -> None:
    a, b, other = invented(), invented("b", 5, nan=True), invented("b", labels="predicted")
    assert pairs([a, b, other]) == [(a, b)]
    (section,) = [one for one in sections([a, b]) if one.title == "Paired comparison"]
    row = section.rows[0]
    assert row[1] == "b - ours" and row[4].startswith("5.00 [5.00, 5.00]") and row[-2:] == ["5", "1"]


def test_limb_status_of_a_model_that_calls_everybody_intact() -> None:
    (section,) = [one for one in sections([invented()]) if one.title == "Limb status"]
    ours, paper = section.rows
    of = dict(zip(section.heading, ours, strict=True))
    assert of["hallucinated limbs"] == "1.000" and of["false amputations"] == "0.000"
    assert "no BPAC-Net" in of["model"] and paper[3:7] == ["0.881", "0.756", "0.922", "0.820"]


def test_no_table_of_what_nobody_knows() -> None:
    titles = [one.title for one in sections([invented()])]
    assert "Error by view" in titles and "Error by hidden limb keypoints" not in titles
