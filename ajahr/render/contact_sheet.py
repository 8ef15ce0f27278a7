"""Many pictures on one sheet, each with a caption: what a run on images ends with."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from ajahr.errors import UserError
from ajahr.render.overlay import font

_PAPER, _MOUNT, _INK, _FAINT = (250, 250, 248), (226, 227, 229), (28, 30, 34), (110, 114, 120)


def contact_sheet(
    images: Sequence[UInt8[np.ndarray, "_ _ rgb=3"]],
    captions: Sequence[str],
    *,
    title: str = "",
    subtitle: str = "",
    columns: int | None = None,
    cell: tuple[int, int] | None = None,
    caption_lines: int = 2,
) -> UInt8[np.ndarray, "height width 3"]:
    """One RGB image of captioned thumbnails in reading order.

    Every cell has the same size whatever is in it: an image is fitted whole and centred on a grey mount, and
    a caption is broken at words into at most ``caption_lines`` lines, the last one ending in an ellipsis if
    it is cut. A line break in a caption is kept.

    Args:
        images: RGB of any sizes.
        captions: one per image.
        columns: as many as make the sheet about 3:2 when None.
        cell: width and height of the pictures on the sheet, px; 256 wide and as high as the middle one of
            the images is in proportion when None.

    Raises:
        ValueError: no image, or another number of captions.
    """
    if not images or len(images) != len(captions):
        raise ValueError(
            f"a sheet needs images and a caption for each, got {len(images)} and {len(captions)}"
        )
    if cell is None:
        shape = float(np.median([image.shape[0] / max(image.shape[1], 1) for image in images]))
        cell = 256, round(256 * min(max(shape, 0.5), 1.5))
    width, height = cell
    text_size = max(11, round(width / 18))
    line = round(text_size * 1.35)
    gap = max(6, round(width / 20))
    step_x, step_y = width + gap, height + caption_lines * line + round(gap * 1.5)
    if columns is None:
        columns = max(1, round(math.sqrt(len(images) * 1.5 * step_y / step_x)))
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)

    head = gap + (round(text_size * 2.2) if title else 0) + (round(line * 1.6) if subtitle else 0)
    sheet = np.empty((head + rows * step_y, gap + columns * step_x, 3), np.uint8)
    sheet[:] = _PAPER
    corners = [(gap + step_x * (k % columns), head + step_y * (k // columns)) for k in range(len(images))]
    for image, (x, y) in zip(images, corners, strict=True):
        sheet[y : y + height, x : x + width] = _mounted(image, width, height)

    canvas = Image.fromarray(sheet)
    draw = ImageDraw.Draw(canvas)
    if title:
        big = font(round(text_size * 1.6))
        draw.text((gap, gap), _cut(title, big, sheet.shape[1] - 2 * gap), fill=_INK, font=big)
    small = font(text_size)
    if subtitle:
        y = gap + (round(text_size * 2.2) if title else 0)
        draw.text((gap, y), _cut(subtitle, small, sheet.shape[1] - 2 * gap), fill=_FAINT, font=small)
    for caption, (x, y) in zip(captions, corners, strict=True):
        for k, text in enumerate(_wrap(caption, small, width, caption_lines)):
            where = (x, y + height + round(gap / 3) + k * line)
            draw.text(where, text, fill=_INK if k == 0 else _FAINT, font=small)
    return np.array(canvas)


def save_contact_sheet(
    path: str | Path,
    images: Sequence[UInt8[np.ndarray, "_ _ rgb=3"]],
    captions: Sequence[str],
    *,
    title: str = "",
    subtitle: str = "",
    columns: int | None = None,
    cell: tuple[int, int] | None = None,
    caption_lines: int = 2,
) -> Path:
    """`contact_sheet` as a PNG, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    sheet = contact_sheet(
        images,
        captions,
        title=title,
        subtitle=subtitle,
        columns=columns,
        cell=cell,
        caption_lines=caption_lines,
    )
    return save_png(path, sheet)


def save_png(path: str | Path, image: UInt8[np.ndarray, "height width 3"]) -> Path:
    """A picture as a PNG, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            Image.fromarray(image).save(part, format="PNG")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; choose a folder you can write to"
        ) from error
    return path


def _mounted(image, width: int, height: int) -> np.ndarray:
    """``image`` fitted whole into width x height and centred on the mount."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"a picture is uint8 RGB (h, w, 3), got {image.dtype} {image.shape}")
    scale = min(width / image.shape[1], height / image.shape[0])
    w = min(max(round(image.shape[1] * scale), 1), width)
    h = min(max(round(image.shape[0] * scale), 1), height)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    out = np.empty((height, width, 3), np.uint8)
    out[:] = _MOUNT
    x, y = (width - w) // 2, (height - h) // 2
    out[y : y + h, x : x + w] = cv2.resize(image, (w, h), interpolation=method)
    return out


def _wrap(text: str, face, width: int, lines: int) -> list[str]:
    """``text`` in at most ``lines`` lines no wider than ``width`` px."""
    wrapped: list[str] = []
    for paragraph in text.split("\n"):
        current = ""
        for word in paragraph.split():
            longer = f"{current} {word}".strip()
            if current and face.getlength(longer) > width:
                wrapped.append(current)
                longer = word
            current = longer
        wrapped.append(current)
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], " ".join(wrapped[lines - 1 :])]
    return [_cut(line, face, width) for line in wrapped]


def _cut(text: str, face, width: int) -> str:
    """``text``, shortened to fit ``width`` px with an ellipsis if it is too long."""
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
