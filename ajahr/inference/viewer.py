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

from ajahr.anatomy import LIMBS
from ajahr.data.files import make_folder, write_atomic
from ajahr.inference.mesh_files import glb_bytes, to_gl
from ajahr.inference.meshes import Mesh
from ajahr.inference.results import ImageResult
from ajahr.render.overlay import LIMB_COLOURS, RESIDUAL_COLOUR

_KEY = {limb.name.lower().replace("_", " "): LIMB_COLOURS[limb] for limb in LIMBS}
_KEY |= {"ends": RESIDUAL_COLOUR}
_PAGE = Path(__file__).with_name("assets") / "viewer.html"


@dataclass(frozen=True)
class Shown:
    """A person on the page."""

    name: str
    meshes: Mapping[str, Mesh]
    """By the name of the pose; glTF's axes: y up, facing +z, m."""
    tables: Sequence[tuple[str, Sequence[Sequence[object]]]] = field(default_factory=tuple)
    """Headings and rows, shown as they are; the first row of three or more columns names them."""


def viewer_page(
    people: Sequence[Shown],
    *,
    title: str,
    subtitle: str = "",
    limits: str = "",
    key: Mapping[str, tuple[int, int, int]] | None = None,
) -> str:
    """The page's text.

    Args:
        limits: said below the tables.
        key: what the meshes' colours (RGB) mean.

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
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        limits=escape(limits),
        key="".join(
            f'<i style="background:rgb({r},{g},{b})"></i>{escape(word)}'
            for word, (r, g, b) in (key or {}).items()
        ),
        tables=tables,
        # a name that ends the script, or opens another, would
        data=json.dumps(data).replace("<", "\\u003c"),
    )


def save_viewer(
    path: str | Path,
    people: Sequence[Shown],
    *,
    title: str,
    subtitle: str = "",
    limits: str = "",
    key: Mapping[str, tuple[int, int, int]] | None = None,
) -> Path:
    """`viewer_page` as a file, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    make_folder(path.parent)
    page = viewer_page(people, title=title, subtitle=subtitle, limits=limits, key=key)
    write_atomic(path, page.encode())
    return path


def _table(heading: str, rows: Sequence[Sequence[object]]) -> str:
    lines = ""
    for k, row in enumerate(rows):
        tag = "th" if k == 0 and len(row) > 2 else "td"
        lines += "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row) + "</tr>"
    return f"<h2>{escape(heading)}</h2><table>{lines}</table>"


def save_people(path: str | Path, result: ImageResult) -> Path | None:
    """The page of a picture's people as they were predicted; none where nobody is.

    Raises:
        UserError: the file cannot be written.
    """
    if not result.people:
        return None
    shown = []
    for k, person in enumerate(result.people):
        mesh = result.mesh(k)
        upright = Mesh(to_gl(mesh.vertices), mesh.faces, mesh.colours)
        facts = [(row, "") for row in person.limbs_in_words.split(", ")]
        shown.append(Shown(f"person {person.number}", {"pose": upright}, [("limbs lost", facts)]))
    return save_viewer(path, shown, title=Path(result.name).name, subtitle="limbs by colour", key=dict(_KEY))
