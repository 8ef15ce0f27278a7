"""``ajahr measure limb``: a residual limb in millimetres, as CSV, JSON and STL."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from ajahr.body.data import load_body
from ajahr.data.files import write_atomic
from ajahr.errors import UserError
from ajahr.residual_limb.measure import LIMITS, LimbMeasures, measure, scale_of, stl_bytes
from ajahr.residual_limb.segments import segment_of
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import cut_limbs


def limb(
    ends: list[str],
    betas: list[float] | None = None,
    body: Path | None = None,
    gender: str = "neutral",
    stature: float | None = None,
    segment: str | None = None,
    lambda_sd: float = 0.0,
    scale_sd: float = 0.01,
    output: Path = Path("out/limb"),
) -> None:
    """Length, circumferences, widths, volume and shape of residual limbs, by ISO 8548's words.

    Args:
        ends: Where limbs end, "left-below-knee=0.4": lambda is 0 at the distal joint, 1 at the proximal one.
        betas: Shape of the person; the mean shape by default.
        body: An SMPL file or folder; the embedded body by default.
        gender: Of the body.
        stature: Of the person in metres, by which everything is scaled.
        segment: A known bone instead, "right-below-knee=0.41", metres between joint centres.
        lambda_sd: Standard deviation of lambda, as `ajahr predict` tells it.
        scale_sd: Relative standard deviation of the stature or bone.
        output: Folder of limb.csv, limb.json and limb.stl.
    """
    try:
        whole = SkinnedMesh.of_body(
            load_body(body, gender=gender), None if betas is None else np.array(betas, np.float32)
        )
    except ValueError as error:
        raise UserError(f"{error}; give fewer --betas") from error
    places = dict(_pair(text) for text in ends)
    scale = scale_of(whole, stature_m=stature)
    if scale is None and segment is not None:
        known, metres = _pair(segment)
        scale = scale_of(whole, segment_name=known, segment_m=metres)
    cut = cut_limbs(whole, places)
    found = [
        measure(cut.mesh, end, scale=scale, scale_sd=scale_sd if scale else 0.0, fraction_sd=lambda_sd)
        for end in cut.ends
    ]
    rows = [row for one in found for row in _rows(one)]
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["limb", "quantity", "from_distal_end_mm", "value", "unit", "sd"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    document = {"note": LIMITS, "scaled": scale is not None, "rows": rows, "flags": {
        one.segment.words: list(one.flags) for one in found
    }}  # fmt: skip
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_atomic(output / "limb.csv", text.getvalue().encode())
        write_atomic(output / "limb.json", (json.dumps(document, indent=1) + "\n").encode())
        if scale is not None:
            write_atomic(output / "limb.stl", stl_bytes(cut.mesh, scale))
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror}; choose another --output") from error
    for row in rows:
        at = f" at {row['from_distal_end_mm']:.0f} mm" if row["from_distal_end_mm"] != "" else ""
        print(f"{row['limb']}: {row['quantity']}{at} {row['value']} {row['unit']}".rstrip())
    for one in found:
        for flag in one.flags:
            print(f"{one.segment.words}: {flag}")
    if scale is None:
        print("unscaled: ratios only; give --stature or --segment for millimetres and an STL")
    print(LIMITS)
    print(output / "limb.csv")


def _pair(text: str):
    name, _, number = text.partition("=")
    try:
        return segment_of(name), float(number)
    except ValueError:
        raise UserError(f"'{text}' is not name=number; write left-below-knee=0.4") from None


def _rows(one: LimbMeasures) -> list[dict[str, object]]:
    def row(
        quantity: str, value: object, unit: str = "", at: float | str = "", sd: object = ""
    ) -> dict[str, object]:
        if isinstance(value, float):
            value = round(value, 4 if unit == "" else 1)
        return {"limb": one.segment.words, "quantity": quantity, "from_distal_end_mm": at, "value": value,
                "unit": unit, "sd": sd}  # fmt: skip

    rows = [row("length to contralateral segment", one.length_ratio), row("shape", one.shape)]
    if not one.scaled:
        return [
            *rows,
            *(row("circumference to length", s.circumference / one.length) for s in one.sections),
        ]
    rows.append(row("length", 1000 * one.length, "mm", sd=round(1000 * one.length_sd, 1)))
    rows.append(row("volume", 1e6 * one.volume, "ml", round(1000 * one.volume_level, 1)))
    for s in one.sections:
        at = round(1000 * s.from_distal_end, 1)
        rows.append(row("circumference", 1000 * s.circumference, "mm", at))
        rows.append(row("AP width", 1000 * s.ap, "mm", at))
        rows.append(row("ML width", 1000 * s.ml, "mm", at))
    return rows
