"""A body seen from the front, the side and the back, at one scale, without a camera of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from ajahr.geometry.cameras import Camera
from ajahr.render.compositing import composite_over
from ajahr.render.rasterizer import Rasterizer

View = Literal["front", "left", "back", "right"]
_TURNS: dict[View, float] = {"front": 0.0, "left": 90.0, "back": 180.0, "right": 270.0}
_PAPER, _FLOOR = 246, (212, 212, 212)
_TO_CAMERA = np.array([1, -1, -1], np.float32)
_DEPTH = 10.0


def turned(points: Float[np.ndarray, "*batch 3"], view: View) -> Float32[np.ndarray, "*batch 3"]:
    """Points of a body (y up, facing +z, its left +x) in the frame of one who looks at that side of it.

    The frame is a camera's: x right, y down, z forward. "left" shows the person's own left side.
    """
    angle = np.radians(_TURNS[view])
    x = np.cos(angle) * points[..., 0] - np.sin(angle) * points[..., 2]
    z = np.sin(angle) * points[..., 0] + np.cos(angle) * points[..., 2]
    return (np.stack([x, points[..., 1], z], -1) * _TO_CAMERA).astype(np.float32)


def draw_views(
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    colours: UInt8[np.ndarray, "vertices rgb=3"],
    views: Sequence[View] = ("front", "left", "back"),
    *,
    cell: tuple[int, int] = (320, 480),
    metres: float | None = None,
) -> list[UInt8[np.ndarray, "height width 3"]]:
    """A picture for each view, as seen from far away, all at one scale, the body in the middle.

    Args:
        vertices: m; y up, facing +z, the person's left is +x.
        cell: width and height of a picture, px.
        metres: height of what a picture shows, to compare bodies; else as large as the body allows.
    """
    width, height = cell
    middle = (vertices.max(0) + vertices.min(0)) / 2
    sides = [turned(vertices - middle, view) for view in views]
    if metres is None:
        wide = max(float(np.ptp(side[:, 0])) for side in sides)
        tall = max(float(np.ptp(vertices[:, 1])), 1e-6)
        metres = max(tall, wide * height / width) / 0.9
    zoom = height / metres
    camera = Camera.centred(width, height, zoom * _DEPTH, weak_depth=_DEPTH)
    rasterizer = Rasterizer(faces)
    tint = np.concatenate([colours.astype(np.float32), np.ones((len(colours), 1), np.float32)], 1)
    pictures = []
    for side in sides:
        picture = np.full((height, width, 3), _PAPER, np.uint8)
        floor = round(height / 2 + float(side[:, 1].max()) * zoom)
        cv2.line(picture, (width // 10, floor), (width - width // 10, floor), _FLOOR, max(1, height // 300))
        away = side + np.array([0, 0, _DEPTH], np.float32)
        composite_over(picture, rasterizer.render(away, camera, vertex_tint=tint))
        pictures.append(picture)
    return pictures
