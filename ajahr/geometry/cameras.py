"""Cameras: points in the camera frame to pixels, and HMR's crop cameras.

Camera frame: x right, y down, z forward (OpenCV), metres. Pixels are continuous: pixel (row i, column j)
covers [j, j+1) x [i, i+1). Every function takes numpy arrays and torch tensors alike and returns the kind it
was given, in the same dtype; torch is not imported here, so that the generator's workers stay small.

HMR's crop camera (HMR2.0, TokenHMR and AJAHR share it) is weak-perspective numbers (s, tx, ty) in a square
crop seen with a focal length of 5000 px per 256 px of crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Num

HMR_FOCAL_LENGTH = 5000.0
"""HMR's focal length, px, at a crop of `HMR_CROP_SIZE`."""
HMR_CROP_SIZE = 256
_EPS = 1e-9  # upstream's guard against a scale of zero


def _stack(columns: list[Any]) -> Any:
    """Columns (...) -> (..., n) in the library they come from."""
    if isinstance(columns[0], (np.ndarray, np.generic, float)):  # a union type would stop torch.compile
        return np.stack(columns, axis=-1)
    import torch  # a tensor was passed, so torch is loaded already

    return torch.stack(columns, dim=-1)


def _like(values: Any, reference: Any) -> Any:
    """``values`` as an array of ``reference``'s library, dtype and device."""
    if isinstance(reference, np.ndarray):
        return np.asarray(values, dtype=reference.dtype)
    return reference.new_tensor(values) if not hasattr(values, "new_tensor") else values.to(reference)


@dataclass(frozen=True)
class Camera:
    """A pinhole over a whole image: full perspective, or weak perspective when ``weak_depth`` is set.

    Attributes:
        width, height: image size, px.
        focal_length: px, the same for x and y.
        principal_point: (x, y), px.
        weak_depth: if set, metres: every point is divided by this one depth instead of its own, so that the
            image is a scaled orthographic one, ``focal_length / weak_depth`` px per metre.
    """

    width: int
    height: int
    focal_length: float | int
    principal_point: tuple[float | int, float | int]
    weak_depth: float | int | None = None

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"an image has a positive size, got {self.width} x {self.height}")
        if not (np.isfinite(self.focal_length) and self.focal_length > 0):
            raise ValueError(f"focal_length is a positive number of pixels, got {self.focal_length}")
        if self.weak_depth is not None and not (np.isfinite(self.weak_depth) and self.weak_depth > 0):
            raise ValueError(f"weak_depth is a positive number of metres, got {self.weak_depth}")

    @classmethod
    def centred(
        cls, width: int, height: int, focal_length: float | int, weak_depth: float | int | None = None
    ) -> Camera:
        """The camera whose principal point is the image's centre."""
        return cls(width, height, focal_length, (width / 2, height / 2), weak_depth)

    @classmethod
    def hmr(cls, width: int, height: int) -> Camera:
        """The camera HMR2.0 assumes for a whole image: 5000/256 times its longer side."""
        return cls.centred(width, height, hmr_focal_length(width, height))

    def project(self, points_cam: Float[Any, "*batch 3"]) -> Float[Any, "*batch 2"]:
        """Pixels of points in the camera frame (m). Points need a positive depth; others give nonsense."""
        depth = points_cam[..., 2:] if self.weak_depth is None else self.weak_depth
        return points_cam[..., :2] / depth * self.focal_length + _like(self.principal_point, points_cam)

    def unproject(
        self, pixels: Float[Any, "*batch 2"], depth: Float[Any, "*batch"]
    ) -> Float[Any, "*batch 3"]:
        """Points in the camera frame (m) seen at ``pixels`` and lying at ``depth`` (m)."""
        divisor = depth if self.weak_depth is None else self.weak_depth
        x = (pixels[..., 0] - self.principal_point[0]) * divisor / self.focal_length
        y = (pixels[..., 1] - self.principal_point[1]) * divisor / self.focal_length
        return _stack([x, y, depth])

    @property
    def intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """The matrix K, float64: homogeneous pixels = K @ point, full perspective."""
        cx, cy = self.principal_point
        return np.array([[self.focal_length, 0, cx], [0, self.focal_length, cy], [0, 0, 1]], np.float64)

    def weak(self, depth: float | int) -> Camera:
        """This camera as weak perspective about ``depth`` (m)."""
        return replace(self, weak_depth=float(depth))

    def cropped(
        self, left: float | int, top: float | int, width: int, height: int, scale: float | int = 1.0
    ) -> Camera:
        """The camera of the window at (left, top), resized by ``scale`` to ``width`` x ``height`` px."""
        cx, cy = self.principal_point
        principal_point = ((cx - left) * scale, (cy - top) * scale)
        return Camera(width, height, self.focal_length * scale, principal_point, self.weak_depth)


