"""Lay the rendered people over the photograph, the farthest first, as if they had been photographed with it."""

from __future__ import annotations

from copy import copy

import cv2
import numpy as np

from ajahr.body.fast import FastBody
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.render.rasterizer import Lighting
from synth.background_bank import BackgroundBank
from synth.config import RealismConfig, RenderConfig
from synth.occluders.cover import hide_behind, mark_person
from synth.props.mesh import join
from synth.realism.blur import blur_layer, blur_reach, blur_to_add
from synth.realism.colour import IDENTITY
from synth.realism.noise import grain_offset
from synth.realism.paste import paste
from synth.realism.shadow import cast_shadow, ground_height, vertex_areas
from synth.record import Person, Record
from synth.stages.place import person_camera


class Compose:
    """Picture and part mask from the background and everybody's `Person.render`, blended by coverage.

    Everything added follows from the photograph and each twin's own body, so twins differ only where the body and
    its shadow are. The part mask knows nothing of blur: it stays what was rendered.
    """

    def __init__(
        self, body: FastBody, bank: BackgroundBank, render: RenderConfig, realism: RealismConfig
    ) -> None:
        self.body, self.bank, self.render, self.realism = body, bank, render, realism
        self.areas = vertex_areas(body.data.v_template, body.data.faces)
        self.parts = body.data.part_labels

    def under(self, realism: RealismConfig) -> Compose:
        """The same stage with other steps of realism."""
        other = copy(self)
        other.realism = realism
        return other

    def __call__(self, record: Record) -> Record:
        assert record.background is not None
        image = self.bank.image(record.background).copy()
        mask = np.zeros(image.shape[:2], np.uint8)
        offset = grain_offset(record.rng)  # in any case: later draws do not depend on the configuration
        if self.realism.shadow:  # on the ground, not on people: before the first of them
            for person in record.people:
                self._shadow(record, person, image)
        for number, person in enumerate(record.people):
            self._lay(record, person, image, offset)
            assert person.render is not None
            mark_person(mask, person.render, number)
            for cutout in person.cutouts:
                corner = (cutout.left, cutout.top)
                self._blend(record, person, image, cutout.rgba_premultiplied, corner, offset)
                hide_behind(mask, cutout)
        if record.background.grey:  # people in a black-and-white photograph have no colour either
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        record.image, record.mask = image, mask
        return record

    def _shadow(self, record: Record, person: Person, image: np.ndarray) -> None:
        assert person.mesh is not None
        rotmats = rotvec_to_rotmat(person.pose_rotvec).astype(np.float32)
        intact = self.body.pose_joints(person.betas, rotmats) + person.transl
        vertices = person.vertices
        # what is lost has shrunk to a point, whose surface is none
        areas = np.where(person.absent[self.parts], np.float32(0), self.areas)
        if person.cut is not None:  # or was cut off; what closes the end is small
            areas = np.where(person.collapsed[self.parts], np.float32(0), self.areas)[person.cut.shape.kept]
            areas = np.concatenate([areas, np.zeros(len(vertices) - len(areas), np.float32)])
        if person.props:
            props = join(person.props)
            vertices = np.concatenate([vertices, props.vertices])
            areas = np.concatenate([areas, vertex_areas(props.vertices, props.faces)])
        shadow = cast_shadow(
            vertices,
            areas,
            ground_height(intact) - person.clearance_m,
            person_camera(record, person, self.render.projection),
            person.lighting or Lighting(),
        )
        if shadow is not None:
            shadow.darken(image)

    def _lay(self, record: Record, person: Person, image: np.ndarray, offset: tuple[int, int]) -> None:
        assert person.render is not None
        height, width = image.shape[:2]
        reach = blur_reach(self._sigma(person))
        x0, y0, x1, y1 = person.render.window
        if x0 >= x1 or y0 >= y1:
            return
        x0, y0 = max(x0 - reach, 0), max(y0 - reach, 0)
        x1, y1 = min(x1 + reach, width), min(y1 + reach, height)
        layer = person.render.rgba_premultiplied[y0:y1, x0:x1]
        self._blend(record, person, image, layer, (x0, y0), offset)

    def _sigma(self, person: Person) -> float:
        return blur_to_add(person.slot.traits.blur_px) if self.realism.blur else 0.0

    def _blend(
        self,
        record: Record,
        person: Person,
        image: np.ndarray,
        layer: np.ndarray,
        corner: tuple[int, int],
        offset: tuple[int, int],
    ) -> None:
        """Lay a person, or an object before them, over the picture as it would be photographed there."""
        assert record.background is not None
        traits = person.slot.traits
        paste(
            image,
            blur_layer(layer, self._sigma(person)),
            corner,
            colour=traits.tone.transfer() if self.realism.colour and traits.tone else IDENTITY,
            grain=record.background.traits.grain if self.realism.noise else None,
            offset=offset,
        )
