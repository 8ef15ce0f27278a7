"""Draw the people, each on a layer of their own."""

from __future__ import annotations

import numpy as np

from ajahr.anatomy import LIMBS, NUM_JOINTS, PARENTS, amputation_joint
from ajahr.body.data import BodyData
from ajahr.render.rasterizer import Lighting, Rasterizer
from synth.appearance.residual import ResidualTint
from synth.config import RealismConfig, RenderConfig
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
    """Textured bodies under the light of the photograph, each by itself; `Compose` lays them over it.

    A residual limb's end takes the colour of the skin or cloth just above the cut.
    """

    def __init__(self, body: BodyData, config: RenderConfig, realism: RealismConfig) -> None:
        assert body.uv is not None
        self.uv, self.config, self.realism = body.uv, config, realism
        self.rasterizer = Rasterizer(body.faces, body.uv_faces, body.part_labels)
        self.tint = ResidualTint(body)

    def __call__(self, record: Record) -> Record:
        for person in record.people:
            assert person.mesh is not None and person.texture is not None
            texture = person.texture.texture()
            person.lighting = person.slot.lighting() if self.realism.light else Lighting()
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
        return record
