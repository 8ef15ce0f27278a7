"""A soft shadow of a body on the ground it stands on.

The ground is a plane through the lowest joint of the intact body, seen a little from above; nothing is known of the
real one. Every vertex throws its share of the body's area along the light onto the plane, higher ones wider and
fainter: dark and narrow under a foot, a hint under a seat half a metre up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from numba import njit

from ajahr.geometry.cameras import Camera
from ajahr.render.rasterizer import Lighting

CAMERA_PITCH_DEG = 9.0
"""How far down the camera is taken to look."""
SOLE_M = 0.04
"""The ground lies about so far below the lowest joint."""
_UP = np.array([0.0, -np.cos(np.deg2rad(CAMERA_PITCH_DEG)), -np.sin(np.deg2rad(CAMERA_PITCH_DEG))])
_LAYERS_M = ((0.12, 0.035), (0.45, 0.09), (2.0, 0.20))
"""Up to each height above the ground, m, the softness of its shadow, m."""
_LAYER_TOPS = np.array([top for top, _ in _LAYERS_M], np.float32)
_FADE_M = 0.55
"""Height at which a shadow has lost two thirds of its strength."""
_MAX_LEAN = 0.9
"""Metres that a shadow moves aside for a metre of height, at most."""
_MAX_HEIGHT_M = 1.3
"""Higher parts throw no shadow that could be told from the ambient light."""
_FAINTEST, _DARKEST = 0.50, 0.90
"""Share of the light taken away under the body in even light, and in hard light."""
_CELL_PX = 4
_MARGIN_M = 0.5
SHADOW_REACH_M = (_MAX_LEAN * _MAX_HEIGHT_M + _MARGIN_M, 0.6)
"""No shadow leaves the box of the body's and its intact twin's pixels widened by so much to both sides, and above and
below, m."""


@dataclass(frozen=True, eq=False)
class Shadow:
    """Darkening of a part of the picture.

    Attributes:
        window: x0, y0, x1, y1, px.
        keep: Share of the light that is left in each pixel of the window.
    """

    window: tuple[int, int, int, int]
    keep: Float32[np.ndarray, "height width"]

    def darken(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Apply to the picture, in place."""
        _darken(image, self.keep, self.window[0], self.window[1])


