"""Charts: bars in proportion, values where they belong, names escaped."""

import re

import numpy as np
import pytest

from synth.report.charts import Bar, bars, histogram, lines, nice_ticks, stacked, strips


def test_the_longest_bar_is_full_and_the_others_in_proportion():
    html = bars([Bar("a", 30), Bar("b", 10), Bar("c", 0)])
    assert [float(w) for w in re.findall(r"<b style=\"width:([\d.]+)%", html)] == [
        100,
        pytest.approx(33.33),
        0,
    ]
    assert "75.0%" in html and "25.0%" in html


def test_a_target_stands_on_the_bars_scale():
    html = bars([Bar("a", 25, target=0.5), Bar("b", 75)])
    assert float(re.findall(r"left:([\d.]+)%", html)[0]) == pytest.approx(66.67)  # 0.5 of 0.75


def test_parts_of_a_stack_fill_the_row():
    html = stacked([("left arm", [("intact", 3, "--ok"), ("amputated", 1, "--lost")])])
    assert sum(float(w) for w in re.findall(r"width:([\d.]+)%", html)) == pytest.approx(100)


def test_every_value_is_in_a_bin_and_nan_in_none():
    values = np.array([0.0, 1.0, 1.0, 2.0, np.nan, 50.0])
    html = histogram([("all", values, "--c1")], "numbers")
    assert sum(int(n) for n in re.findall(r": (\d+)</title>", html)) == 5


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_a_histogram_of_nothing_says_so(values):
    assert "nothing to count" in histogram([("all", np.array(values), "--c1")], "numbers")


def test_a_histogram_of_one_value_is_drawn():
    assert ": 3</title>" in histogram([("all", np.full(3, 7.0), "--c1")], "numbers")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 2.9), (0, 1e6), (0, 1e-4), (5, 5)])
def test_ticks_are_round_and_inside(low, high):
    ticks = nice_ticks(low, high)
    assert 1 <= len(ticks) <= 12 or low == high
    assert all(low - 1e-9 <= t <= high + 1e-9 + abs(high) * 1e-9 for t in ticks)


def test_lines_leave_gaps_at_nan():
    html = lines([0, 1, 2], [("a", np.array([0.1, np.nan, 0.3]), "--c1")], "shares", 1.0)
    assert html.count("<circle") == 2
    assert "nan" not in lines([0, 1], [("a", np.array([np.nan, np.nan]), "--c1")], "shares", 1.0)


def test_strips_stay_in_the_frame():
    html = strips([("β0", np.array([-100.0, 0, 100.0]))], "betas", (-3, 3))
    assert all(0 <= float(x) <= 420 for x in re.findall(r' x[12]="([\d.-]+)"', html))


def test_names_are_escaped():
    for html in (bars([Bar("<script>", 1)]), stacked([("<script>", [("<script>", 1, "--c1")])])):
        assert "<script>" not in html and "&lt;script&gt;" in html
