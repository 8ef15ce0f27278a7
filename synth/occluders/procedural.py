"""Objects that need no file: things that stand about in rooms and streets, built of simple shapes and rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.geometry.cameras import Camera
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from ajahr.render.rasterizer import Lighting, Rasterizer
from synth.props.mesh import Colour, Mesh, bar, box, ellipsoid, join, ring, sweep, tube

_FACE_CAMERA = np.diag([1.0, -1.0, -1.0])
_PX_PER_M = 260.0
_GRAIN = 0.06
"""Contrast of the speckle that keeps plain colours from looking like plastic."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture of an object: straight alpha, and its scale."""

    name: str
    rgba: UInt8[np.ndarray, "height width 4"]
    px_per_m: float


def _near(rng: np.random.Generator, *colours: Colour) -> Colour:
    """One of the colours, a little lighter or darker."""
    red, green, blue = np.clip(
        np.array(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.85, 1.1), 0, 255
    ).tolist()
    return red, green, blue


def _dark(colour: Colour, share: float = 0.6) -> Colour:
    return colour[0] * share, colour[1] * share, colour[2] * share


def _cylinder(
    radius_low: float, radius_high: float, low: float, high: float, colour: Colour, sides: int = 28
):
    heights = np.linspace(low, high, 5)
    radii = np.linspace(radius_low, radius_high, 5)
    ones = np.ones((5, 1))
    return sweep(
        np.stack([0 * heights, heights, 0 * heights], 1),
        np.stack([radii, radii], 1),
        ones * np.array([0.0, 0.0, 1.0]),
        ones * np.array([1.0, 0.0, 0.0]),
        colour,
        sides,
    )


def carton(rng: np.random.Generator) -> list[Mesh]:
    """One to three cardboard boxes, one on the other."""
    parts, base = [], 0.0
    for _ in range(int(rng.integers(1, 5))):
        half = rng.uniform([0.2, 0.15, 0.17], [0.33, 0.26, 0.27])
        colour = _near(rng, (186, 148, 104), (170, 132, 92), (198, 164, 120))
        turn = rotvec_to_rotmat(np.array([0.0, rng.uniform(-0.3, 0.3), 0.0])).T
        centre = np.array([rng.uniform(-0.04, 0.04), base + half[1], 0.0])
        tape = np.array([half[0] * 0.09, half[1] * 1.004, half[2] * 1.004])
        parts += [box(centre, half, colour, turn), box(centre, tape, _dark((214, 190, 150), 0.95), turn)]
        if rng.random() < 0.6:
            label = centre + turn.T @ np.array([0.45 * half[0], 0.2 * half[1], half[2]])
            parts.append(box(label, (0.09, 0.06, 0.002), (232, 230, 224), turn))
        base += 2 * half[1]
    return parts


def suitcase(rng: np.random.Generator) -> list[Mesh]:
    colour = _near(rng, (36, 44, 66), (120, 26, 34), (44, 46, 48), (30, 92, 96), (206, 150, 40))
    width, height, depth = rng.uniform([0.20, 0.29, 0.11], [0.26, 0.38, 0.15])
    parts = [box((0, 0.06 + height, 0), (width, height, depth), colour)]
    for x in np.linspace(-0.8, 0.8, 7) * width:
        parts.append(box((x, 0.06 + height, 0), (0.006, height * 0.97, depth * 1.03), _dark(colour, 0.75)))
    for x in (-0.8, 0.8):
        for z in (-0.7, 0.7):
            parts.append(ring((x * width, 0.03, z * depth), (1, 0, 0), 0.018, 0.014, (30, 30, 30), 12, 6))
    top = 0.06 + 2 * height
    reach = float(rng.choice([0.03, 0.38]))
    for x in (-0.5, 0.5):
        parts.append(
            tube(
                [(x * width, top, -0.6 * depth), (x * width, top + reach, -0.6 * depth)],
                0.008,
                (150, 152, 156),
            )
        )
    parts.append(
        tube(
            [(-0.55 * width, top + reach, -0.6 * depth), (0.55 * width, top + reach, -0.6 * depth)],
            0.014,
            (36, 36, 38),
        )
    )
    return parts


