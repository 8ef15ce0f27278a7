"""What a run ends with: a table of what is in the dataset, and a contact sheet to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from rich.table import Table

from ajahr.anatomy import NUM_CLASSES, class_name, from_ajahr_index
from ajahr.data.dataset import Manifest, open_dataset
from ajahr.data.shards import Sample
from ajahr.render.contact_sheet import save_contact_sheet
from synth.preview import cases_in_words, limbs_in_words, pick

SHEET_NAME = "contact_sheet.png"


def summary_table(manifest: Manifest, folder: Path) -> Table:
    """Counts by class, group, sex, pose and photograph, and what was dropped."""
    counts = manifest.counts
    table = Table(
        title=f"{folder}: {counts['samples',]} pictures, {counts['people',]} people", title_justify="left"
    )
    table.add_column("what")
    table.add_column("counts", overflow="fold")

    def row(name: str, pairs: Iterator[tuple[str, int]]) -> None:
        text = ", ".join(f"{key} {n}" for key, n in pairs if n)
        if text:
            table.add_row(name, text)

    def of(kind: str) -> Iterator[tuple[str, int]]:
        found = ((path[1], n) for path, n in counts.items() if path[0] == kind)
        return iter(sorted(found, key=lambda pair: (-pair[1], pair[0])))

    def classes() -> Iterator[tuple[str, int]]:
        for index in range(NUM_CLASSES):
            found = from_ajahr_index(index)
            assert found is not None
            yield class_name(*found), counts["ajahr_index", str(index)]

    row("amputation", classes())
    row("limbs lost", iter(sorted((k, n) for k, n in of("limbs_lost"))))
    row("hard cases", of("hard_case"))
    row("prostheses", of("prosthesis"))
    row("group", of("group"))
    row("sex", of("gender"))
    row("pose", of("pose"))
    row("photograph", iter(list(of("photo"))[:12]))
    row("licence", iter(list(of("licence"))[:8]))
    row("dropped", iter(sorted(manifest.drops.items())))
    return table


def write_sheet(folder: Path, cells: int) -> Path | None:
    """``contact_sheet.png`` in the dataset's folder: evenly spaced samples, twins side by side; None for no cells."""
    dataset = open_dataset(folder)
    if cells <= 0 or len(dataset) == 0:
        return None
    scenes: dict[str, list[Sample]] = {}
    for sample in pick(dataset, cells):
        scenes.setdefault(sample.record.scene_id, []).append(sample)
    images, captions = [], []
    for samples in scenes.values():
        boxes = np.array([person.bbox_xyxy for sample in samples for person in sample.record.people])
        for sample in samples:  # twins are cut alike
            limbs = " | ".join(limbs_in_words(person) for person in sample.record.people)
            images.append(_around(sample.image(), boxes))
            captions.append(f"{limbs}\n{', '.join([*cases_in_words(sample.record), sample.record.photo.id])}")
    title = f"{folder.name}: {len(dataset)} pictures"
    twins = any(len(samples) > 1 for samples in scenes.values())
    subtitle = "what is lost; each amputee beside their intact twin" if twins else "what is lost"
    return save_contact_sheet(
        folder / SHEET_NAME, images, captions, title=title, subtitle=subtitle, columns=8
    )


def _around(image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "people 4"]) -> np.ndarray:
    """The part of the picture with the people in it and a margin."""
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    centre_x, centre_y, half = (x0 + x1) / 2, (y0 + y1) / 2, 0.6 * max(x1 - x0, y1 - y0)
    height, width = image.shape[:2]
    left, right = int(max(centre_x - half, 0)), int(min(centre_x + half, width))
    top, bottom = int(max(centre_y - half, 0)), int(min(centre_y + half, height))
    if right - left < 32 or bottom - top < 32:
        return image
    return np.ascontiguousarray(image[top:bottom, left:right])
