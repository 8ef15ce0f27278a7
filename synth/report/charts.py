"""Small charts as HTML and SVG. Colours are the page's CSS variables, so that light and dark both read well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT = 420, 170
"""Of an SVG chart, in its own units; the page scales it."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 10, 26


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart; ``target`` (a share) draws a mark where the bar should end."""

    label: str
    count: int
    colour: str = "--c1"
    target: float | None = None


def bars(rows: Sequence[Bar], total: int | None = None) -> str:
    """Horizontal bars with counts and shares of ``total`` (their sum when None)."""
    total = total or sum(row.count for row in rows) or 1
    longest = max([row.count / total for row in rows] + [row.target or 0 for row in rows] + [1e-9])
    out = ['<div class="bars">']
    for row in rows:
        share = row.count / total
        mark = ""
        if row.target is not None:
            mark = (
                f'<i class="target" style="left:{100 * row.target / longest:.2f}%" '
                f'title="asked for: {row.target:.0%}"></i>'
            )
        out.append(
            f'<div class="row"><span class="label">{escape(row.label)}</span>'
            f'<span class="track"><b style="width:{100 * share / longest:.2f}%;background:var({row.colour})"></b>'
            f'{mark}</span><span class="value">{row.count:,}<small>{share:.1%}</small></span></div>'
        )
    return "".join([*out, "</div>"])


def stacked(rows: Sequence[tuple[str, Sequence[tuple[str, int, str]]]]) -> str:
    """Rows of full width divided into named, coloured parts, with a legend."""
    names: dict[str, str] = {}
    out = ['<div class="bars stacked">']
    for label, parts in rows:
        total = sum(count for _, count, _ in parts) or 1
        pieces = []
        for name, count, colour in parts:
            names[name] = colour
            if count:
                title = escape(f"{label}, {name}: {count:,} ({count / total:.1%})")
                pieces.append(
                    f'<b style="width:{100 * count / total:.2f}%;background:var({colour})" title="{title}"></b>'
                )
        out.append(
            f'<div class="row"><span class="label">{escape(label)}</span>'
            f'<span class="track">{"".join(pieces)}</span></div>'
        )
    return "".join([*out, "</div>", legend(list(names.items()))])


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names beside patches of their colours (CSS variables)."""
    items = "".join(f'<li><i style="background:var({c})"></i>{escape(name)}</li>' for name, c in entries)
    return f'<ul class="legend">{items}</ul>'


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers between two."""
    span = max(high - low, 1e-12)
    raw = span / count
    step = 10.0 ** np.floor(np.log10(raw))
    step *= next(m for m in (1, 2, 5, 10) if raw <= m * step * 1.001)
    return [
        round(float(t), 10) + 0.0 for t in np.arange(np.ceil(low / step) * step, high + step * 1e-6, step)
    ]


class Axes:
    """Maps data to the chart's units and draws the frame."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], height: int = HEIGHT) -> None:
        self.x_range, self.y_range, self.height = x, y, height

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / max(high - low, 1e-12) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.height - _BOTTOM - (value - low) / max(high - low, 1e-12) * (self.height - _TOP - _BOTTOM)

    def frame(self, y_format: str = "{:g}", x_format: str = "{:g}") -> str:
        parts = []
        for value in nice_ticks(*self.y_range, 3):
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(
                f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{y_format.format(value)}</text>'
            )
        for value in nice_ticks(*self.x_range):
            parts.append(
                f'<text x="{self.x(value):.1f}" y="{self.height - 8}" text-anchor="middle">'
                f"{x_format.format(value)}</text>"
            )
        return "".join(parts)

    def svg(self, body: str, label: str, y_format: str = "{:g}") -> str:
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(label)}">'
            f"{self.frame(y_format)}{body}</svg>"
        )


