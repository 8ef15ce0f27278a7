"""Person boxes and the square crops HMR models see. No torch.

A crop is an affine map of the plane, (2, 3), from whole-image pixels to crop pixels, both continuous: pixel
(row i, column j) covers [j, j+1) x [i, i+1). In memory a box is a centre and a size in px; files of the HMR2
lineage divide sizes by 200, and only their readers know that.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num, Shaped

CROP_SIZE = 256
CROP_ASPECT = (192, 256)
"""Width and height of what the backbone sees: columns 32..223 of the 256 x 256 crop."""


def expand_to_aspect(
    size: Num[np.ndarray, "*batch 2"], aspect: tuple[int, int] = CROP_ASPECT
) -> Float[np.ndarray, "*batch 2"]:
    """Grow a box's (width, height) to the aspect, never shrinking: 192:256 for HMR2.0.

    A scalar scale upstream (BEDLAM) is a square already and is not expanded: do not send it here.
    """
    size = np.asarray(size, np.float64)
    width, height = size[..., 0], size[..., 1]
    ratio = aspect[1] / aspect[0]
    tall = height / np.maximum(width, 1e-12) < ratio
    return np.stack([np.where(tall, width, height / ratio), np.where(tall, width * ratio, height)], -1)


def crop_side(size: Num[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch"]:
    """Side (px) of the square crop of a box of (width, height): the longer side once expanded to 192:256."""
    return np.asarray(expand_to_aspect(size).max(-1))


def box_from_points(
    points: Num[np.ndarray, "points xy=2"], scale: float | int = 1.2
) -> tuple[Float[np.ndarray, "xy=2"], Float[np.ndarray, "xy=2"]]:
    """Centre and (width, height), px, of the points' bounding box grown by ``scale``; ValueError for none."""
    points = np.asarray(points, np.float64)
    if not len(points):
        raise ValueError("a box needs at least one point")
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, (high - low) * scale


def crop_affine(
    centre: Num[np.ndarray, "xy=2"] | tuple[float | int, float | int],
    side: float | int,
    crop_size: int = CROP_SIZE,
    rotation: float | int = 0.0,
) -> Float[np.ndarray, "2 3"]:
    """Affine map of the square ``centre +- side/2`` to the crop; the centre lands on the crop's centre.

    Args:
        centre: (x, y), px.
        side: side of the square, px, augmentation's scale included.
        crop_size: side of the crop, px.
        rotation: rad; positive turns the content counter-clockwise, as in HMR2.0's augmentation.
    """
    if not (np.isfinite(side) and side > 0):
        raise ValueError(f"a crop has a positive side, got {side}")
    cosine, sine = np.cos(rotation), np.sin(rotation)
    linear = crop_size / side * np.array([[cosine, sine], [-sine, cosine]])
    offset = crop_size / 2 - linear @ np.asarray(centre, np.float64)
    return np.concatenate([linear, offset[:, None]], 1)


def invert_affine(affine: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
    """The affine map back."""
    linear = np.linalg.inv(affine[:, :2])
    return np.concatenate([linear, -linear @ affine[:, 2:]], 1)


def apply_affine(
    affine: Float[np.ndarray, "2 3"], points: Num[np.ndarray, "*batch 2"]
) -> Float[np.ndarray, "*batch 2"]:
    """Points (px) through the map."""
    return np.asarray(points) @ affine[:, :2].T + affine[:, 2]


def rotate_body(points: Num[np.ndarray, "*batch 3"], rotation: float | int) -> Float[np.ndarray, "*batch 3"]:
    """3D points of the camera frame turned with a crop rotated by ``rotation`` (rad): Rz(-rotation)."""
    cosine, sine = np.cos(rotation), np.sin(rotation)
    return np.asarray(points) @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]]).T


def normalise_points(
    points: Float[np.ndarray, "*batch 2"], crop_size: int = CROP_SIZE
) -> Float[np.ndarray, "*batch 2"]:
    """Crop pixels to HMR's normalised frame: -0.5..0.5 over the square crop, in x and in y."""
    return points / crop_size - 0.5


def crop_image(
    image: Shaped[np.ndarray, "height width *channels"],
    affine: Float[np.ndarray, "2 3"],
    crop_size: int = CROP_SIZE,
    *,
    antialias: bool = True,
    pixel_centres: bool = True,
) -> Shaped[np.ndarray, "crop crop *channels"]:
    """The square crop of an image: bilinear, black outside, in the image's dtype (uint8 or float32).

    Args:
        affine: from `crop_affine`.
        antialias: blur first when the crop shrinks the image by more than 2.2, as HMR2.0's demo does:
            Gaussian, sigma = (f/2 - 1)/2 with f the factor, edges repeated, cut at four sigma. The blurred
            image is not rounded before it is resampled; a uint8 crop is rounded once, at the end.
        pixel_centres: sample so that continuous coordinates hold in image and crop alike. False: treat pixel
            indices as coordinates, as the HMR2.0 lineage does, half a crop pixel off at strong reductions;
            published weights saw that.
    """
    import cv2

    dtype, source = image.dtype, image
    grid = affine.copy()
    if pixel_centres:  # index = coordinate - 0.5 on both sides
        grid[:, 2] += affine[:, :2].sum(1) * 0.5 - 0.5
    factor = 1 / np.sqrt(abs(np.linalg.det(affine[:, :2])))
    if antialias and factor / 2 > 1.1:
        sigma = (factor / 2 - 1) / 2
        radius = int(4 * sigma + 0.5)
        source, shift = _window(image, affine, crop_size, margin=radius + 2)
        grid[:, 2] += grid[:, :2] @ shift
        source = cv2.GaussianBlur(
            source.astype(np.float32), (2 * radius + 1,) * 2, sigma, borderType=cv2.BORDER_REPLICATE
        )
    crop = cv2.warpAffine(source, grid, (crop_size, crop_size), flags=cv2.INTER_LINEAR)
    if np.issubdtype(dtype, np.integer) and crop.dtype != dtype:
        crop = np.clip(np.rint(crop), 0, np.iinfo(dtype).max)
    return crop.astype(dtype, copy=False)


def _window(
    image: Shaped[np.ndarray, "height width *channels"],
    affine: Float[np.ndarray, "2 3"],
    crop_size: int,
    margin: int,
) -> tuple[Shaped[np.ndarray, "h w *channels"], Float[np.ndarray, "xy=2"]]:
    """The part of the image the crop can see, with a margin, and its top left: blurring less is cheaper."""
    corners = np.array([[0, 0], [crop_size, 0], [0, crop_size], [crop_size, crop_size]], np.float64)
    seen = apply_affine(invert_affine(affine), corners)
    size = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(seen.min(0)).astype(int) - margin, 0, size - 1)
    high = np.clip(np.ceil(seen.max(0)).astype(int) + margin, low + 1, size)
    return image[low[1] : high[1], low[0] : high[0]], low.astype(np.float64)
