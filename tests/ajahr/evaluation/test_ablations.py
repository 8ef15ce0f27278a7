"""Our runs in the papers' layout: every row of a table has its YAML file, and stands beside the paper's."""

from __future__ import annotations

from pathlib import Path

import pytest
from measured_people import invented

from ajahr.evaluation.ablations import ABLATIONS, OURS, ablation_sections, row_name

CONFIGS = Path(__file__).parents[3] / "configs" / "hmr"


def test_every_row_can_be_trained() -> None:
    for one in ABLATIONS.values():
        for name in one.names:
            if name == "cliff_bpac":  # not in this toolkit, and its table says so
                continue
            places = [CONFIGS / f"ablations/{name}.yaml", CONFIGS / f"{name}.yaml"]
            assert any(path.is_file() for path in places), name
        assert [row.name for row in one.rows].count(OURS) == 1
    told = {name for one in ABLATIONS.values() for name in one.names}
    assert {path.stem for path in (CONFIGS / "ablations").glob("*.yaml")} <= told


@pytest.mark.parametrize(
    ("model", "name"),
    [("noise_25", "noise_25"), ("seed_0/noise_25", "noise_25"), ("tiny_hmr2_bpac", "hmr2_bpac"), ("tiny", OURS),
     ("ajahr", OURS), ("mine", "mine")],
)  # fmt: skip
def test_names(model: str, name: str) -> None:
    assert row_name(model) == name


def test_layout() -> None:
    results = [
        invented(name, shift, labels="predicted") for name, shift in (("noise_100", 5.0), ("tiny", 0.0))
    ]
    (section,) = ablation_sections([*results, invented("noise_100")])
    assert section.title.startswith("Table 4(a)")
    assert section.heading[2:] == ["a3d MVE", "a3d MPJPE", "a3d PA-MPJPE"]
    rows = {(title, who): cells for title, who, *cells in section.rows}
    assert rows["noise ratio 100 %", "ours"] == ["83.33"] * 3, "by the model's own labels, as the table is"
    assert rows["noise ratio 100 %", "paper"] == ["91.30", "91.21", "71.31"]
    assert rows["noise ratio 25 %", "ours"] == ["-"] * 3 and rows["AJAHR", "ours"] == ["78.33"] * 3
    assert rows["AJAHR", "paper"] == ["87.11", "87.91", "68.01"]


def test_no_table_without_one_of_its_rows() -> None:
    assert ablation_sections([invented(), invented("tiny")]) == []
    (section,) = ablation_sections([invented("share_25")])
    assert section.title.startswith("Fig. D") and [row[1] for row in section.rows].count("paper") == 1
    two = [
        one.title[:10] for one in ablation_sections([invented("full"), invented("full", labels="predicted")])
    ]
    assert two == ["Table B(a)", "Table B(b)"]
