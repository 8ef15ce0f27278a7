"""A contact sheet of a dataset with its labels drawn on: what to look at before believing it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ajahr.anatomy import COCO17, J44, LDPOSE25, LIMBS, KeypointLayout, class_name
from ajahr.data.dataset import Dataset, open_dataset
from ajahr.data.mask import split_mask
from ajahr.data.record import ABSENT, HARD_CASES, VISIBLE, ImageRecord, LimbStatus, PersonRecord
from ajahr.data.shards import Sample
from ajahr.errors import UserError
from ajahr.render.contact_sheet import save_contact_sheet
from ajahr.render.overlay import draw_box, draw_label, draw_parts, draw_skeleton
from ajahr.residual_limb.segments import segment_of

PREVIEW_LAYOUTS: tuple[KeypointLayout, ...] = (LDPOSE25, J44, COCO17)


def limbs_in_words(person: PersonRecord) -> str:
    """``"right elbow, left knee (blade)"``, ``"intact"``; occluded whole limbs are named too.

    A limb that ends inside a bone is named by it and lambda: ``"left shank cut at 0.45"``.
    """
    words = []
    for limb in LIMBS:
        level, status, kind = person.limb_levels[limb], person.limb_status[limb], person.prosthesis[limb]
        if level:
            worn = f" ({(kind or 'prosthesis').replace('_', ' ')})" if status == LimbStatus.PROSTHESIS else ""
            end = person.residual_limbs[limb]
            where = class_name(limb, level).replace("_", " ")
            if end is not None:
                where = f"{limb.side} {segment_of(end.segment).bone} cut at {end.fraction:.2f}"
            words.append(where + worn)
        elif status == LimbStatus.OCCLUDED:
            words.append(limb.name.lower().replace("_", " ") + " occluded")
    if not any(person.limb_levels):
        words.insert(0, "intact")
    return ", ".join(words)


def cases_in_words(record: ImageRecord) -> list[str]:
    """The hard cases of everybody in a picture; limbs in words tell of prostheses already."""
    found = {case for person in record.people for case in person.hard_cases if case != "prosthesis"}
    return [case.replace("_", " ") for case in HARD_CASES if case in found]


def caption(record: ImageRecord) -> str:
    """Two lines: the limbs of every person, then who and where from."""
    limbs = " | ".join(limbs_in_words(person) for person in record.people) or "nobody"
    people = [
        f"{person.appearance.group} {person.appearance.gender}, {person.pose_source.name}"
        for person in record.people
    ]
    where = ", ".join([*cases_in_words(record), record.photo.id])
    return f"{limbs}\n{record.key}: {' | '.join(people)}, {where}"


def _keypoints(person: PersonRecord, layout: KeypointLayout) -> Float[np.ndarray, "points 3"]:
    return {J44.name: person.keypoints_2d, COCO17.name: person.coco_2d}.get(layout.name, person.ldpose_2d)


def draw_sample(
    sample: Sample,
    *,
    layout: KeypointLayout = LDPOSE25,
    parts: bool = True,
    boxes: bool = True,
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture with part mask, boxes, keypoints (hidden ones as rings) and limbs in words.

    Args:
        layout: `LDPOSE25`, `J44` or `COCO17`.
        parts: tint the parts in sight.
        boxes: draw the boxes with the words.
    """
    image = sample.image()
    if parts:
        _, joint = split_mask(sample.mask())
        image = draw_parts(image, (joint + 1).astype(np.uint8), opacity=0.5)
    for person in sample.record.people:
        points = _keypoints(person, layout)
        absent: Bool[np.ndarray, " points"] = points[:, 2] == ABSENT
        image = draw_skeleton(image, points[:, :2], layout, absent=absent, visible=points[:, 2] == VISIBLE)
    for n, person in enumerate(sample.record.people):
        if boxes:
            line = max(11, round(max(image.shape[:2]) / 40))
            x, y = person.bbox_xyxy[:2] - (0, 1.7 * line)  # above the box where there is room
            words = f"{n}: {limbs_in_words(person)}"
            image = draw_label(draw_box(image, person.bbox_xyxy), words, (float(x), float(y)), size=line)
    return image


def pick(dataset: Dataset, count: int) -> list[Sample]:
    """``count`` samples spread evenly over the dataset, every one with its intact twin behind it.

    Twins count, so that ``count`` pictures come out where there are as many.
    """
    leading = [key for key, twin in _keys_and_twins(dataset) if twin is not None]
    keys = leading or list(dataset.keys)
    each = 2 if leading else 1
    take = np.linspace(0, len(keys) - 1, min(max(count // each, 1), len(keys))).round().astype(int)
    samples = []
    for key in (keys[i] for i in take):
        samples.append(dataset[key])
        twin = samples[-1].record.intact_twin
        if twin is not None:
            samples.append(dataset[twin])
    return samples[: max(count, 1)]


def _keys_and_twins(dataset: Dataset) -> list[tuple[str, str | None]]:
    """Key and twin's key of every sample that shows somebody, from the npz files: no picture is read."""
    pairs: dict[str, str | None] = {}
    for entry in dataset.manifest.shards:
        arrays = dataset.arrays(entry)
        for key, twin in zip(arrays["key"].tolist(), arrays["intact_twin"].tolist(), strict=True):
            pairs[key] = twin or None
    return list(pairs.items())


def preview(
    folder: str | Path,
    out: str | Path,
    *,
    count: int = 24,
    layout: str = LDPOSE25.name,
    parts: bool = True,
    cell: tuple[int, int] = (360, 300),
) -> Path:
    """Write a contact sheet PNG of a finished dataset with its labels drawn on.

    Args:
        folder: the dataset.
        out: the PNG to write.
        count: how many pictures, twins included.
        layout: ``ldpose25``, ``j44`` or ``coco17``.
        parts: tint the parts of the bodies.
        cell: width and height of one picture on the sheet, px.

    Raises:
        UserError: no finished dataset, an empty one, a damaged shard, another layout, or ``out`` cannot be
            written.
    """
    layouts = {one.name: one for one in PREVIEW_LAYOUTS}
    if layout not in layouts:
        raise UserError(f"layout {layout} is not known; choose one of {', '.join(layouts)}")
    if count < 1:
        raise UserError(f"a sheet of {count} pictures cannot be drawn; ask for one or more")
    dataset = open_dataset(folder)
    if not len(dataset):
        raise UserError(f"{folder}: the dataset is empty; see 'drops' in its dataset.json for the reasons")
    samples = pick(dataset, count)
    paired = any(sample.record.intact_twin for sample in samples)
    counts = dataset.manifest.counts
    return save_contact_sheet(
        out,
        [draw_sample(sample, layout=layouts[layout], parts=parts) for sample in samples],
        [caption(sample.record) for sample in samples],
        title=Path(folder).resolve().name,
        subtitle=f"{counts['samples',]} pictures, {counts['people',]} people; keypoints {layout}: "
        "discs in sight, rings hidden, diamonds residual-limb ends",
        columns=4 if paired else None,
        cell=cell,
        caption_lines=3,
    )