def bin_(rng: np.random.Generator) -> list[Mesh]:
    """A waste bin with a lid."""
    colour = _near(rng, (58, 92, 66), (70, 74, 80), (40, 70, 120), (150, 152, 150), (110, 60, 40))
    radius, height = rng.uniform(0.2, 0.3), rng.uniform(0.6, 0.95)
    parts = [
        _cylinder(0.86 * radius, radius, 0.0, height, colour),
        ring((0, height, 0), (0, 1, 0), radius, 0.018, _dark(colour), 32, 8),
        _cylinder(radius, 0.35 * radius, height, height + 0.09, _dark(colour, 0.8)),
    ]
    for turn in np.linspace(0, 2 * np.pi, 14, endpoint=False):
        out = np.array([np.cos(turn), 0.0, np.sin(turn)])
        parts.append(
            tube(
                [0.87 * radius * out + [0, 0.04, 0], 0.985 * radius * out + [0, height - 0.04, 0]],
                0.011,
                _dark(colour, 0.85),
                6,
            )
        )
    return parts


def cone(rng: np.random.Generator) -> list[Mesh]:
    """A traffic cone."""
    height, orange, white = rng.uniform(0.7, 1.0), _near(rng, (232, 84, 26), (214, 64, 30)), (236, 234, 228)
    parts = [box((0, 0.02, 0), (0.22, 0.02, 0.22), _dark(orange, 0.35))]
    edges = np.array([0.04, 0.30, 0.46, 0.58, 0.74, 1.0]) * height
    for k, (low, high) in enumerate(pairwise(edges)):
        colour = white if k in (1, 3) else orange
        parts.append(
            _cylinder(
                0.165 * (1 - 0.86 * low / height), 0.165 * (1 - 0.86 * high / height), low, high, colour
            )
        )
    return parts


def plant(rng: np.random.Generator) -> list[Mesh]:
    """A plant in a pot: long leaves that bend over."""
    pot = _near(rng, (176, 96, 66), (226, 222, 214), (64, 66, 70), (92, 110, 120))
    radius, height = rng.uniform(0.16, 0.24), rng.uniform(0.26, 0.42)
    parts = [
        _cylinder(0.72 * radius, radius, 0.0, height, pot),
        ring((0, height, 0), (0, 1, 0), radius, 0.015, pot, 30, 8),
        _cylinder(0.94 * radius, 0.5 * radius, height - 0.02, height + 0.012, (62, 46, 36)),
    ]
    greens = ((66, 104, 52), (46, 84, 44), (88, 124, 62), (54, 98, 70))
    for _ in range(int(rng.integers(38, 60))):
        turn, lean, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 1.0), rng.uniform(0.45, 0.95)
        out = np.array([np.cos(turn), 0.0, np.sin(turn)])
        along = np.linspace(0, 1, 7)[:, None] * length
        line = (
            np.array([0, height, 0])
            + rng.uniform(0, 0.5 * radius) * out
            + along * np.cos(0.6 * lean) * np.array([0.0, 1.0, 0.0])
            + lean * (0.35 * along + 0.75 * along**2) * out
            - 0.35 * lean * along**2 * np.array([0.0, 1.0, 0.0])
        )
        sideways = np.array([-out[2], 0.25, out[0]])
        width = rng.uniform(0.025, 0.055)
        parts.append(
            bar(
                line,
                sideways / np.linalg.norm(sideways),
                width * np.array([0.4, 0.8, 1, 1, 0.8, 0.5, 0.08]),
                0.003,
                _near(rng, *greens),
            )
        )
    return parts


def shrub(rng: np.random.Generator) -> list[Mesh]:
    """A bush: many small leaves around a few boughs."""
    height, breadth = rng.uniform(0.7, 1.6), rng.uniform(0.35, 0.6)
    greens = ((52, 84, 42), (70, 100, 52), (38, 66, 38), (96, 116, 58), (60, 92, 60))
    parts = [
        ellipsoid((0, 0.52 * height, 0), (0.72 * breadth, 0.44 * height, 0.72 * breadth), (34, 50, 30)),
    ]
    for _ in range(430):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        place = np.array([0, 0.54 * height, 0]) + direction * [breadth, 0.5 * height, breadth] * rng.uniform(
            0.72, 1.06
        )
        place[1] = abs(place[1])
        axes = rotvec_to_rotmat(rng.normal(0, 1.2, 3))
        size = rng.uniform(0.03, 0.06)
        parts.append(ellipsoid(place, (size, 0.35 * size, 0.6 * size), _near(rng, *greens), axes, 4, 6))
    return parts