def vertex_areas(
    vertices: Float32[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float32[np.ndarray, " vertices"]:
    """A third of the area of the faces around each vertex, m^2."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices)).astype(np.float32)


def ground_height(intact_joints: Float[np.ndarray, "joints 3"]) -> float:
    """Height of the ground under a body whose limbs are all there: both twins stand on the same. m, camera frame."""
    return float((intact_joints @ _UP).min()) - SOLE_M


def _hardness(lighting: Lighting) -> float:
    """0 for light from everywhere, 1 for one lamp."""
    directional = float(lighting.directional_rgb.mean())
    return directional / max(directional + float(lighting.ambient_rgb.mean()), 1e-6)


def cast_shadow(
    vertices_cam: Float32[np.ndarray, "vertices 3"],
    areas: Float32[np.ndarray, " vertices"],
    ground: float,
    camera: Camera,
    lighting: Lighting,
) -> Shadow | None:
    """The shadow of one mesh; None where none of it falls into the picture.

    Args:
        vertices_cam: m, camera frame.
        areas: m^2 of the surface around each vertex; 0 for one that throws no shadow.
        ground: Height of the ground, by `ground_height`.
        camera: The one the mesh is drawn with.
        lighting: What the mesh is lit by; the more of it is directional, the darker the shadow.
    """
    up, direction = _UP, lighting.direction.astype(np.float64)
    hardness = _hardness(lighting)
    # the light moved towards the vertical: even light has no side, and a low sun no end
    rise = max(float(direction @ up), 0.2)
    aside = (direction - rise * up) / rise
    lean = float(np.linalg.norm(aside))
    aside = aside * (min(lean, _MAX_LEAN) * (0.4 + 0.6 * hardness) / max(lean, 1e-6))

    depth = camera.weak_depth or max(float(np.median(vertices_cam[:, 2])), 0.1)
    px_per_m = camera.focal_length / float(depth)
    cell = max(1, min(_CELL_PX, int(px_per_m * 0.02)))
    vertices = np.ascontiguousarray(vertices_cam, np.float32)
    plane = (up.astype(np.float32), np.float32(ground), aside.astype(np.float32))
    focal, weak_depth = float(camera.focal_length), float(camera.weak_depth or 0.0)
    cx, cy = (float(c) for c in camera.principal_point)
    window = _window(
        _extent(vertices, *plane, focal, weak_depth, cx, cy, _MAX_HEIGHT_M), camera, px_per_m, cell
    )
    if window is None:
        return None
    x0, y0, columns, rows = window
    density = np.zeros((len(_LAYERS_M), rows, columns), np.float32)
    _throw(
        vertices, areas, *plane, focal, weak_depth, cx - x0, cy - y0, float(cell), _LAYER_TOPS, _FADE_M,
        _MAX_HEIGHT_M, density,
    )  # fmt: skip
    # a square metre of ground is so many cells, seen from the side
    per_cell = (px_per_m / cell) ** 2 * float(-up[2])
    total = np.zeros((rows, columns), np.float32)
    for layer, (_, softness) in zip(density, _LAYERS_M, strict=True):
        sigma = max(softness * px_per_m / cell, 0.5)
        # a circle on the ground is a flat ellipse in the picture
        total += cv2.GaussianBlur(
            layer, (0, 0), sigmaX=sigma, sigmaY=max(0.4 * sigma, 0.4), borderType=cv2.BORDER_CONSTANT
        )
    # every shaded point has a front and a back of the body over it
    cover = 1 - np.exp(total * np.float32(-1.0 * per_cell))
    strength = _FAINTEST + (_DARKEST - _FAINTEST) * hardness
    keep = 1 - np.float32(strength) * cover
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + columns * cell, camera.width), min(y0 + rows * cell, camera.height)
    if cell > 1:
        keep = cv2.resize(keep, (columns * cell, rows * cell), interpolation=cv2.INTER_LINEAR)
    return Shadow(
        (left, top, right, bottom), np.ascontiguousarray(keep[top - y0 : bottom - y0, left - x0 : right - x0])
    )


def _window(
    extent: tuple[float, float, float, float], camera: Camera, px_per_m: float, cell: int
) -> tuple[int, int, int, int] | None:
    """Corner (px), columns and rows of the cells that a shadow may fall into; None outside the picture."""
    x0, y0, x1, y1 = extent
    margin = _MARGIN_M * px_per_m
    x0, x1 = max(x0 - margin, -margin), min(x1 + margin, camera.width + margin)
    y0, y1 = max(y0 - 0.5 * margin, -margin), min(y1 + 0.5 * margin, camera.height + margin)
    if x1 <= max(x0, 0) or y1 <= max(y0, 0) or x0 >= camera.width or y0 >= camera.height:
        return None
    left, top = int(np.floor(x0 / cell)) * cell, int(np.floor(y0 / cell)) * cell
    return left, top, int(np.ceil((x1 - left) / cell)), int(np.ceil((y1 - top) / cell))


@njit(cache=True, nogil=True)
@no_type_check
def _extent(vertices, up, ground, aside, focal, weak_depth, cx, cy, highest):
    """Smallest and largest x and y of the shadow of anything below ``highest``, px."""
    x0, y0, x1, y1 = np.inf, np.inf, -np.inf, -np.inf
    for i in range(vertices.shape[0]):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        height = max(x * up[0] + y * up[1] + z * up[2] - ground, np.float32(0.0))
        if height >= highest:
            continue
        depth = weak_depth if weak_depth > 0.0 else max(z - height * (up[2] + aside[2]), np.float32(0.05))
        u = (x - height * (up[0] + aside[0])) * focal / depth + cx
        v = (y - height * (up[1] + aside[1])) * focal / depth + cy
        x0, y0, x1, y1 = min(x0, u), min(y0, v), max(x1, u), max(y1, v)
    return x0, y0, x1, y1


@njit(cache=True, nogil=True)
@no_type_check
def _darken(image, keep, x0, y0):
    half = np.float32(0.5)
    for i in range(keep.shape[0]):
        for j in range(keep.shape[1]):
            share = keep[i, j]
            for k in range(3):
                image[y0 + i, x0 + j, k] = np.int64(image[y0 + i, x0 + j, k] * share + half)


@njit(cache=True, nogil=True)
@no_type_check
def _throw(
    vertices, areas, up, ground, aside, focal, weak_depth, cx, cy, cell, tops, fade, highest, density
):  # fmt: skip
    """Spread each vertex's area over the four cells around its shadow, into the layer of its height."""
    layers, rows, columns = density.shape
    for i in range(vertices.shape[0]):
        if areas[i] <= 0.0:
            continue
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        height = max(x * up[0] + y * up[1] + z * up[2] - ground, np.float32(0.0))
        if height >= highest:
            continue
        layer = 0
        while layer < layers - 1 and height > tops[layer]:
            layer += 1
        x -= height * (up[0] + aside[0])
        y -= height * (up[1] + aside[1])
        z -= height * (up[2] + aside[2])
        depth = weak_depth if weak_depth > 0.0 else max(z, np.float32(0.05))
        u = (x * focal / depth + cx) / cell - 0.5
        v = (y * focal / depth + cy) / cell - 0.5
        column, row = int(np.floor(u)), int(np.floor(v))
        if column < 0 or row < 0 or column >= columns - 1 or row >= rows - 1:
            continue
        share = areas[i] * np.exp(-height / fade) * (1.0 - height / highest)
        du, dv = u - column, v - row
        density[layer, row, column] += share * (1.0 - du) * (1.0 - dv)
        density[layer, row, column + 1] += share * du * (1.0 - dv)
        density[layer, row + 1, column] += share * (1.0 - du) * dv
        density[layer, row + 1, column + 1] += share * du * dv
