"""Drawing on photographs: skeletons, part masks, meshes, labels. Every function returns a new image.

Colours follow the limbs everywhere: left arm orange, right arm blue, left leg red, right leg green, trunk and
head yellow; the ends of residual limbs magenta. Left is the person's own.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from ajahr.anatomy import JOINT_LIMB, NUM_JOINTS, KeypointLayout, Limb
from ajahr.render.compositing import composite_over
from ajahr.render.rasterizer import RenderResult

LIMB_COLOURS: dict[int, tuple[int, int, int]] = {
    Limb.LEFT_ARM: (245, 140, 35),
    Limb.RIGHT_ARM: (60, 130, 245),
    Limb.LEFT_LEG: (228, 65, 85),
    Limb.RIGHT_LEG: (30, 165, 120),
    -1: (245, 205, 60),
}
"""RGB of each limb, -1 for trunk and head."""
RESIDUAL_COLOUR = (225, 60, 225)
_OUTLINE = (25, 25, 25)
_SHIFT = 4  # bits after the point in the coordinates OpenCV gets


def part_palette() -> UInt8[np.ndarray, "parts 3"]:
    """RGB per value of a part mask (0 is background, black): the limb's hue, lighter joint by joint."""
    palette = np.zeros((NUM_JOINTS + 1, 3), np.uint8)
    for limb, colour in LIMB_COLOURS.items():
        joints = [joint for joint in range(NUM_JOINTS) if JOINT_LIMB[joint] == limb]
        for place, joint in enumerate(joints):
            blend = -0.4 + 0.95 * place / (len(joints) - 1)
            target = 255 if blend > 0 else 0
            palette[joint + 1] = [round(c + (target - c) * abs(blend)) for c in colour]
    return palette


def draw_parts(
    image: UInt8[np.ndarray, "height width 3"],
    parts: UInt8[np.ndarray, "height width"],
    *,
    opacity: float = 0.65,
) -> UInt8[np.ndarray, "height width 3"]:
    """``image`` with a part mask (0 background, joint + 1) in colour over it."""
    if int(parts.max(initial=0)) > NUM_JOINTS:
        raise ValueError(f"a part mask holds 0..{NUM_JOINTS}, got {int(parts.max())}")
    mixed = cv2.addWeighted(part_palette()[parts], opacity, image, 1 - opacity, 0)
    return np.where((parts > 0)[..., None], mixed, image)


def draw_mesh(
    image: UInt8[np.ndarray, "height width 3"], result: RenderResult, *, opacity: float = 1.0
) -> UInt8[np.ndarray, "height width 3"]:
    """``image`` with a rendered mesh over it, see-through if ``opacity`` is below 1."""
    over = composite_over(np.array(image, order="C"), result)
    return over if opacity >= 1 else cv2.addWeighted(over, opacity, image, 1 - opacity, 0)


