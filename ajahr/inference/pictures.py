"""Pictures of predictions: meshes over the photograph, the same people from the side.

Limbs have their colours, ends of residual limbs are magenta (`ajahr.render.overlay`). Every person is drawn in
a window of their own, so that a crowd on a large photograph needs no more memory than the photograph.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit

from ajahr.anatomy import LIMBS
from ajahr.body.data import BodyData
from ajahr.geometry.cameras import Camera
from ajahr.inference.limb_ends import LimbEnd
from ajahr.inference.meshes import JointCutter
from ajahr.inference.person import Person
from ajahr.render.compositing import composite_over
from ajahr.render.overlay import RESIDUAL_COLOUR, draw_box, draw_label, label_size
from ajahr.render.rasterizer import NEAR, Lighting, Rasterizer

MAX_PICTURE = 1600
"""Longer side of an overlay, px."""
MAX_TILES = 24
"""People on a side view; those beyond it are named as a number."""
_PAPER, _FLOOR = 244, (214, 214, 214)
_TILE_ASPECT = 0.6
_QUALITY = 92
_FROM_THE_RIGHT = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)
"""Camera frame to the frame of one who stands at the picture's right: depth becomes right, right becomes near."""


class Painter:
    """Draws people of one body. Safe to share between threads: each has a rasteriser of its own."""

    def __init__(self, body: BodyData) -> None:
        self.body = body
        self.cutter = JointCutter(body.weights, body.faces)
        self._lighting = Lighting()
        self._local = threading.local()

    def overlay(
        self, image: UInt8[np.ndarray, "height width 3"], camera: Camera, people: Sequence[Person]
    ) -> UInt8[np.ndarray, "h w 3"]:
        """A picture of at most `MAX_PICTURE` px with every person's mesh, the nearest on top, box and limbs.

        Args:
            image: what ``camera`` sees, at any size.
            camera: of the whole picture.
        """
        out = fit(image, MAX_PICTURE)
        scale = max(out.shape[:2]) / max(camera.width, camera.height)
        view = camera.cropped(0, 0, out.shape[1], out.shape[0], scale)
        for person in sorted(people, key=lambda one: -float(one.translation[2])):
            self._draw(out, _mesh_vertices(person) + person.translation, view, person)
        line = max(12, round(max(out.shape[:2]) / 55))
        plates: list[tuple[int, int, int, int]] = []
        for person in people if len(people) > 1 else ():
            out = draw_box(out, person.bbox_xyxy * np.float32(scale))
        for person in people:
            box = person.bbox_xyxy * np.float32(scale)
            words = caption(person)
            if len(people) > 1:  # a crowd has no room for percentages
                words = f"{person.number}: {person.limbs_in_words}".replace(", ", "\n")
            above = 1.3 * line * words.count("\n") + 1.7 * line
            plate = _free_plate(
                label_size(words, line), float(box[0]), float(box[1]) - above, out.shape[:2], plates
            )
            plates.append(plate)
            _label(out, words, plate[0], plate[1], line)
            _draw_ends(out, person, scale)
        return out

    def side_view(self, people: Sequence[Person], height: int) -> UInt8[np.ndarray, "height width 3"]:
        """A sheet of tiles, a person each, seen from the picture's right at one scale for all."""
        shown = people[:MAX_TILES]
        rows = max(1, round(math.sqrt(len(shown) * 0.7)))
        columns = max(1, math.ceil(len(shown) / rows))
        tall = max(height // rows, 1)
        wide = max(round(tall * _TILE_ASPECT), 1)
        sheet = np.full((height, columns * wide, 3), _PAPER, np.uint8)
        turned = [
            (_mesh_vertices(person) @ _FROM_THE_RIGHT.T).astype(np.float32, copy=False) for person in shown
        ]
        ends = [tuple(np.array([f(x) for x in points.T]) for f in (np.min, np.max)) for points in turned]
        spans = [(high - low)[:2] for low, high in ends]
        largest = np.max(spans, axis=0) if spans else np.ones(2)
        zoom = 0.86 * min(wide / max(float(largest[0]), 0.3), tall / max(float(largest[1]), 0.3))
        line = max(11, min(tall // 24, 28))
        for k, (person, points) in enumerate(zip(shown, turned, strict=True)):
            top, left = k // columns * tall, k % columns * wide
            tile = sheet[top : top + tall, left : left + wide]
            low, high = ends[k]
            centred = points - (low + high) / 2
            floor = round(tall / 2 + float(high[1] - low[1]) / 2 * zoom)
            cv2.line(tile, (wide // 12, floor), (wide - wide // 12, floor), _FLOOR, max(1, tall // 240))
            far = np.array([0, 0, 10 + float(high[2] - low[2])], np.float32)
            depth = float(far[2])
            view = Camera.centred(wide, tall, zoom * depth, weak_depth=depth)
            self._draw(tile, centred + far, view, person)
            words = "side" if len(people) == 1 else f"{person.number}, side"
            if k == MAX_TILES - 1 and len(people) > MAX_TILES:
                words += f"; {len(people) - MAX_TILES} more"
            _label(tile, words, 2.0, 2.0, line)
        return sheet

    def _draw(
        self,
        out: UInt8[np.ndarray, "height width 3"],
        vertices_cam: Float32[np.ndarray, "vertices 3"],
        view: Camera,
        person: Person,
    ) -> None:
        """One mesh onto ``out``, in place; nothing of a body that is not before the camera."""
        window = _window(vertices_cam, view)
        if window is None:
            return
        left, top, right, bottom = window
        tint = np.empty((len(vertices_cam), 4), np.float32)
        surface = person.surface
        if surface is None:
            tint[:, :3], rasterizer = self.cutter.colours(person.limb_levels), self._rasterizer()
        else:  # a cut mesh has triangles of its own
            tint[:, :3], rasterizer = surface.colours, Rasterizer(surface.faces)
        tint[:, 3] = 1
        result = rasterizer.render(
            vertices_cam,
            view.cropped(left, top, right - left, bottom - top),
            lighting=self._lighting,
            vertex_tint=tint,
        )
        composite_over(out[top:bottom, left:right], result)

    def _rasterizer(self) -> Rasterizer:
        made = getattr(self._local, "rasterizer", None)
        if made is None:
            made = self._local.rasterizer = Rasterizer(self.body.faces)
        return made


def _draw_ends(out: UInt8[np.ndarray, "height width 3"], person: Person, scale: float) -> None:
    """Ends of residual limbs as a 25-point model sees them: a diamond of two standard deviations, in place."""
    for limb in LIMBS:
        end = person.detected_end(limb)
        if end is None or not np.isfinite(end[:2]).all():
            continue
        spread = 2 * float(end[3]) * scale if np.isfinite(end[3]) else 0.0
        radius = float(np.clip(spread, max(out.shape[:2]) / 150, max(out.shape[:2]) / 20))
        corners = end[:2] * scale - 0.5 + radius * np.array([[0, -1], [1, 0], [0, 1], [-1, 0]])
        polygon = [np.round(corners * 16).astype(np.int32)]
        width = max(2, max(out.shape[:2]) // 400)
        cv2.polylines(out, polygon, True, (25, 25, 25), width + 2, cv2.LINE_AA, 4)
        cv2.polylines(out, polygon, True, RESIDUAL_COLOUR, width, cv2.LINE_AA, 4)


def _mesh_vertices(person: Person) -> Float32[np.ndarray, "vertices 3"]:
    """Of the cut surface where there is one, without the translation."""
    return person.vertices if person.surface is None else person.surface.vertices


def caption(person: Person) -> str:
    """``"left elbow 93 %"``, a line for each limb: what is lost, or that nothing is, and how sure that is."""
    chances, words = person.limb_probabilities, person.limbs_in_words.split(", ")
    if chances is None:
        return "\n".join(words)
    lost = [limb for limb in LIMBS if person.limb_levels[limb]]
    sure = [float(chances[limb, person.limb_levels[limb]]) for limb in lost]
    sure = sure or [float(np.prod(chances[:, 0]))]
    lines = [f"{word} {100 * one:.0f} %" for word, one in zip(words, sure, strict=True)]
    return "\n".join([*lines, *(length_in_words(end) for end in person.residual_limbs if end is not None)])


def length_in_words(end: LimbEnd) -> str:
    """``"left below knee: 214 mm (182 to 246), unscaled"``."""
    low, high = (round(1000 * one) for one in end.interval)
    unscaled = "" if end.scaled else ", unscaled"
    return f"{end.segment.words}: {1000 * end.length:.0f} mm ({low} to {high}){unscaled}"


def fit(image: UInt8[np.ndarray, "height width 3"], longest: int) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of the image, no side longer than ``longest`` px."""
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return np.array(image, order="C")
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def encode_jpeg(image: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The picture as a JPEG file."""
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"a picture of {image.shape} cannot be a JPEG")
    return data.tobytes()


def _window(vertices: Float32[np.ndarray, "vertices 3"], view: Camera) -> tuple[int, int, int, int] | None:
    """The part of the picture that a mesh touches: left, top, right, bottom."""
    cx, cy = view.principal_point
    weak = 0.0 if view.weak_depth is None else float(view.weak_depth)
    low_x, low_y, high_x, high_y = _bounds(
        vertices, float(view.focal_length), float(cx), float(cy), weak, NEAR
    )
    left, right = (int(min(max(x, 0), view.width)) for x in (np.floor(low_x) - 1, np.ceil(high_x) + 1))
    top, bottom = (int(min(max(y, 0), view.height)) for y in (np.floor(low_y) - 1, np.ceil(high_y) + 1))
    return (left, top, right, bottom) if left < right and top < bottom else None


@njit(cache=True, nogil=True)
@no_type_check
def _bounds(vertices, focal, cx, cy, weak, near):
    """Least and largest x and y (px) of the vertices before the near plane; crossed if any is not finite."""
    low_x, low_y, high_x, high_y = np.inf, np.inf, -np.inf, -np.inf
    for i in range(vertices.shape[0]):
        z = vertices[i, 2]
        total = vertices[i, 0] + vertices[i, 1] + z
        if total - total != 0.0:
            return np.inf, np.inf, -np.inf, -np.inf
        if z > near:
            scale = focal / (weak if weak > 0.0 else z)
            x, y = vertices[i, 0] * scale + cx, vertices[i, 1] * scale + cy
            low_x, high_x = min(low_x, x), max(high_x, x)
            low_y, high_y = min(low_y, y), max(high_y, y)
    return low_x, low_y, high_x, high_y


def _free_plate(
    size: tuple[int, int],
    x: float,
    y: float,
    picture: Sequence[int],
    taken: Sequence[tuple[int, int, int, int]],
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a label wanted at x, y: inside the picture, below what it would cover.

    Where a crowd leaves no room below, it lies where it was wanted.
    """
    (wide, tall), (height, width) = size, picture
    left = round(min(max(x, 0), max(width - wide, 0)))
    wanted = top = round(min(max(y, 0), max(height - tall, 0)))
    while covered := [
        b for a, t, r, b in taken if left < r and a < left + wide and top < b and t < top + tall
    ]:
        top = max(covered)
        if top + tall > height:
            top = wanted
            break
    return left, top, left + wide, top + tall


def _label(out: UInt8[np.ndarray, "height width 3"], text: str, x: float, y: float, line: int) -> None:
    """A label onto ``out``, in place, redrawing only the strip it lies in."""
    height, width = out.shape[:2]
    tall = min((text.count("\n") + 2) * 3 * line // 2, height)
    top = round(min(max(y, 0), height - tall))
    out[top : top + tall] = draw_label(
        np.ascontiguousarray(out[top : top + tall]), text, (min(max(x, 0), width), y - top), size=line
    )
