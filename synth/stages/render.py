"""Draw the people, each on a layer of their own."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np

from ajahr.anatomy import LIMBS, NUM_JOINTS, PARENTS, amputation_joint
from ajahr.body.data import BodyData
from ajahr.render.rasterizer import Lighting, Rasterizer
from ajahr.render.texture import Texture
from synth.appearance.residual import ResidualTint, dome_tint
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
            surface = self.surface(person)
            tint = self.tints(person, texture)
            rasterizer, vertices = self.rasterizer, surface.vertices
            if person.props or person.cut is not None:
                rasterizer, vertices, tint = self.with_props(person, surface, tint)
            person.render = rasterizer.render(
                vertices,
                person_camera(record, person, self.config.projection),
                uv=surface.uv,
                texture=texture,
                lighting=person.lighting,
                samples=self.config.samples,
                vertex_tint=tint,
                part_map=kept_parts(person.rendered_levels),
            )
        return record

    def surface(self, person: Person) -> Surface:
        """The body, or what its cuts left of it."""
        body, cut = self.body, person.cut
        assert person.mesh is not None and body.uv_faces is not None
        if cut is None:
            return Surface(person.mesh.vertices, body.faces, self.uv, body.uv_faces, body.part_labels)
        shape = cut.shape
        assert shape.uv is not None and shape.uv_faces is not None
        return Surface(cut.vertices, shape.faces, shape.uv, shape.uv_faces, shape.labels(body.part_labels))

    def tints(self, person: Person, texture: Texture) -> np.ndarray | None:
        """Colours of the ends of limbs."""
        collapsed, cut = person.collapsed, person.cut
        tint = self.tint(texture, collapsed) if collapsed.any() else None
        if cut is None:
            return tint
        kept = cut.shape.kept
        tint = np.zeros((cut.shape.num_kept, 4), np.float32) if tint is None else tint[kept]
        return np.concatenate([tint, dome_tint(texture, cut.shape)])

    def with_props(
        self, person: Person, surface: Surface, tint: np.ndarray | None
    ) -> tuple[Rasterizer, np.ndarray, np.ndarray | None]:
        """One mesh of body and props, so that each hides what lies behind it of the other.

        Props have no texture but the tint of their vertices.
        """
        if not person.props:
            return Rasterizer(surface.faces, surface.uv_faces, surface.labels), surface.vertices, tint
        props, count = join(person.props), len(surface.vertices)
        rasterizer = Rasterizer(
            np.concatenate([surface.faces, props.faces + np.int32(count)]),
            np.concatenate([surface.uv_faces, np.zeros_like(props.faces)]),
            np.concatenate([surface.labels, np.full(len(props.vertices), PROP_PART, np.uint8)]),
        )
        tints = np.zeros((count + len(props.vertices), 4), np.float32)
        if tint is not None:
            tints[:count] = tint
        tints[count:, :3], tints[count:, 3] = props.rgb, 1.0
        return rasterizer, np.concatenate([surface.vertices, props.vertices]), tints


@dataclass(frozen=True, eq=False)
class Surface:
    """A textured surface with the part of each vertex."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    labels: np.ndarray