def draw_skeleton(
    image: UInt8[np.ndarray, "height width 3"],
    points_px: Float[np.ndarray, "points 2"],
    layout: KeypointLayout,
    *,
    absent: Bool[np.ndarray, " points"] | None = None,
    visible: Bool[np.ndarray, " points"] | None = None,
    size: float | int | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """``image`` with keypoints and bones.

    Visible points are filled discs, hidden ones rings, ends of residual limbs diamonds; a bone with a hidden
    end is dashed. Absent points and those that are not finite are left out with their bones.

    Args:
        points_px: x, y in the order of ``layout``.
        absent: keypoints that do not exist, as `KeypointLayout.absent` gives them.
        visible: keypoints in sight; all when None.
        size: radius of a point, px; by the person's size when None.
    """
    if len(points_px) != len(layout):
        raise ValueError(f"{layout.name} has {len(layout)} keypoints, got {len(points_px)}")
    drawn: np.ndarray = np.asarray(np.isfinite(points_px).all(axis=1))
    if absent is not None:
        drawn &= ~absent
    seen: np.ndarray = np.full(len(layout), True) if visible is None else visible
    radius = size or _radius(points_px[drawn], max(image.shape[:2]))
    colours = [
        RESIDUAL_COLOUR if i in layout.residual else LIMB_COLOURS[JOINT_LIMB[anchor]]
        for i, anchor in enumerate(layout.anchors)
    ]
    out = np.array(image, order="C")
    for a, b in layout.edges:
        if drawn[a] and drawn[b]:
            within_limb = JOINT_LIMB[layout.anchors[a]] == JOINT_LIMB[layout.anchors[b]]
            colour = colours[b] if within_limb else LIMB_COLOURS[-1]  # hip to shoulder belongs to the trunk
            dashed = not (seen[a] and seen[b])
            _bone(out, points_px[a], points_px[b], colour, radius * 0.75, dashed=dashed)
    for i in np.flatnonzero(drawn):
        _point(out, points_px[i], colours[i], radius, filled=bool(seen[i]), diamond=int(i) in layout.residual)
    return out


def _radius(points, image_size: int) -> float:
    extent = float(np.ptp(points, axis=0).max()) if len(points) else 0.0
    return max(1.5, min(extent / 70, image_size / 130))


def _fixed(point) -> tuple[int, int]:
    """Our continuous coordinates to OpenCV's, whose pixel centres are whole numbers, in fixed point."""
    x, y = np.clip((np.asarray(point, float) - 0.5) * (1 << _SHIFT), -(1 << 28), 1 << 28).round().astype(int)
    return int(x), int(y)


def _line(out, a, b, colour, width) -> None:
    cv2.line(out, _fixed(a), _fixed(b), colour, max(round(width), 1), cv2.LINE_AA, _SHIFT)


def _bone(out, a, b, colour, width, *, dashed: bool) -> None:
    a, b = np.asarray(a, float), np.asarray(b, float)
    if not dashed:
        _line(out, a, b, _OUTLINE, width + 2)
        _line(out, a, b, colour, width)
        return
    dash = 2.5 * max(width, 1)
    # far outside the image a bone may be long: no more dashes than anybody sees
    n = min(max(int(np.linalg.norm(b - a) / dash), 1), 400)
    for k in range(0, n, 2):
        _line(out, a + (b - a) * k / n, a + (b - a) * (k + 0.7) / n, colour, width / 2)


def _point(out, at, colour, radius, *, filled: bool, diamond: bool) -> None:
    x, y = _fixed(at)
    r = round(radius * (1 << _SHIFT))
    if diamond:
        r = int(r * 1.5)
        corners = np.array([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], np.int32)
        if filled:
            cv2.fillPoly(out, [corners], colour, cv2.LINE_AA, _SHIFT)
        cv2.polylines(
            out, [corners], True, _OUTLINE if filled else colour, 1 if filled else 2, cv2.LINE_AA, _SHIFT
        )
    elif filled:
        cv2.circle(out, (x, y), r, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
        cv2.circle(out, (x, y), r, _OUTLINE, 1, cv2.LINE_AA, _SHIFT)
    else:
        cv2.circle(out, (x, y), r, colour, max(round(radius / 3), 1), cv2.LINE_AA, _SHIFT)


def draw_box(
    image: UInt8[np.ndarray, "height width 3"],
    bbox_xyxy: Float[np.ndarray, "xyxy=4"],
    *,
    colour: tuple[int, int, int] = (255, 255, 255),
) -> UInt8[np.ndarray, "height width 3"]:
    """``image`` with a box (px) on it."""
    out = np.array(image, order="C")
    width = min(image.shape[:2]) / 240
    for line, thickness in ((_OUTLINE, width + 2), (colour, width)):
        cv2.rectangle(
            out,
            _fixed(bbox_xyxy[:2]),
            _fixed(bbox_xyxy[2:]),
            line,
            max(round(thickness), 1),
            cv2.LINE_AA,
            _SHIFT,
        )
    return out


def draw_label(
    image: UInt8[np.ndarray, "height width 3"],
    text: str,
    at_px: tuple[float | int, float | int],
    *,
    colour: tuple[int, int, int] = (255, 255, 255),
    size: int | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """``image`` with ``text`` (several lines allowed) on a dark plate, its top left corner at ``at_px``.

    The plate is moved inside the image where it fits. ``size`` is the height of the letters' line, px.
    """
    if not text:
        return np.array(image)
    height, width = image.shape[:2]
    size = size or max(11, round(min(height, width) / 22))
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas, "RGBA")
    pad = _pad(size)
    w, h = label_size(text, size)
    x = round(min(max(at_px[0], 0), max(width - w, 0)))
    y = round(min(max(at_px[1], 0), max(height - h, 0)))
    draw.rounded_rectangle((x, y, x + w - 1, y + h - 1), radius=pad, fill=(20, 20, 20, 190))
    draw.multiline_text((x + pad, y + pad), text, fill=colour, font=font(size))
    return np.array(canvas)


def label_size(text: str, size: int) -> tuple[int, int]:
    """Width and height (px) of `draw_label`'s plate for a text, its lines ``size`` px high."""
    box = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font=font(size))
    return int(box[2]) + 2 * _pad(size), int(box[3]) + 2 * _pad(size)


def _pad(size: int) -> int:
    return max(2, size // 4)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font at ``size`` px: every machine has it, so pictures look the same everywhere."""
    return ImageFont.load_default(size)
