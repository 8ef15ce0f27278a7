"""The page's sections on how good the pictures are and what they cost."""

from __future__ import annotations

from html import escape

import numpy as np

from synth.report.boundary import OFFSETS, THRESHOLD
from synth.report.charts import Bar, bars, lines
from synth.report.gather import ReportData
from synth.report.parts import card, cards, table, words


def quality_section(data: ReportData) -> str:
    drops = sorted(data.manifest.drops.items(), key=lambda pair: (-pair[1], pair[0]))
    dropped = bars([Bar(words(name), count, "--lost") for name, count in drops]) if drops else (
        '<p class="none">nothing was dropped</p>'
    )  # fmt: skip
    bright, dark = data.rings.shares()
    more_bright, more_dark = data.rings.excess()
    rings = lines(
        OFFSETS,
        [("brighter than both sides", bright, "--c2"), ("darker than both sides", dark, "--c1")],
        "rings",
        0.0,
    )
    found = (
        f"On the silhouette of {data.ring_pictures} pictures {bright[OFFSETS.index(0)]:.1%} of the line is brighter "
        f"and {dark[OFFSETS.index(0)]:.1%} darker than both sides by over {THRESHOLD:g} of 255 grey levels: "
        f"{100 * more_bright:+.1f} and {100 * more_dark:+.1f} points against lines 6 to 12 px beside it. "
        "Across: px inside the silhouette. A blend that leaves a rim shows as a peak at 0. What grows evenly brighter "
        "or darker up to the line, as a body's shading does towards its outline, is no ring. Lines at 2 and 4 px have "
        "the silhouette itself in one of the bands they are compared with."
    )
    return cards(
        [
            card(
                "Drops per reason",
                dropped,
                "Photographs given up, and draws of a scene that were drawn again.",
            ),
            card("Boundary", rings, found),
            *_plain_paste(data),
            card("Filled backgrounds, by source", _sources(data), wide=True),
        ]
    )


def _plain_paste(data: ReportData) -> list[str]:
    """The boundary card of the same scenes without realism, or why there is none."""
    plain, title = data.plain, "Boundary, beside the plain paste"
    if plain is None:
        return []
    if plain.rings is None or plain.realistic is None:
        return [card(title, f'<p class="none">not measured: {escape(plain.why)}</p>')]
    at = OFFSETS.index(0)
    ours, bare = plain.realistic.shares(), plain.rings.shares()
    chart = lines(
        OFFSETS,
        [
            ("plain, brighter", bare[0], "--c4"),
            ("plain, darker", bare[1], "--c3"),
            ("dataset, brighter", ours[0], "--c2"),
            ("dataset, darker", ours[1], "--c1"),
        ],
        "rings beside the plain paste",
        0.0,
    )
    note = (
        f"{plain.pictures} scenes made once more without any step of realism. On the silhouette "
        f"{ours[0][at]:.1%} of the line is brighter and {ours[1][at]:.1%} darker than both sides; pasted plainly "
        f"{bare[0][at]:.1%} and {bare[1][at]:.1%}."
    )
    return [card(title, chart, note)]


def _sources(data: ReportData) -> str:
    if not data.sources:
        return '<p class="none">the backgrounds are not there any more (.work was deleted); nothing to measure</p>'
    rows = []
    for name, quality in data.sources.items():
        ssim, lpips = quality.ssim, quality.lpips
        rows.append(
            (
                name,
                len(ssim),
                f"{ssim.mean():.3f}",
                f"{np.median(ssim):.3f}",
                f"{ssim.min():.3f}",
                f"{lpips.mean():.4f}" if len(lpips) else "not measured",
            )
        )
    heads = ("source", "photographs", "SSIM, mean", "median", "least", "LPIPS, mean")
    least = data.manifest.run.config.get("backgrounds", {}).get("ssim_min")
    note = (
        f"Against the photograph before its people were removed; below {least} a photograph was dropped."
        if least
        else ""
    )
    return (
        table(heads, rows, numbers_from=1)
        + f"<p>{escape(note)} 1 is a photograph nobody had to be removed from.</p>"
    )


# -------------------------------------------------------------------------------------------------- cost


def cost_section(data: ReportData) -> str:
    """Time by stage, and what larger datasets of the same kind take."""
    size = sum(entry.tar.size + entry.npz.size for entry in data.manifest.shards)
    per_picture = size / max(data.manifest.counts["samples",], 1)
    cost = data.cost
    if cost is None:
        return '<p class="none">the timings are not there any more (.work was deleted)</p>'
    stages = bars([Bar(_spaced(name), round(1e6 * value), "--c1") for name, value in cost.seconds.items()])
    share = cost.seconds[cost.bottleneck] / cost.total
    rows = [
        (
            f"{count:,}",
            f"{cost.total * count / 3600:,.1f}",
            f"{cost.total * count / 3600 / 64:,.1f}",
            f"{per_picture * count / 1e9:,.1f} GB",
        )
        for count in (1_000_000, 100_000_000)
    ]
    note = (
        f"Microseconds a picture on one core, over {cost.pictures:,} pictures; the first scene of a process is left "
        f"out. {1 / cost.total:,.1f} pictures a second and core; most of it, {share:.0%}, is "
        f"{_spaced(cost.bottleneck)}. Backgrounds and textures, made once, are not in it."
    )
    return cards(
        [
            card("Time by stage", stages, note),
            card(
                "At this rate",
                table(
                    ("pictures", "hours of one core", "hours of 64 cores", "storage"), rows, numbers_from=1
                ),
                f"{per_picture / 1e3:,.1f} kB a picture.",
                wide=True,
            ),
        ]
    )


def _spaced(name: str) -> str:
    """``PickScene`` as ``pick scene``."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
