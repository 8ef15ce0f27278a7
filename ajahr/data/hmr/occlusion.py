"""Occluders pasted over crops, and pictures that end early.

Both change pixels only: 2D and 3D labels stay, as a person keeps their joints behind a table. They are drawn
alike for everybody, so that a covered limb says nothing about an amputated one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Num, UInt8

from ajahr.errors import UserError
from ajahr.geometry.crops import apply_affine

_SHAPES = ("rectangle", "ellipse", "blob")
_FILLS = ("noise", "colour", "texture")


@dataclass(frozen=True)
class OcclusionConfig:
    """Chances and sizes. Sizes are shares of the crop's side."""

    patch_probability: float = 0.2
    """Chance of `patches` rectangles, ellipses or blobs of noise, one colour, or the picture's own texture."""
    patches: tuple[int, int] = (1, 3)
    """Fewest and most patches."""
    patch_size: tuple[float, float] = (0.08, 0.35)
    """Smallest and largest width and height of a patch."""
    on_person: float = 0.7
    """Chance that an occluder's centre is a keypoint of the person instead of any place."""
    object_probability: float = 0.0
    """Chance of one cut-out object; needs `objects`."""
    objects: str | None = None
    """Folder of RGBA PNGs, cut out tightly (for example Pascal VOC's objects)."""
    object_size: tuple[float, float] = (0.15, 0.5)
    """Smallest and largest longer side of an object."""
    truncation_probability: float = 0.1
    """Chance that the picture ends inside the crop, at one side."""
    truncation_depth: float = 0.35
    """Largest share of the crop that is lost so."""

    def __post_init__(self) -> None:
        for name in ("patch_probability", "on_person", "object_probability", "truncation_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is a chance, 0..1, not {getattr(self, name)}")
        for name in ("patches", "patch_size", "object_size"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise UserError(f"{name} is a range above 0, smallest first, not {low}..{high}")
        if self.object_probability and self.objects is None:
            raise UserError("object_probability needs a folder of cut-out PNGs: set objects, or 0")


def occlude(
    rng: np.random.Generator,
    config: OcclusionConfig,
    crop: UInt8[np.ndarray, "size size 3"],
    keypoints: Num[np.ndarray, "keypoints 3"],
    affine: Float[np.ndarray, "2 3"],
    kinds: Bool[np.ndarray, "kinds=3"],
    *,
    places: Num[np.ndarray, "keypoints 3"] | None = None,
) -> Bool[np.ndarray, " keypoints"]:
    """Cover parts of ``crop``, in place.

    Args:
        rng: used for nothing else but this sample.
        config: the ranges.
        crop: RGB.
        keypoints: picture px and confidence; who is told whether they are covered.
        affine: picture to crop.
        kinds: whether patches, an object, an early end of the picture.
        places: picture px and confidence; what occluders go for. None: the keypoints.

    Returns:
        Which keypoints are covered now; those outside the crop and those without a label never are.
    """
    patches, cutout, early_end = kinds.tolist()
    size = crop.shape[0]
    covered = np.zeros((size, size), np.uint8)
    places = _in_crop(keypoints if places is None else places, affine)
    keypoints = _in_crop(keypoints, affine)
    if patches:
        for _ in range(int(rng.integers(config.patches[0], config.patches[1] + 1))):
            _paste_patch(rng, config, crop, covered, places)
    if cutout:
        _paste_object(rng, config, crop, covered, places)
    if early_end:
        _truncate(rng, config, crop, covered, affine)
    columns = np.floor(keypoints[:, 0]).astype(np.int64)
    rows = np.floor(keypoints[:, 1]).astype(np.int64)
    inside = (columns >= 0) & (rows >= 0) & (columns < size) & (rows < size) & (keypoints[:, 2] > 0)
    hit = covered[np.clip(rows, 0, size - 1), np.clip(columns, 0, size - 1)] > 0
    return np.asarray(inside & hit)


def _in_crop(keypoints: Num[np.ndarray, "keypoints 3"], affine: np.ndarray) -> np.ndarray:
    moved = keypoints.astype(np.float64)
    moved[:, :2] = apply_affine(affine, moved[:, :2])
    return moved


def _centre(
    rng: np.random.Generator, config: OcclusionConfig, keypoints: np.ndarray, size: int
) -> np.ndarray:
    labelled = np.flatnonzero(keypoints[:, 2] > 0)
    if len(labelled) and rng.random() < config.on_person:
        return keypoints[rng.choice(labelled), :2].astype(np.float64)
    return rng.random(2) * size


def _paste_patch(
    rng: np.random.Generator,
    config: OcclusionConfig,
    crop: np.ndarray,
    covered: np.ndarray,
    keypoints: np.ndarray,
) -> None:
    size = crop.shape[0]
    width, height = rng.uniform(*config.patch_size, 2) * size
    x, y = _centre(rng, config, keypoints, size)
    mask = np.zeros((size, size), np.uint8)
    shape = _SHAPES[rng.integers(len(_SHAPES))]
    if shape == "ellipse":
        box = ((float(x), float(y)), (float(width), float(height)), float(rng.uniform(0, 180)))
        cv2.ellipse(mask, box, 1, -1)
    else:
        if shape == "rectangle":
            angles = np.deg2rad([45, 135, 225, 315]) + rng.uniform(0, np.pi)
            radii = np.full(4, np.sqrt(0.5))
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
            radii = rng.uniform(0.25, 0.5, 9)
        outline = np.stack([x + width * radii * np.cos(angles), y + height * radii * np.sin(angles)], 1)
        cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], (1,))
    left, top, w, h = cv2.boundingRect(mask)
    if not w * h:
        return  # all of it outside the crop
    window = (slice(top, top + h), slice(left, left + w))
    fill = _FILLS[rng.integers(len(_FILLS))]
    if fill == "noise":
        pixels = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    elif fill == "colour":
        pixels = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (h, w, 3))
    else:  # another part of the same crop, so that neither edges nor noise give the patch away
        row, column = rng.integers(0, size - h + 1), rng.integers(0, size - w + 1)
        pixels = crop[row : row + h, column : column + w].copy()
    inside = mask[window] > 0
    crop[window][inside] = pixels[inside]
    covered[window][inside] = 1


