"""What prediction returns for a picture, and what it writes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ajahr.anatomy import J44, SMPL24
from ajahr.data.files import make_folder, write_atomic
from ajahr.data.images import LoadedImage
from ajahr.geometry.cameras import Camera
from ajahr.inference.mesh_files import MeshFormat, save_mesh
from ajahr.inference.meshes import Mesh
from ajahr.inference.person import Person
from ajahr.inference.pictures import Painter, encode_jpeg

JSON_VERSION = 1


@dataclass(frozen=True, eq=False)
class ImageResult:
    """The people of one picture.

    Attributes:
        name: of the picture, for files and captions.
        people: in the order of their boxes; empty when nobody was found.
        camera: the whole picture's, at full size.
        image: the picture as loaded; large ones reduced.
    """

    name: str
    people: tuple[Person, ...]
    camera: Camera
    image: LoadedImage
    painter: Painter

    def document(self) -> dict[str, Any]:
        """Everything but pixels and meshes as plain values."""
        return {
            "version": JSON_VERSION,
            "source": self.name,
            "width": self.camera.width,
            "height": self.camera.height,
            "camera": {
                "focal_length": round(float(self.camera.focal_length), 3),
                "principal_point": [float(x) for x in self.camera.principal_point],
            },
            "body": self.painter.body.name,
            "joint_names": list(SMPL24.names),
            "keypoint_names": list(J44.names),
            "people": [person.document() for person in self.people],
        }

    def mesh(self, number: int = 0) -> Mesh:
        """A person's mesh with lost limbs cut away; camera frame, without the translation.

        Raises:
            IndexError: there is no such person.
        """
        person = self.people[number]
        if person.surface is not None:
            return person.surface.mesh
        return self.painter.cutter(person.vertices, person.limb_levels)

    def overlay(self) -> UInt8[np.ndarray, "height width 3"]:
        """The picture with every mesh, box and limb status drawn over it, at most `MAX_PICTURE` px long."""
        return self._overlay

    @cached_property
    def _overlay(self) -> np.ndarray:
        return self.painter.overlay(self.image.pixels, self.camera, self.people)

    def side_view(self) -> UInt8[np.ndarray, "height width 3"]:
        """Everybody seen from the picture's right, as high as the overlay: the camera is at the left."""
        return self.painter.side_view(self.people, self._overlay.shape[0])

    def picture(self) -> UInt8[np.ndarray, "height width 3"]:
        """Overlay and side view beside each other; the overlay alone where nobody is."""
        if not self.people:
            return self.overlay()
        return np.concatenate([self.overlay(), self.side_view()], 1)

    def save(
        self,
        folder: str | Path,
        *,
        stem: str | None = None,
        mesh: MeshFormat | None = "glb",
        picture: bool = True,
        extra: dict[str, Any] | None = None,
    ) -> Path:
        """Write STEM.json, STEM.jpg (overlay and side view) and a mesh per person, STEM_0.glb ...

        The JSON comes last: where it is, everything else is whole.

        Args:
            stem: the picture's own name without its suffix when None; may name a subfolder.
            mesh: format; None for no meshes.
            picture: whether to draw.
            extra: more entries for the JSON.

        Returns:
            The JSON's path.

        Raises:
            UserError: the folder cannot be written.
        """
        base = Path(folder) / (stem or Path(self.name).stem or "picture")
        make_folder(base.parent)
        if mesh is not None:
            for k, person in enumerate(self.people):
                about: dict[str, Any] = {
                    "limb_levels": person.limb_levels.tolist(),
                    "limbs": person.limbs_in_words,
                }
                ends = [end for end in person.residual_limbs if end is not None]
                if ends:
                    about["residual_limbs"] = [end.document(person.camera) for end in ends]
                save_mesh(base.with_name(f"{base.name}_{k}.{mesh}"), self.mesh(k), about)
        if picture:
            write_atomic(base.with_name(f"{base.name}.jpg"), encode_jpeg(self.picture()))
        path = base.with_name(f"{base.name}.json")
        write_atomic(path, json.dumps({**self.document(), **(extra or {})}).encode())
        return path

    def only(self, number: int) -> ImageResult:
        """The result with one of its people."""
        return replace(self, people=(self.people[number],))