# ------------------------------------------------------------------------------------- HMR's crop cameras


def hmr_focal_length(width: float | int, height: float | int) -> float:
    """Focal length (px) HMR2.0 gives a whole image: the crop's, scaled to the image's longer side."""
    return HMR_FOCAL_LENGTH / HMR_CROP_SIZE * max(width, height)


def crop_translation(cam: Float[Any, "*batch 3"]) -> Float[Any, "*batch 3"]:
    """Translation (m) in front of the crop camera from (s, tx, ty): (tx, ty, 2 f / (256 s))."""
    depth = 2 * HMR_FOCAL_LENGTH / (HMR_CROP_SIZE * cam[..., 0] + _EPS)
    return _stack([cam[..., 1], cam[..., 2], depth])


def project_crop(points_cam: Float[Any, "*batch 3"]) -> Float[Any, "*batch 2"]:
    """Crop-normalised image points, -0.5..0.5 over the crop, of points in front of the crop camera (m)."""
    return points_cam[..., :2] / points_cam[..., 2:] * (HMR_FOCAL_LENGTH / HMR_CROP_SIZE)


def crop_to_full_translation(
    cam: Float[Any, "*batch 3"],
    box_centre: Num[Any, "*#batch 2"],
    box_size: Num[Any, "*#batch"] | float | int,
    image_size: Num[Any, "*#batch 2"],
    focal_length: Float[Any, "*#batch"] | float | int,
) -> Float[Any, "*batch 3"]:
    """Translation (m) in front of the whole image's camera from a crop camera.

    The principal point is the image's centre. Unlike upstream, which takes one focal length from the largest
    image of the batch, each image here has its own (`hmr_focal_length`).

    Args:
        cam: (s, tx, ty).
        box_centre: (x, y), px in the whole image.
        box_size: side of the square crop, px in the whole image.
        image_size: (width, height), px.
        focal_length: px, of the whole image's camera.
    """
    box_centre, image_size = _like(box_centre, cam), _like(image_size, cam)
    scale = box_size * cam[..., 0] + _EPS
    depth = 2 * focal_length / scale
    x = cam[..., 1] + 2 * (box_centre[..., 0] - image_size[..., 0] / 2) / scale
    y = cam[..., 2] + 2 * (box_centre[..., 1] - image_size[..., 1] / 2) / scale
    return _stack([x, y, depth])


def full_to_crop_cam(
    translation: Float[Any, "*batch 3"],
    box_centre: Num[Any, "*#batch 2"],
    box_size: Num[Any, "*#batch"] | float | int,
    image_size: Num[Any, "*#batch 2"],
    focal_length: Float[Any, "*#batch"] | float | int,
) -> Float[Any, "*batch 3"]:
    """Crop camera (s, tx, ty) of a translation before the whole image: `crop_to_full_translation` undone."""
    box_centre, image_size = _like(box_centre, translation), _like(image_size, translation)
    scale = 2 * focal_length / translation[..., 2]  # = box_size * s
    x = translation[..., 0] - 2 * (box_centre[..., 0] - image_size[..., 0] / 2) / scale
    y = translation[..., 1] - 2 * (box_centre[..., 1] - image_size[..., 1] / 2) / scale
    return _stack([scale / box_size, x, y])
