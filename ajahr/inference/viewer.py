"""A page to turn a body on: one HTML file with the meshes in it, which asks for nothing beyond itself.

The meshes are GLB files inside the page, drawn by a small WebGL viewer of its own: orbit, zoom, the four sides,
the person's pose and the T-pose, a table beside them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from ajahr.data.files import write_atomic
from ajahr.inference.mesh_files import glb_bytes
from ajahr.inference.meshes import Mesh

_PAGE = Path(__file__).with_name("assets") / "viewer.html"


@dataclass(frozen=True)
class Shown:
    """A person on the page."""

    name: str
    meshes: Mapping[str, Mesh]
    """By the name of the pose; glTF's axes: y up, facing +z, m."""
    tables: Sequence[tuple[str, Sequence[Sequence[object]]]] = field(default_factory=tuple)
    """Headings and rows, shown as they are."""


def viewer_page(people: Sequence[Shown], *, title: str, subtitle: str = "", limits: str = "") -> str:
    """The page's text.

    Raises:
        ValueError: nobody to show, or somebody without a mesh.
    """
    if not people or not all(person.meshes for person in people):
        raise ValueError("a page shows at least one person with a mesh")
    data: dict[str, Any] = {
        "people": [
            {
                "name": person.name,
                "meshes": [
                    {"name": name, "glb": base64.b64encode(glb_bytes(mesh)).decode()}
                    for name, mesh in person.meshes.items()
                ],
            }
            for person in people
        ]
    }
    tables = "".join(
        f'<div data-person="{k}"{" hidden" if k else ""}>{"".join(_table(*one) for one in person.tables)}</div>'
        for k, person in enumerate(people)
    )
    return Template(_PAGE.read_text()).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        limits=escape(limits),
        tables=tables,
        # a name that ends the script would end it early
        data=json.dumps(data).replace("</", "<\\/"),
    )


def save_viewer(
    path: str | Path, people: Sequence[Shown], *, title: str, subtitle: str = "", limits: str = ""
) -> Path:
    """`viewer_page` as a file, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    write_atomic(path, viewer_page(people, title=title, subtitle=subtitle, limits=limits).encode())
    return path


def _table(heading: str, rows: Sequence[Sequence[object]]) -> str:
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<h2>{escape(heading)}</h2><table>{lines}</table>"
