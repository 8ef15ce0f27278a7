"""Places for people in a cleaned photograph, and in one where nobody stood."""

from __future__ import annotations

import numpy as np

from ajahr.geometry.cameras import Camera
from synth.background_bank import Slot
from synth.config import GenerateConfig
from synth.photos.background import CleanBackground, PersonSlot
from synth.photos.light import estimate_light
from synth.realism.traits import measure_place

_STANDING_M = 1.65
"""Height a person of unknown scale is taken to have, from crown to sole."""
_BORDER_PX = 3
_CLEAN_SLOTS = 8
"""Places offered in a photograph where nobody stood."""


def person_slots(clean: CleanBackground, config: GenerateConfig) -> list[Slot]:
    """A slot for everybody removed, with a fitted pose where keypoints give a good one."""
    height, width = clean.image.shape[:2]
    fits: list = [None] * len(clean.slots)
    if config.backgrounds.fit:
        from synth.fits import fit_people

        camera = Camera.centred(width, height, config.render.focal_factor * max(width, height))
        fits = fit_people([_confident(slot) for slot in clean.slots], camera, config.body)
    slots = []
    for person, fit in zip(clean.slots, fits, strict=True):
        slot = _slot(clean, person, fit, config.backgrounds.max_fit_error)
        if slot is not None:
            slots.append(slot)
    return slots


def _confident(slot: PersonSlot) -> np.ndarray | None:
    """COCO-17 with confidences instead of visibilities."""
    if slot.keypoints_coco17 is None:
        return None
    return np.concatenate([slot.keypoints_coco17[:, :2], slot.confidence[:, None]], axis=1)


def _slot(clean: CleanBackground, person: PersonSlot, fit, max_error: float) -> Slot | None:
    """The place of one removed person; None where nothing tells how large people are there."""
    x0, y0, x1, y1 = (float(v) for v in person.bbox_xyxy)
    light = _light(clean, person.bbox_xyxy, person)
    traits = measure_place(clean.image, clean.hole, np.asarray(person.bbox_xyxy, np.float64), person.blur_px)
    if fit is None or fit.error > max_error:
        height, width = clean.image.shape[:2]
        if min(x0, y0) < _BORDER_PX or x1 > width - _BORDER_PX or y1 > height - _BORDER_PX:
            return None  # cut off by the border: the box is not the person's height
        # the longer side, so that somebody sitting or lying is not made a child
        scale = max(y1 - y0, x1 - x0) / _STANDING_M
        return Slot(
            (x0, y0, x1, y1),
            scale,
            (x0 + x1) / 2,
            y1,
            light=light,
            traits=traits,
            source_id=person.source_id,
        )
    return Slot(
        (x0, y0, x1, y1),
        fit.px_per_m,
        fit.pelvis_px[0],
        fit.ground_y,
        fit.pose_rotvec.tolist(),
        fit.betas.tolist(),
        fit.pelvis_px,
        fit.error,
        light,
        traits,
        person.source_id,
    )


def invented_slots(clean: CleanBackground, index: int) -> list[Slot]:
    """Places in a photograph where nobody stood: on its lower part, larger the nearer they are."""
    height, width = clean.image.shape[:2]
    rng = np.random.default_rng([index, height, width])
    slots = []
    for _ in range(_CLEAN_SLOTS):
        nearness = rng.uniform(0.0, 1.0)
        scale = height * (0.30 + 0.25 * nearness)
        ground = height * (0.86 + 0.20 * nearness)
        x = width * rng.uniform(0.2, 0.8)
        half = 0.35 * scale
        box = (x - half, ground - _STANDING_M * scale, x + half, ground)
        traits = measure_place(clean.image, clean.hole, np.array(box))
        slots.append(Slot(box, scale, x, ground, light=_light(clean, np.array(box)), traits=traits))
    return slots


def _light(clean: CleanBackground, bbox_xyxy: np.ndarray, own: PersonSlot | None = None) -> list[float]:
    others = [slot.probe for slot in clean.slots if slot is not own and slot.probe is not None]
    light = estimate_light(
        clean.image, np.asarray(bbox_xyxy, np.float64), None if own is None else own.probe, others
    )
    values = np.concatenate([light.ambient_rgb, light.directional_rgb, light.direction])
    return [round(float(v), 6) for v in values]