def chair(rng: np.random.Generator) -> list[Mesh]:
    """A chair, its back any way."""
    wood = _near(rng, (136, 92, 56), (92, 60, 38), (206, 176, 132), (54, 54, 56), (226, 224, 218))
    seat = _near(rng, wood, (120, 40, 40), (60, 70, 96))
    half, height, top = rng.uniform(0.2, 0.24), 0.45, rng.uniform(0.82, 1.0)
    parts = [box((0, height, 0), (half, 0.025, half), seat)]
    for x in (-1, 1):
        parts += [
            box((x * (half - 0.02), height / 2, half - 0.02), (0.02, height / 2, 0.02), wood),
            box((x * (half - 0.02), top / 2, -half + 0.02), (0.02, top / 2, 0.02), wood),
            box((x * (half - 0.02), 0.16, 0), (0.012, 0.014, half - 0.03), wood),
        ]
    if rng.random() < 0.5:
        parts.append(
            box(
                (0, (height + top) / 2 + 0.04, -half + 0.02),
                (half - 0.03, (top - height) / 2 - 0.05, 0.012),
                seat,
            )
        )
    else:
        for y in np.linspace(height + 0.12, top - 0.04, 4):
            parts.append(box((0, y, -half + 0.02), (half - 0.03, 0.028, 0.010), wood))
    return parts


def table(rng: np.random.Generator) -> list[Mesh]:
    """A small table with a cloth or without, and something on it."""
    colour = _near(rng, (146, 100, 62), (230, 228, 222), (70, 70, 74), (104, 68, 44))
    width, depth, height = rng.uniform(0.35, 0.6), rng.uniform(0.28, 0.4), rng.uniform(0.68, 0.78)
    parts = [box((0, height, 0), (width, 0.018, depth), colour)]
    if rng.random() < 0.5:
        cloth = _near(rng, (220, 216, 206), (60, 84, 120), (150, 50, 46))
        drop = rng.uniform(0.3, 0.66)
        parts.append(box((0, height - drop / 2 + 0.02, 0), (width * 1.01, drop / 2, depth * 1.01), cloth))
    for x in (-0.92, 0.92):
        for z in (-0.9, 0.9):
            parts.append(
                box((x * width, height / 2, z * depth), (0.02, height / 2, 0.02), _dark(colour, 0.8))
            )
    x = rng.uniform(-0.6, 0.6) * width
    if rng.random() < 0.5:
        parts.append(
            _cylinder(
                0.05,
                0.08,
                height + 0.018,
                height + 0.24,
                _near(rng, (190, 60, 60), (40, 90, 130), (230, 230, 225)),
            ).placed(np.eye(3), np.array([x, 0, 0]))
        )
    else:
        parts.append(
            box(
                (x, height + 0.06, 0),
                (0.11, 0.045, 0.15),
                _near(rng, (90, 40, 50), (36, 60, 80), (190, 160, 90)),
            )
        )
    return parts


def board(rng: np.random.Generator) -> list[Mesh]:
    """A board on the pavement that leans on its other half."""
    frame, face = (
        _near(rng, (110, 72, 44), (40, 40, 42)),
        _near(rng, (38, 42, 40), (232, 230, 222), (60, 100, 120)),
    )
    half, height, tilt = rng.uniform(0.26, 0.36), rng.uniform(0.85, 1.2), 0.16
    parts = []
    for side in (1, -1):
        axes = rotvec_to_rotmat(np.array([-side * tilt, 0.0, 0.0])).T
        centre = np.array([0, height / 2, side * height / 2 * np.sin(tilt)])
        parts += [
            box(centre, (half, height / 2, 0.012), frame, axes),
            box(
                centre + axes.T @ np.array([0, 0.03, side * 0.004]),
                (half - 0.04, height / 2 - 0.08, 0.012),
                face,
                axes,
            ),
        ]
        ink = (226, 224, 214) if sum(face) < 300 else (50, 50, 56)
        for row in range(5):
            long = rng.uniform(0.3, 0.85) * (half - 0.08)
            offset = axes.T @ np.array(
                [rng.uniform(-0.5, 0.5) * (half - 0.08 - long), height * (0.30 - 0.13 * row), side * 0.018]
            )
            parts.append(box(centre + offset, (long, 0.018, 0.001), ink, axes))
    return parts