@lru_cache(maxsize=8)
def _object_files(folder: str) -> tuple[Path, ...]:
    files = tuple(sorted(Path(folder).glob("*.png")))
    if not files:
        raise UserError(f"{folder}: no PNG in it; give a folder of cut-out objects, or object_probability 0")
    return files


@lru_cache(maxsize=64)
def _object(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
        raise UserError(f"{path}: not a PNG with transparency; cut the object out, or remove the file")
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA).astype(np.uint8, copy=False)


def _paste_object(
    rng: np.random.Generator,
    config: OcclusionConfig,
    crop: np.ndarray,
    covered: np.ndarray,
    keypoints: np.ndarray,
) -> None:
    size = crop.shape[0]
    files = _object_files(str(config.objects))
    cutout = _object(files[rng.integers(len(files))])
    zoom = rng.uniform(*config.object_size) * size / max(cutout.shape[:2])
    w, h = max(1, round(cutout.shape[1] * zoom)), max(1, round(cutout.shape[0] * zoom))
    cutout = cv2.resize(cutout, (w, h), interpolation=cv2.INTER_AREA)
    x, y = _centre(rng, config, keypoints, size)
    left, top = round(float(x) - w / 2), round(float(y) - h / 2)
    window = (slice(max(top, 0), min(top + h, size)), slice(max(left, 0), min(left + w, size)))
    part = cutout[
        window[0].start - top : window[0].stop - top, window[1].start - left : window[1].stop - left
    ]
    if not part.size:
        return
    alpha = part[..., 3:].astype(np.float32) / 255
    blend = part[..., :3] * alpha + crop[window] * (1 - alpha)
    crop[window] = np.rint(blend).astype(np.uint8)
    covered[window] |= (alpha[..., 0] > 0.5).astype(np.uint8)


def _truncate(
    rng: np.random.Generator,
    config: OcclusionConfig,
    crop: np.ndarray,
    covered: np.ndarray,
    affine: np.ndarray,
) -> None:
    """Black beyond a line parallel to an edge of the picture, as beyond its border."""
    size = crop.shape[0]
    depth = rng.uniform(0, config.truncation_depth) * size
    outward = affine[:, :2] @ ((1, 0), (0, 1), (-1, 0), (0, -1))[rng.integers(4)]
    outward /= np.linalg.norm(outward)
    along = np.array([-outward[1], outward[0]])
    edge = np.full(2, size / 2) + outward * (size / 2 - depth)
    far = 2 * size
    corners = [edge + along * far, edge - along * far, edge - along * far + outward * far]
    corners.append(edge + along * far + outward * far)
    polygon = np.rint(np.array(corners)).astype(np.int32)
    cv2.fillConvexPoly(crop, polygon, (0, 0, 0))
    cv2.fillConvexPoly(covered, polygon, (1,))
