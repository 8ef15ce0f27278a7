from __future__ import annotations

import json

from measured_residual import measured

from ajahr.evaluation.residual_protocol import ResidualProtocol
from ajahr.evaluation.residual_report import PUBLISHED, csv_text, sections, write_reports


def test_tables_with_the_paper_s_rows() -> None:
    results = [measured("midpoint", 60.0), measured("head+rafo", 20.0)]
    by_title = {s.title: s for s in sections(results)}
    assert set(by_title) == {
        "Points and silhouettes",
        "Lengths and ends",
        "Against the midpoint proxy",
        "Fits",
    }
    rows = by_title["Points and silhouettes"].rows
    assert len(rows) == 2 + len(PUBLISHED) and rows[-1][0] == "ResiHMR (HSMR)" and rows[-1][4] == "23.2"
    paired = by_title["Against the midpoint proxy"].rows[0]
    assert paired[1] == "head+rafo" and paired[3].startswith("-40.0") and float(paired[-1]) > 2.5
    assert by_title["Fits"].rows[0][3:6] == ["3", "0", "3"]


def test_photographs_have_no_millimetres() -> None:
    titles = [s.title for s in sections([measured("joint", 60.0, generated=False)])]
    assert titles == ["Points and silhouettes"]


def test_files(tmp_path) -> None:
    results = [measured("midpoint", 60.0), measured("head+rafo", 20.0)]
    names = [path.name for path in write_reports(results, tmp_path, {"who": "me"})]
    assert names == ["residual.md", "residual.csv", "residual.json"]
    told = json.loads((tmp_path / "residual.json").read_text())
    assert told["results"][1]["accepted_rate"] == 0.5 and told["results"][0]["accepted_rate"] is None
    assert told["results"][0]["protocol_hash"] == ResidualProtocol().digest
    lines = csv_text(results).splitlines()
    assert lines[0].startswith("model,method") and any("end_mm,mm" in line for line in lines)
    assert ResidualProtocol().digest in (tmp_path / "residual.md").read_text()