def histogram(
    series: Sequence[tuple[str, Float[np.ndarray, " values"], str]], label: str, bins: int = 28
) -> str:
    """Histograms of one to a few sets of values over the same bins; NaN is left out. A legend for several."""
    kept = [(name, values[np.isfinite(values)], colour) for name, values, colour in series]
    everything = np.concatenate([values for _, values, _ in kept])
    if not len(everything):
        return '<p class="none">nothing to count</p>'
    low, high = np.percentile(everything, [0, 99.5]).tolist()
    if high <= low:
        low, high = low - 0.5, low + 0.5
    counts = [np.histogram(np.clip(values, low, high), bins, (low, high))[0] for _, values, _ in kept]
    axes = Axes((low, high), (0, float(max(max(c.max() for c in counts), 1)) * 1.05))
    edges = np.linspace(low, high, bins + 1)
    parts = []
    for (name, _, colour), count in zip(kept, counts, strict=True):
        for n, (left, right) in zip(count.tolist(), pairwise(edges.tolist()), strict=True):
            if n:
                x, top = axes.x(left), axes.y(n)
                parts.append(
                    f'<rect x="{x + 0.5:.1f}" y="{top:.1f}" width="{max(axes.x(right) - x - 1, 0.5):.1f}" '
                    f'height="{axes.y(0) - top:.1f}" style="fill:var({colour})" class="bin">'
                    f"<title>{escape(name)} {left:.3g} to {right:.3g}: {n:,}</title></rect>"
                )
    several = legend([(name, colour) for name, _, colour in series]) if len(series) > 1 else ""
    return axes.svg("".join(parts), label) + several


def strips(
    rows: Sequence[tuple[str, Float[np.ndarray, " values"]]], label: str, unit: tuple[float, float]
) -> str:
    """A row per name: the range of 5 to 95 %, of 25 to 75 %, and the median."""
    axes = Axes(unit, (0, 1), height=_TOP + _BOTTOM + 17 * len(rows))
    parts = [
        f'<line class="grid" x1="{axes.x(t):.1f}" x2="{axes.x(t):.1f}" y1="{_TOP}" y2="{axes.height - _BOTTOM}"/>'
        f'<text x="{axes.x(t):.1f}" y="{axes.height - 8}" text-anchor="middle">{t:g}</text>'
        for t in nice_ticks(*unit)
    ]
    for n, (name, values) in enumerate(rows):
        y = _TOP + 17 * n + 8.5
        p5, p25, p50, p75, p95 = np.clip(np.percentile(values, [5, 25, 50, 75, 95]), *unit).tolist()
        parts.append(
            f"<g><title>{escape(name)}: median {p50:.2f}, 5 to 95 % {p5:.2f} to {p95:.2f}</title>"
            f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{escape(name)}</text>'
            f'<line class="whisker" x1="{axes.x(p5):.1f}" x2="{axes.x(p95):.1f}" y1="{y}" y2="{y}"/>'
            f'<rect class="box" x="{axes.x(p25):.1f}" y="{y - 4.5}" height="9" rx="2" '
            f'width="{max(axes.x(p75) - axes.x(p25), 1):.1f}"/>'
            f'<line class="median" x1="{axes.x(p50):.1f}" x2="{axes.x(p50):.1f}" y1="{y - 4.5}" y2="{y + 4.5}"/></g>'
        )
    return f'<svg viewBox="0 0 {WIDTH} {axes.height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def lines(
    x: Sequence[float],
    series: Sequence[tuple[str, Float[np.ndarray, " points"], str]],
    label: str,
    mark: float,
) -> str:
    """Shares (0..1) over ``x`` as lines with dots; a dashed line stands at ``mark``. NaN leaves a gap."""
    top = max([0.05, *(float(np.nanmax(y)) for _, y, _ in series if np.isfinite(y).any())])
    axes = Axes((min(x), max(x)), (0, top * 1.1), height=200)
    parts = [
        f'<line class="mark" x1="{axes.x(mark):.1f}" x2="{axes.x(mark):.1f}" y1="{_TOP}" y2="{axes.height - _BOTTOM}"/>'
    ]
    for name, y, colour in series:
        points = [
            (axes.x(a), axes.y(float(b)), a, float(b)) for a, b in zip(x, y, strict=True) if np.isfinite(b)
        ]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _, _ in points)
        parts.append(f'<polyline points="{path}" style="stroke:var({colour})" class="curve"/>')
        parts += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" style="fill:var({colour})">'
            f"<title>{escape(name)}, {a:g} px: {b:.1%}</title></circle>"
            for px, py, a, b in points
        ]
    svg = axes.svg("".join(parts), label, y_format="{:.0%}")
    return svg + legend([(name, colour) for name, _, colour in series])
