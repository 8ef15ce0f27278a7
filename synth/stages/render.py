"""Draw the people, each on a layer of their own."""

from __future__ import annotations

from copy import copy

import numpy as np

from ajahr.anatomy import LIMBS, NUM_JOINTS, PARENTS, amputation_joint
from ajahr.body.data import BodyData
from ajahr.render.rasterizer import Lighting, Rasterizer
from synth.appearance.residual import ResidualTint
from synth.config import RealismConfig, RenderConfig
from synth.props.mesh import join
from synth.record import Person, Record
from synth.stages.place import person_camera

PROP_PART = NUM_JOINTS
"""What `RenderResult.parts` says, less one as always, where a prosthesis, a wheelchair or a crutch is seen."""


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
        self.body, self.uv, self.config, self.realism = body, body.uv, config, realism
        self.rasterizer = Rasterizer(body.faces, body.uv_faces, body.part_labels)
        self.tint = ResidualTint(body)

    def under(self, realism: RealismConfig) -> Render:
        """The same stage with other steps of realism."""
        other = copy(self)
        other.realism = realism
        return other

    def __call__(self, record: Record) -> Record:
        for person in record.people:
            assert person.mesh is not None and person.texture is not None
            texture = person.texture.texture()
            person.lighting = person.slot.lighting() if self.realism.light else Lighting()
            rasterizer, vertices = self.rasterizer, person.mesh.vertices
            tint = self.tint(texture, person.absent) if person.absent.any() else None
            if person.props:
                rasterizer, vertices, tint = self.with_props(person, tint)
            person.render = rasterizer.render(
                vertices,
                person_camera(record, person, self.config.projection),
                uv=self.uv,
                texture=texture,
                lighting=person.lighting,
                samples=self.config.samples,
                vertex_tint=tint,
                part_map=kept_parts(person.rendered_levels),
            )
        return record

    def with_props(
        self, person: Person, tint: np.ndarray | None
    ) -> tuple[Rasterizer, np.ndarray, np.ndarray]:
        """One mesh of body and props, so that each hides what lies behind it of the other.

        Props have no texture but the tint of their vertices.
        """
        assert person.mesh is not None and self.body.uv_faces is not None
        props, count = join(person.props), len(person.mesh.vertices)
        rasterizer = Rasterizer(
            np.concatenate([self.body.faces, props.faces + np.int32(count)]),
            np.concatenate([self.body.uv_faces, np.zeros_like(props.faces)]),
            np.concatenate([self.body.part_labels, np.full(len(props.vertices), PROP_PART, np.uint8)]),
        )
        tints = np.zeros((count + len(props.vertices), 4), np.float32)
        if tint is not None:
            tints[:count] = tint
        tints[count:, :3], tints[count:, 3] = props.rgb, 1.0
        return rasterizer, np.concatenate([person.mesh.vertices, props.vertices]), tints
