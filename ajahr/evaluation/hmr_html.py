"""The results as one HTML file that needs nothing else: tables, bar charts as SVG, cases as embedded JPEG."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ajahr.data.files import make_folder, write_atomic
from ajahr.evaluation.hmr_cases import Case
from ajahr.evaluation.hmr_report import HEADINGS, sections, variant_name
from ajahr.evaluation.measured import Measured
from ajahr.evaluation.metrics import LEVEL_GROUPS, Mean
from ajahr.inference.pictures import encode_jpeg

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e")
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1200px;padding:0 1rem;
  color:#1c1e22;background:#fafaf8}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}p.note{color:#6e7278;max-width:60rem}
div.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid #e2e3e5;text-align:right;white-space:nowrap}
th.word,td.word{text-align:left}td.long{white-space:normal;max-width:50rem}tr.paper td{color:#6e7278;font-style:italic}
figure{display:inline-block;margin:.4rem;max-width:33rem;vertical-align:top}figure img{width:100%;border-radius:4px}
figcaption{font-size:.8rem;overflow-wrap:anywhere}svg text{font:12px system-ui,sans-serif;fill:#1c1e22}
"""
_LEVELS = ("all", "intact", "amputated", *LEVEL_GROUPS[1:], "left_arm", "right_arm", "left_leg", "right_leg")
_CHARTS: tuple[tuple[str, Callable[[Measured, str], Mapping[str, Mean]]], ...] = (
    ("limb level", lambda m, metric: {k: v for k, v in m.by_level(metric).items() if k in _LEVELS}),
    ("view", lambda m, metric: m.by(m.view, metric)),
    ("hidden limb keypoints", lambda m, metric: m.by(m.occlusion, metric)),
    ("body part", lambda m, metric: m.of_limbs(metric)),
)


def html(
    results: Sequence[Measured],
    cases: Mapping[tuple[str, str], Sequence[Case]],
    about: Mapping[str, Any] | None = None,
) -> str:
    """The page.

    Args:
        cases: By dataset and model.
        about: Facts of the run for its foot.
    """
    body = ["<h1>Human mesh recovery, measured</h1>"]
    tables = {one.title: one for one in sections(results)}
    for title, table in tables.items():
        body.append(f"<h2>{escape(title)}</h2>")
        if table.note:
            body.append(f"<p class=note>{escape(table.note)}</p>")
        if title.startswith("Error by"):
            body += charts(results, title.removeprefix("Error by "))
            body.append("<details><summary>table</summary>")
        body.append(_table(table.heading, table.rows, table.names))
        if title.startswith("Error by"):
            body.append("</details>")
    for (dataset, model), people in cases.items():
        for kind in ("worst", "best"):
            figures = [_figure(case) for case in people if case.kind == kind]
            if figures:
                body.append(f"<h2>{kind.capitalize()} of {escape(model)} on {escape(dataset)}</h2>")
                body += ["<p class=note>crop, prediction over it, prediction from the side</p>", *figures]
    facts = "; ".join(f"{escape(str(k))} {escape(str(v))}" for k, v in (about or {}).items())
    body.append(f"<p class=note>{facts}</p>")
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><title>ajahr evaluate hmr</title>"
    return f"<!doctype html><html lang=en><head>{head}<style>{_STYLE}</style></head><body>" + "\n".join(
        [*body, "</body></html>\n"]
    )


def charts(results: Sequence[Measured], what: str) -> list[str]:
    """A bar chart per dataset and variant: groups along it, a colour per model."""
    means = dict(_CHARTS)[what]
    found = []
    for digest, dataset in dict.fromkeys((m.protocol.digest, m.dataset) for m in results):
        members = [m for m in results if (m.protocol.digest, m.dataset) == (digest, dataset)]
        metric = next((one for one in ("mve_mm", "mpjpe_mm") if one in members[0].errors), None)
        if metric is None:
            continue
        values = {m.model: {k: v.value for k, v in means(m, metric).items() if v.people} for m in members}
        groups = list(dict.fromkeys(group for by_group in values.values() for group in by_group))
        if groups and groups != ["unknown"]:
            title = f"{dataset}, {variant_name(members[0])}: {HEADINGS[metric]}, mm"
            found.append(bars(title, groups, values))
    return found


def bars(title: str, groups: Sequence[str], values: Mapping[str, Mapping[str, float]]) -> str:
    """Grouped horizontal bars as SVG; a group that a series lacks has no bar."""
    left, width, thick, gap = 170, 560, 14, 10
    top = max((v for by_group in values.values() for v in by_group.values()), default=1.0) or 1.0
    parts, y = [f"<text x=0 y=16 font-weight=600>{escape(title)}</text>"], 30
    for group in groups:
        here = [(i, name, by[group]) for i, (name, by) in enumerate(values.items()) if group in by]
        middle = y + thick * len(here) / 2 + 4
        label = escape(group.replace("_", " "))
        parts.append(f"<text x={left - 8} y={middle:.0f} text-anchor=end>{label}</text>")
        for i, name, value in here:
            colour, length = COLOURS[i % len(COLOURS)], width * value / top
            parts.append(
                f"<rect x={left} y={y} width={length:.1f} height={thick - 2} fill='{colour}'>"
                f"<title>{escape(name)}: {value:.2f}</title></rect>"
                f"<text x={left + length + 5:.1f} y={y + thick - 3}>{value:.1f}</text>"
            )
            y += thick
        y += gap
    x = left
    for i, name in enumerate(values):
        parts.append(f"<rect x={x} y={y} width=12 height=12 fill='{COLOURS[i % len(COLOURS)]}'/>")
        parts.append(f"<text x={x + 17} y={y + 11}>{escape(name)}</text>")
        x += 40 + 8 * len(name)
    wide = max(left + width + 70, x)
    return (
        f"<svg role=img width={wide} height={y + 24} viewBox='0 0 {wide} {y + 24}' "
        f"style='max-width:100%'>{''.join(parts)}</svg>"
    )


def write_html(
    results: Sequence[Measured],
    cases: Mapping[tuple[str, str], Sequence[Case]],
    folder: str | Path,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """hmr.html, whole or as it was before.

    Raises:
        UserError: the folder cannot be written to.
    """
    path = Path(folder) / "hmr.html"
    make_folder(path.parent)
    write_atomic(path, html(results, cases, about).encode())
    return path


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]], names: int) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        out = []
        for column, cell in enumerate(row):
            kind = " class='word long'" if len(cell) > 60 else " class=word" if column < names else ""
            out.append(f"<{tag}{kind}>{escape(cell)}</{tag}>")
        return "".join(out)

    lines = [f"<tr>{cells(heading, 'th')}</tr>"]
    for row in rows:
        paper = " class=paper" if "paper" in row or any("(Table 5)" in cell for cell in row) else ""
        lines.append(f"<tr{paper}>{cells(row, 'td')}</tr>")
    return f"<div class=wide><table>{''.join(lines)}</table></div>"


def _figure(case: Case) -> str:
    data = base64.b64encode(encode_jpeg(case.picture)).decode()
    text = escape(case.caption)
    return f"<figure><img alt='{text}' src='data:image/jpeg;base64,{data}'><figcaption>{text}</figcaption></figure>"
