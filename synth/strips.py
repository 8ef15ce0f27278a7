"""Strips to look at: the plain paste, then one step of realism more in each picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.errors import UserError
from ajahr.render.contact_sheet import save_contact_sheet
from synth.config import RealismConfig
from synth.record import Record
from synth.remake import Remaker, written_picture

STEPS = ("light", "shadow", "colour", "blur", "noise", "jpeg_quality")
"""Steps in the order in which a strip adds them: `RealismConfig`'s own."""
_CELL = (330, 400)


def stairs() -> list[tuple[str, RealismConfig]]:
    """Captions and settings of a strip, from the plain paste to everything."""
    step = RealismConfig.plain()
    found = [("plain paste", step)]
    for name in STEPS:
        step = replace(step, **{name: getattr(RealismConfig(), name)})
        found.append((f"+ {name.replace('_', ' ')}", step))
    return found


def write_strips(
    folder: str | Path, out: str | Path, *, count: int = 6, cell: tuple[int, int] = _CELL
) -> Path:
    """One row per scene of a finished dataset, cut around its people.

    Args:
        folder: the dataset, with its banks.
        out: the PNG to write.
        count: scenes, evenly spread.
        cell: width and height of a picture on the sheet, px.

    Raises:
        UserError: as `Remaker`, or ``count`` is below 1.
    """
    if count < 1:
        raise UserError(f"{count} strips cannot be drawn; ask for one or more")
    remaker = Remaker(folder)
    steps = stairs()
    images: list[np.ndarray] = []
    captions: list[str] = []
    for scene in np.linspace(0, remaker.num_scenes - 1, min(count, remaker.num_scenes)).round().astype(int):
        for caption, realism in steps:
            records = remaker.scene(int(scene), realism)
            if records:
                images.append(_cut(records[0], cell))
                captions.append(f"{caption}\n{_about(records[0], caption)}")
    if not images:
        raise UserError(f"{folder}: none of these scenes has a picture; ask for more of them")
    return save_contact_sheet(
        out,
        images,
        captions,
        title=f"{Path(folder).resolve().name}: realism",
        subtitle="each picture has one step more than the one before it",
        columns=len(steps),
        cell=cell,
    )


def _about(record: Record, caption: str) -> str:
    """What was measured for the step."""
    background, person = record.background, record.people[-1]
    assert background is not None
    traits, place = background.traits, person.slot.traits
    if caption == "plain paste":
        return f"{background.source}/{background.photo}"
    if caption == "+ light" and person.lighting is not None:
        facing = person.lighting.ambient_rgb + 0.6 * person.lighting.directional_rgb
        return f"{facing.mean():.2f} of plain, from {'left' if person.lighting.direction[0] < 0 else 'right'}"
    if caption == "+ colour" and place.tone is not None:
        return f"black {place.tone.black:.0f}, white {place.tone.white:.0f}, chroma {place.tone.chroma:.0f}"
    if caption == "+ blur":
        return "not measured" if place.blur_px is None else f"{place.blur_px:.2f} px"
    if caption == "+ noise" and traits.grain is not None:
        return f"{max(traits.grain.sigma):.1f} levels, grain {traits.grain.size:g} px"
    if caption == "+ jpeg quality":
        return "no JPEG" if traits.jpeg_quality is None else f"source {traits.jpeg_quality}"
    return ""


def _cut(record: Record, cell: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """The written picture around its people, of the cell's shape, enlarged where it is small."""
    image = written_picture(record)
    height, width = image.shape[:2]
    windows = np.array([person.render.window for person in record.people if person.render is not None])
    x0, y0 = windows[:, :2].min(axis=0)
    x1, y1 = windows[:, 2:].max(axis=0)
    tall = max((y1 - y0) * 1.15, (x1 - x0) * 1.15 * cell[1] / cell[0], 40.0)
    wide, tall = min(tall * cell[0] / cell[1], width), min(tall, height)
    left = int(np.clip((x0 + x1) / 2 - wide / 2, 0, width - wide))
    top = int(np.clip(y1 + 0.06 * (y1 - y0) - tall, 0, height - tall))
    part = image[top : top + int(tall), left : left + int(wide)]
    factor = min(cell[0] / part.shape[1], cell[1] / part.shape[0])
    way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.ascontiguousarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=way))