def pillar(rng: np.random.Generator) -> list[Mesh]:
    """A pillar or the end of a wall, of bricks or stones."""
    brick = rng.random() < 0.6
    stones = (
        ((150, 82, 62), (134, 70, 54), (164, 98, 74))
        if brick
        else ((150, 148, 142), (132, 130, 126), (166, 162, 154))
    )
    half, depth, height = rng.uniform(0.16, 0.3), rng.uniform(0.12, 0.2), rng.uniform(0.8, 1.9)
    rise, long = (0.075, 0.24) if brick else (0.16, 0.34)
    parts = [box((0, height / 2, 0), (half - 0.006, height / 2, depth - 0.006), (176, 170, 160))]
    for row, y in enumerate(np.arange(rise / 2, height, rise)):
        x = -half - (row % 2) * long / 2
        while x < half:
            low, high = max(x, -half), min(x + long, half) - 0.01
            if high - low > 0.02:
                centre = ((low + high) / 2, min(y, height - rise / 2), 0)
                parts.append(box(centre, ((high - low) / 2, rise / 2 - 0.006, depth), _near(rng, *stones)))
            x += long
    parts.append(box((0, height + 0.03, 0), (half + 0.03, 0.03, depth + 0.03), (180, 178, 172)))
    return parts


def ball(rng: np.random.Generator) -> list[Mesh]:
    """A gymnastics ball."""
    radius = rng.uniform(0.26, 0.36)
    colour = _near(rng, (190, 40, 52), (44, 96, 160), (160, 164, 168), (92, 60, 130))
    parts = [ellipsoid((0, radius, 0), (radius, radius, radius), colour, rings=33, sides=56)]
    for share in (-0.66, -0.33, 0.0, 0.33, 0.66):
        parts.append(
            ring(
                (0, radius * (1 + share), 0),
                (0, 1, 0),
                radius * np.sqrt(1 - share**2) - 0.002,
                0.006,
                _dark(colour, 0.85),
                32,
                5,
            )
        )
    return parts


KINDS: tuple[Callable[[np.random.Generator], list[Mesh]], ...] = (
    carton,
    suitcase,
    bin_,
    cone,
    plant,
    shrub,
    chair,
    table,
    board,
    pillar,
    ball,
)
PER_KIND = 4


def draw_object(index: int) -> Drawn:
    """Object number ``index``, 0 .. ``PER_KIND * len(KINDS) - 1``: the same on every machine."""
    rng = np.random.default_rng([77, index])
    make = KINDS[index % len(KINDS)]
    mesh = join(make(rng))
    turn = _FACE_CAMERA @ rotvec_to_rotmat(np.array([0.0, rng.uniform(-np.pi, np.pi), 0.0]))
    turn = rotvec_to_rotmat(np.array([np.deg2rad(rng.uniform(2, 14)), 0.0, 0.0])) @ turn
    mesh = mesh.placed(turn, np.zeros(3))
    low, high = mesh.vertices[:, :2].min(axis=0), mesh.vertices[:, :2].max(axis=0)
    width, height = (np.ceil((high - low) * _PX_PER_M).astype(int) + 4).tolist()
    centre = (2 - low[0] * _PX_PER_M, 2 - low[1] * _PX_PER_M)
    camera = Camera(width, height, 10 * _PX_PER_M, (float(centre[0]), float(centre[1])), 10.0)
    tint = np.concatenate([mesh.rgb, np.ones((len(mesh.rgb), 1), np.float32)], axis=1)
    side = np.array([rng.uniform(-0.7, 0.7), -0.75, -0.6], np.float32)
    light = Lighting(
        np.full(3, 0.46, np.float32),
        np.full(3, 0.66, np.float32),
        side / np.float32(np.linalg.norm(side)),
    )
    moved = mesh.vertices + np.array([0, 0, 10], np.float32)
    result = Rasterizer(mesh.faces).render(moved, camera, lighting=light, vertex_tint=tint)
    alpha = result.alpha.astype(np.float32)
    colour = result.rgba_premultiplied[..., :3] * (255.0 / np.maximum(alpha, 1.0))[..., None]
    colour *= 1 + _GRAIN * _speckle(rng, height, width)[..., None]
    rgba = np.dstack([np.clip(colour, 0, 255), alpha])
    return Drawn(make.__name__.strip("_"), np.rint(rgba).astype(np.uint8), _PX_PER_M)


def _speckle(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise of several scales, standard deviation about 1."""
    total = np.zeros((height, width), np.float32)
    for step in (1, 3, 9, 27):
        small = rng.normal(0, 0.5, (height // step + 2, width // step + 2)).astype(np.float32)
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return total
