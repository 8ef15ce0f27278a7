"""Pictures of residual limbs: over the photograph, from the front, the side and the back, and in the T-pose.

The body is plain, the residual limb red, what a cut made at its end dark red.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from ajahr.geometry.cameras import Camera
from ajahr.inference.meshes import Mesh
from ajahr.inference.pictures import fit
from ajahr.render.contact_sheet import contact_sheet
from ajahr.render.overlay import draw_mesh
from ajahr.render.rasterizer import Rasterizer
from ajahr.render.views import View, draw_views
from ajahr.residual_limb.skin import SkinnedMesh
from ajahr.residual_limb.surface import ResidualLimb

SKIN, RESIDUAL, END = (206, 191, 179), (214, 48, 44), (150, 20, 26)
_LONGEST = 1200


def limb_colours(mesh: SkinnedMesh, ends: Sequence[ResidualLimb]) -> UInt8[np.ndarray, "vertices rgb=3"]:
    """RGB of each vertex of a cut body."""
    share = np.zeros(len(mesh.vertices), np.float32)
    for end in ends:
        own = mesh.weights[:, mesh.descendants(end.segment.upstream)].sum(1)
        share = np.maximum(share, np.clip((own - 0.35) / 0.3, 0, 1))
    skin, red = np.array(SKIN, np.float32), np.array(RESIDUAL, np.float32)
    colours = skin + (red - skin) * share[:, None]
    colours[mesh.residual] = END
    return np.rint(colours).astype(np.uint8)


def upright(rotmats: Float[np.ndarray, "joints 3 3"]) -> Float[np.ndarray, "joints 3 3"]:
    """The pose without the direction in which the body is turned: facing +z, upright."""
    out = np.array(rotmats)
    out[0] = np.eye(3)
    return out


def body_meshes(
    mesh: SkinnedMesh, ends: Sequence[ResidualLimb], rotmats: Float[np.ndarray, "joints 3 3"] | None
) -> dict[str, Mesh]:
    """The body by the name of its pose, glTF's axes: as posed (where a pose is given) and in the T-pose."""
    colours = limb_colours(mesh, ends)
    found = {} if rotmats is None else {"pose": Mesh(mesh.pose(upright(rotmats)), mesh.faces, colours)}
    return found | {"T-pose": Mesh(mesh.vertices, mesh.faces, colours)}


def overlay(
    image: UInt8[np.ndarray, "height width 3"],
    camera: Camera,
    vertices_cam: Float[np.ndarray, "vertices 3"],
    mesh: SkinnedMesh,
    ends: Sequence[ResidualLimb],
    *,
    opacity: float = 0.85,
) -> UInt8[np.ndarray, "h w 3"]:
    """The photograph, at most 1200 px long, with the body over it.

    Args:
        camera: of the whole photograph at its full size.
    """
    picture = fit(image, _LONGEST)
    scale = max(picture.shape[:2]) / max(camera.width, camera.height)
    view = camera.cropped(0, 0, picture.shape[1], picture.shape[0], scale)
    tint = np.ones((len(mesh.vertices), 4), np.float32)
    tint[:, :3] = limb_colours(mesh, ends)
    result = Rasterizer(mesh.faces).render(np.asarray(vertices_cam, np.float32), view, vertex_tint=tint)
    return draw_mesh(picture, result, opacity=opacity)


def limb_sheet(
    mesh: SkinnedMesh,
    ends: Sequence[ResidualLimb],
    *,
    rotmats: Float[np.ndarray, "joints 3 3"] | None = None,
    photo: UInt8[np.ndarray, "height width 3"] | None = None,
    photo_overlay: UInt8[np.ndarray, "height2 width2 3"] | None = None,
    notes: Mapping[str, str] | None = None,
    title: str = "",
    cell: tuple[int, int] = (300, 420),
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """One person on one sheet: photograph, overlay, front, side, back, T-pose; the side is that of the first end.

    Args:
        rotmats: the pose; the T-pose alone where None.
        notes: a line under the T-pose for each limb, by the words of its segment.
    """
    colours = limb_colours(mesh, ends)
    side: View = "right" if ends and ends[0].segment.limb.side == "right" else "left"
    pictures, captions = [], []
    for one, words in ((photo, "photograph"), (photo_overlay, "over the photograph")):
        if one is not None:
            pictures.append(one)
            captions.append(words)
    posed = mesh.vertices if rotmats is None else mesh.pose(upright(rotmats))
    views: tuple[View, ...] = ("front", side, "back")
    pictures += draw_views(posed, mesh.faces, colours, views, cell=cell)
    captions += ["front view", f"side view ({side})", "back view"]
    if rotmats is not None:
        pictures += draw_views(mesh.vertices, mesh.faces, colours, ("front",), cell=cell)
        captions.append("T-pose")
    lines = dict(notes or {})
    for k, (name, words) in enumerate(lines.items()):
        place = len(captions) - 1 - (k % len(captions))
        captions[place] += f"\n{name}: {words}"
    return contact_sheet(pictures, captions, title=title, columns=len(pictures), cell=cell, caption_lines=4)
