"""Put an object before one limb of those for whom that was drawn."""

from __future__ import annotations

import cv2
import numpy as np

from ajahr.geometry.cameras import Camera
from ajahr.render.rasterizer import Lighting
from synth.config import RealismConfig, RenderConfig
from synth.occluders.bank import Occluder, OccluderBank, resized
from synth.occluders.limbs import CORE, MIN_CORE, joints_to_hide, limb_ends, points_between
from synth.occluders.placing import Target, place_object
from synth.record import Cutout, Drop, Person, Record
from synth.stages.place import SOLE_M, person_camera

_OBJECTS_TRIED = 30
_NEARNESS = (1.0, 1.5)
_SIZE = (0.9, 1.2)
"""Things of one kind are not all of one size."""
_LIT = 0.86
"""Brightness that objects in the bank have, as a factor on their colours."""
_SHADOW, _SHADOW_HEIGHT = 0.42, 0.10
"""Darkest, and its height relative to its width."""


class Occlude:
    """The limb is drawn among all four, whole or lost, so that an object before a limb tells nothing about it.

    Of a whole limb the object covers elbow and wrist, or knee and ankle; the end of a lost one it leaves in sight.
    The place follows from the intact skeleton: the object is in both twins.
    """

    def __init__(self, bank: OccluderBank | None, render: RenderConfig, realism: RealismConfig) -> None:
        self.bank, self.render, self.realism = bank, render, realism

    def __call__(self, record: Record) -> Record:
        (rng,) = record.rng.spawn(1)
        for person in record.people:
            if "occluded_object" in person.cases:
                self.occlude(record, person, rng)
        return record

    def occlude(self, record: Record, person: Person, rng: np.random.Generator) -> None:
        assert self.bank is not None and record.camera is not None
        camera = person_camera(record, person, self.render.projection)
        pixels = camera.project(person.joints_intact.astype(np.float64))
        px_per_m = record.camera.focal_length / float(person.joints_intact[0, 2])
        ground = float(pixels[:, 1].max()) + (SOLE_M + person.clearance_m) * px_per_m
        size = (camera.width, camera.height)
        for limb in rng.permutation(4).tolist():
            hide = points_between(pixels[list(joints_to_hide(limb, person.levels[limb]))])
            if not ((hide >= 0) & (hide < size)).all():
                continue
            target = Target(
                hide, limb_ends(pixels, person.levels, person.fractions), pixels[list(CORE)], MIN_CORE,
                px_per_m, ground, size,
            )  # fmt: skip
            for index in rng.integers(len(self.bank), size=_OBJECTS_TRIED).tolist():
                nearness, jitter, turned = rng.uniform(*_NEARNESS), rng.uniform(*_SIZE), rng.random() < 0.5
                one = self.bank[index]
                alpha = np.ascontiguousarray(one.rgba[:, ::-1, 3] if turned else one.rgba[..., 3])
                scale = px_per_m * nearness * jitter / one.px_per_m
                corner = place_object(rng, alpha, scale, nearness, target)
                if corner is not None:
                    cutout = self.cutout(one, scale, turned, corner, person, camera)
                    person.cutouts.append(cutout)
                    person.hidden_limb["occluded_object"] = limb
                    return
        raise Drop("no_object_hides_a_limb")

    def cutout(
        self,
        one: Occluder,
        scale: float,
        turned: bool,
        corner: tuple[int, int],
        person: Person,
        camera: Camera,
    ) -> Cutout:
        """The object at its size, in the light of the place, on its shadow, cut off at the border."""
        rgba = resized(np.ascontiguousarray(one.rgba[:, ::-1]) if turned else one.rgba, scale)
        if self.realism.light:
            rgba = lit(rgba, person.slot.lighting())
        if self.realism.shadow:
            rgba, aside = on_shadow(rgba)
            corner = corner[0] - aside, corner[1]
        left, top = max(corner[0], 0), max(corner[1], 0)
        right = min(corner[0] + rgba.shape[1], camera.width)
        bottom = min(corner[1] + rgba.shape[0], camera.height)
        part = rgba[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]]
        return Cutout(np.ascontiguousarray(part), left, top)


def lit(rgba: np.ndarray, light: Lighting) -> np.ndarray:
    """Premultiplied colours under another light; what side it comes from does not show."""
    factor = np.clip((light.ambient_rgb + 0.6 * light.directional_rgb) / _LIT, 0.35, 1.3)
    factors = np.array([*factor.tolist(), 1.0])
    table = np.minimum(np.rint(np.arange(256)[None, :, None] * factors), 255).astype(np.uint8)
    # colour never above coverage, as premultiplied colours are
    return np.minimum(cv2.LUT(rgba, table), rgba[..., 3:])


def on_shadow(rgba: np.ndarray) -> tuple[np.ndarray, int]:
    """The object with a soft shadow under its foot, and how many columns came in on the left."""
    height, width = rgba.shape[:2]
    foot = rgba[int(0.92 * height) :, :, 3].max(axis=0) > 127
    columns = np.flatnonzero(foot)
    if not len(columns):
        return rgba, 0
    half = 0.5 * (columns[-1] - columns[0] + 1) * 1.12
    tall = max(2.0, _SHADOW_HEIGHT * 2 * half)
    aside, below = int(0.25 * half) + 3, int(tall) + 3
    canvas = np.zeros((height + below, width + 2 * aside, 4), np.uint8)
    y0 = max(int(height - 2 * tall), 0)
    y = (np.arange(y0, height + below) + 0.5 - (height - 0.35 * tall)) / tall
    x = (np.arange(width + 2 * aside) + 0.5 - aside - (columns[0] + columns[-1] + 1) / 2) / half
    inside = 1.0 - np.sqrt(y[:, None] ** 2 + x[None] ** 2)
    canvas[y0:, :, 3] = np.rint(255 * _SHADOW * np.clip(2.2 * inside, 0, 1)).astype(np.uint8)
    canvas[:y0, aside : aside + width] = rgba[:y0]
    under, over = canvas[y0:height, aside : aside + width], rgba[y0:]
    under[:] = (over + (under * (255 - over[..., 3:].astype(np.uint16)) + 127) // 255).astype(np.uint8)
    return canvas, aside
