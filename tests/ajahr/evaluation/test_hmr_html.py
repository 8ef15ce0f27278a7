"""The page: whole in itself, escaped, a bar for every model and group."""

from __future__ import annotations

import re

import numpy as np
from measured_people import invented

from ajahr.evaluation.hmr_cases import Case, ranked
from ajahr.evaluation.hmr_html import bars, charts, html


def test_bars_are_as_long_as_their_values() -> None:
    picture = bars("t", ["x", "y"], {"a": {"x": 10.0, "y": 20.0}, "b": {"x": 5.0}})
    lengths = [float(v) for v in re.findall(r"width=([\d.]+) height=12 fill='[^']+'><title>", picture)]
    assert lengths == [560 / 2, 560 / 4, 560], "b has no y"


def test_a_chart_for_what_is_known() -> None:
    results = [invented("a<b"), invented("c", 3)]
    (chart,) = charts(results, "view")
    assert "a&lt;b" in chart and chart.count("<title>") == 4
    assert charts(results, "hidden limb keypoints") == []


def test_page_needs_nothing_else() -> None:
    case = Case("worst", "x<y & z", np.zeros((8, 24, 3), np.uint8))
    page = html([invented("a<b")], {("a3d", "a<b"): [case]}, {"torch": "2"})
    assert "Worst of a&lt;b on a3d" in page and "Best of" not in page and "x&lt;y &amp; z" in page
    assert "a<b" not in page and "http" not in page.replace("http-equiv", "") and "<script" not in page


def test_cases_are_people_with_an_error() -> None:
    metric, order = ranked(invented(nan=True))
    assert metric == "mve_mm" and order == [0, 3, 4, 5, 2]
