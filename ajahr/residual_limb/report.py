"""Measures of residual limbs as rows of a table, with ISO 8548's words for what they are.

Lower limbs: ISO 8548-2; upper limbs: ISO 8548-3. Their reference levels are felt on the person; a body model
has joint centres instead, and every row says so by its reference.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from ajahr.residual_limb.measure import LIMITS, LimbMeasures
from ajahr.residual_limb.segments import Segment

COLUMNS: tuple[str, ...] = ("limb", "quantity", "from_distal_end_mm", "value", "unit", "sd")
_AMPUTATION = {
    "thigh": "transfemoral",
    "shank": "transtibial",
    "upper arm": "transhumeral",
    "forearm": "transradial",
}
_DISARTICULATION = {
    ("shank", False): "ankle disarticulation", ("thigh", False): "knee disarticulation",
    ("forearm", False): "wrist disarticulation", ("upper arm", False): "elbow disarticulation",
    ("shank", True): "knee disarticulation", ("thigh", True): "hip disarticulation",
    ("forearm", True): "elbow disarticulation", ("upper arm", True): "shoulder disarticulation",
}  # fmt: skip
FLAG_WORDS = {
    "oblique_cut": "cut along the trunk, not across the bone",
    "clamped": "shown longer than it is",
    "disarticulation": "nothing of the bone is left, the picture shows a little of it",
    "too_short_for_sections": "too short for circumferences",
}
"""What flags mean, for reading."""
REFERENCES = {
    "thigh": "hip joint centre (for the ischial tuberosity or perineal level)",
    "shank": "knee joint centre (for the medial tibial plateau or mid-patellar tendon level)",
    "upper arm": "shoulder joint centre (for the acromion)",
    "forearm": "elbow joint centre (for the epicondyles)",
}
"""What a length is measured from, and the level a clinician would take."""


def level_of(segment: Segment, fraction: float) -> str:
    """The amputation's name: a disarticulation at either end of the bone, else through the bone, however high."""
    if fraction >= 1:
        return _DISARTICULATION[segment.bone, True]
    if fraction <= 0:
        return _DISARTICULATION[segment.bone, False]
    return _AMPUTATION[segment.bone]


def rows_of(one: LimbMeasures, fraction: float) -> list[dict[str, object]]:
    """A limb's rows: millimetres and millilitres where the scale is known, else ratios only."""

    def row(quantity: str, value: object, unit: str = "", at: float | str = "", sd: float | None = None):
        digits = 4 if unit == "" else 1
        shown = round(float(value), digits) if isinstance(value, (float, np.floating)) else value
        return dict(
            zip(COLUMNS, (one.segment.words, quantity, at, shown, unit, "" if sd is None else round(sd, digits)),
                strict=True)
        )  # fmt: skip

    rows = [
        row("amputation level", level_of(one.segment, fraction)),
        row("lambda", float(fraction)),
        row("length reference", REFERENCES[one.segment.bone]),
        row("length to contralateral segment", one.length_ratio, sd=one.length_ratio_sd),
        row("shape", one.shape),
    ]
    if not one.scaled:
        return [
            *rows,
            *(row("circumference to length", s.circumference / one.length) for s in one.sections),
        ]
    rows.append(row("length", 1000 * one.length, "mm", sd=1000 * one.length_sd))
    if one.volume_level > 0:  # else the end lies where the trunk begins, and nothing was measured
        rows.append(
            row("volume", 1e6 * one.volume, "ml", round(1000 * one.volume_level, 1), 1e6 * one.volume_sd)
        )
    for s in one.sections:
        at = round(1000 * s.from_distal_end, 1)
        rows.append(row("circumference", 1000 * s.circumference, "mm", at, 1000 * one.section_sd(s)))
        rows.append(row("AP width", 1000 * s.ap, "mm", at))
        rows.append(row("ML width", 1000 * s.ml, "mm", at))
    return rows


def notes_of(one: LimbMeasures) -> list[str]:
    """Its flags in words."""
    return [FLAG_WORDS.get(flag, flag) for flag in one.flags]


def summary_of(one: LimbMeasures, fraction: float) -> str:
    """ "transtibial, 214 mm", with what is to be told of it."""
    level = level_of(one.segment, fraction)
    size = (
        f"{1000 * one.length:.0f} mm" if one.scaled else f"{100 * one.length_ratio:.0f} % of the other side"
    )
    return ", ".join([level, *([] if fraction >= 1 else [size]), *notes_of(one)])


def tables_of(one: LimbMeasures, fraction: float) -> list[tuple[str, list[tuple[object, ...]]]]:
    """The same for reading: facts with their standard deviations, then one line per section."""
    facts: list[tuple[object, ...]] = []
    for row in rows_of(one, fraction):
        if row["quantity"] not in ("circumference", "AP width", "ML width", "circumference to length"):
            sd = f" ± {row['sd']}" if row["sd"] not in ("", 0.0) else ""
            facts.append((row["quantity"], f"{row['value']}{sd} {row['unit']}".strip()))
    facts += [("note", words) for words in notes_of(one)]
    tables = [(one.segment.words, facts)]
    if one.scaled and one.sections:
        lines: list[tuple[object, ...]] = [("from the end, mm", "circumference", "AP", "ML")]
        for s in one.sections:
            lines.append(tuple(f"{1000 * x:.0f}" for x in (s.from_distal_end, s.circumference, s.ap, s.ml)))
        tables.append((f"{one.segment.words}: sections, mm", lines))
    return tables


def csv_text(rows: Sequence[dict[str, object]]) -> str:
    """The rows as CSV with a line of names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def document(found: Sequence[LimbMeasures], rows: Sequence[dict[str, object]]) -> dict[str, object]:
    """For JSON: the rows, what is to be told with them, and the plain limits."""
    return {
        "note": LIMITS,
        "standard": "words of ISO 8548-2 (lower limb) and ISO 8548-3 (upper limb)",
        "scaled": all(one.scaled for one in found),
        "rows": list(rows),
        "flags": {one.segment.words: list(one.flags) for one in found},
    }
