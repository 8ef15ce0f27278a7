"""Draw the people into the picture, the farthest first."""

from __future__ import annotations

import cv2
import numpy as np

from ajahr.anatomy import LIMBS, NUM_JOINTS, PARENTS, amputation_joint
from ajahr.body.data import BodyData
from ajahr.data.mask import person_values
from ajahr.render.compositing import composite_over
from ajahr.render.rasterizer import Lighting, Rasterizer
from synth.appearance.residual import ResidualTint
from synth.background_bank import BackgroundBank
from synth.config import RenderConfig
from synth.record import Record
from synth.stages.place import person_camera


def kept_parts(levels: tuple[int, int, int, int]) -> np.ndarray | None:
    """Joint to write into the part mask for each joint: an absent chain shows as the part it was cut from."""
    if not any(levels):
        return None
    table = np.arange(NUM_JOINTS, dtype=np.uint8)
    for limb in LIMBS:
        if levels[limb]:
            top = amputation_joint(limb, levels[limb])
            for joint in range(top, NUM_JOINTS):
                if joint == top or (PARENTS[joint] >= 0 and table[PARENTS[joint]] != PARENTS[joint]):
                    table[joint] = PARENTS[top] if joint == top else table[PARENTS[joint]]
    return table


class Render:
    """Textured bodies under the light of the photograph, blended by coverage, so that no rim shows.

    A residual limb's end takes the colour of the skin or cloth just above the cut.
    """

    def __init__(self, body: BodyData, bank: BackgroundBank, config: RenderConfig) -> None:
        assert body.uv is not None
        self.uv, self.bank, self.config = body.uv, bank, config
        self.rasterizer = Rasterizer(body.faces, body.uv_faces, body.part_labels)
        self.tint = ResidualTint(body)

    def __call__(self, record: Record) -> Record:
        assert record.background is not None
        image = self.bank.image(record.background).copy()
        mask = np.zeros(image.shape[:2], np.uint8)
        for number, person in enumerate(record.people):
            assert person.mesh is not None and person.texture is not None
            texture = person.texture.texture()
            person.lighting = person.slot.lighting() if self.config.shade_from_background else Lighting()
            person.render = self.rasterizer.render(
                person.mesh.vertices,
                person_camera(record, person, self.config.projection),
                uv=self.uv,
                texture=texture,
                lighting=person.lighting,
                samples=self.config.samples,
                vertex_tint=self.tint(texture, person.absent) if person.absent.any() else None,
                part_map=kept_parts(person.rendered_levels),
            )
            composite_over(image, person.render)
            x0, y0, x1, y1 = person.render.window
            seen = person.render.parts[y0:y1, x0:x1]
            window = mask[y0:y1, x0:x1]
            np.copyto(window, person_values(seen, number), where=seen > 0)
        if record.background.grey:  # people in a black-and-white photograph have no colour either
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        record.image, record.mask = image, mask
        return record
