"""Read any photograph a user may have into the one form used inside: uint8 RGB, upright.

Pillow decodes. OpenCV gives the same pixels for ordinary JPEGs in about the same time, but it fills the
missing half of a truncated file with grey and says so on stderr only, so it is not used here.

Colours are taken as sRGB: an embedded profile is not applied. Sixteen-bit values are scaled to eight bits,
transparency is laid over white, of an animation the first frame is taken.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ajahr.errors import UserError

MAX_PIXELS = 150_000_000
"""Larger pictures are refused before they are decoded; Pillow itself stops at 179 million."""

# Pillow knows many more formats, some of which start other programs (EPS)
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
_EXIF_ORIENTATION = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MIRRORED_ORIENTATIONS = (2, 4, 5, 7)
"""EXIF orientations whose stored picture is a mirror image: left and right of a person are swapped in it."""


class ImageError(UserError):
    """A file that cannot be used as a photograph. The message names the file and the cause."""


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A decoded photograph.

    Attributes:
        pixels: uint8 RGB, upright.
        orientation: The EXIF orientation that was undone, 2..8; 1 when the file was stored upright.
        stored_size: (width, height) of the stored picture, before its orientation was undone and at full
            resolution.
        reduction: A pixel here is so many pixels of the file, across and down.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    orientation: int
    stored_size: tuple[int, int]
    reduction: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of ``pixels``."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def full_size(self) -> tuple[int, int]:
        """(width, height) of the upright picture at full resolution, px: what annotations refer to."""
        width, height = self.stored_size
        return (height, width) if self.orientation >= 5 else (width, height)


def read_image(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """The photograph as uint8 RGB, upright.

    Raises:
        ImageError: as `load_image`.
    """
    return load_image(path).pixels


def load_image(path: str | Path, *, max_pixels: int | None = None) -> LoadedImage:
    """The photograph, and the EXIF orientation that was applied: annotations may refer to the stored picture.

    Reads JPEG, PNG, WebP, TIFF, BMP, GIF and PPM of any common mode: grayscale, palette, alpha, CMYK, 16-bit.

    Args:
        path: The file.
        max_pixels: A picture of more comes at a half, a quarter or less of its size, so that it fits; at the
            border a pixel may lack a part. A JPEG is never decoded at full size then.

    Raises:
        ImageError: no such file, a folder, not readable, empty, not an image, truncated, more than
            `MAX_PIXELS`, or floating-point pixels.
    """
    path = Path(path)
    data = _read_bytes(path)
    try:
        with warnings.catch_warnings():
            # the size is checked below, against our own limit
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # broken metadata: the pixels are still good
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                opened = image.size
                if opened[0] * opened[1] > MAX_PIXELS:
                    raise Image.DecompressionBombError
                orientation = _orientation(image)
                reduction = _reduction(opened[0] * opened[1], max_pixels)
                if reduction > 1:  # of the formats here only JPEG heeds it, down to an eighth
                    image.draft(None, (opened[0] // reduction, opened[1] // reduction))
                image.load()
                done = max(round(max(opened) / max(image.size)), 1)
                pixels = _to_rgb(path, image, reduction // done)
    except UserError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageError(
            f"{path}: not an image of a known format; use JPEG, PNG, WebP, TIFF or BMP"
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"{path}: more than {MAX_PIXELS // 10**6} megapixels; scale the picture down first"
        ) from None
    except Exception as error:  # decoders meet hostile bytes with anything from OSError to struct.error
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path}: damaged or truncated image ({cause}); replace the file") from None
    height, width = pixels.shape[:2]
    if not width * height:
        raise ImageError(f"{path}: the picture has no pixels; replace the file")
    if reduction > 1:
        # a TIFF opens upright, others as they are stored: the proportions of the pixels tell
        width, height = sorted(opened, reverse=width >= height)
    stored = (height, width) if orientation >= 5 else (width, height)
    return LoadedImage(pixels, orientation, stored, reduction)


def _reduction(pixels: int, max_pixels: int | None) -> int:
    """The least power of two by which both sides of so many pixels are divided to fit."""
    reduction = 1
    while max_pixels is not None and pixels > max_pixels * reduction**2:
        reduction *= 2
    return reduction


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: is a folder, not an image; name a file in it") from None
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{path}: cannot be read ({cause}); check the path and its permissions") from None
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes); replace it")
    return data


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to lose the picture
        return 1
    return value if value in _TRANSPOSE else 1


def _to_rgb(path: Path, image: Image.Image, reduction: int = 1) -> UInt8[np.ndarray, "height width 3"]:
    # Pillow turns TIFF upright while loading and then drops the tag: ask again
    method = _TRANSPOSE.get(_orientation(image))
    if image.mode == "F":
        raise ImageError(f"{path}: pixels are floating-point; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = _eight_bit(path, image)
    elif image.has_transparency_data or image.mode in ("RGBa", "La"):
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        image.alpha_composite(layer)
    if method is not None:
        image = image.transpose(method)
    image = image.convert("RGB")
    return np.array(image.reduce(reduction) if reduction > 1 else image, np.uint8)


def _eight_bit(path: Path, image: Image.Image) -> Image.Image:
    """Grey with 16 bits (modes ``I;16*``, and ``I`` for some PNG and PPM files) scaled by 255 / 65535."""
    values = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError(f"{path}: pixels have 32 bits; save it with 8 or 16 bits")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def upright_points(
    points: Float[np.ndarray, "*batch 2"], orientation: int, stored_size: tuple[int, int]
) -> Float[np.ndarray, "*batch 2"]:
    """Points of the stored picture in the upright one.

    Args:
        points: px, continuous image coordinates of the stored picture.
        orientation: EXIF orientation 1..8 of the file.
        stored_size: (width, height) of the stored picture, px.
    """
    width, height = stored_size
    x, y = points[..., 0], points[..., 1]
    flipped_x, flipped_y = width - x, height - y
    upright = {
        1: (x, y),
        2: (flipped_x, y),
        3: (flipped_x, flipped_y),
        4: (x, flipped_y),
        5: (y, x),
        6: (flipped_y, x),
        7: (flipped_y, flipped_x),
        8: (y, flipped_x),
    }
    if orientation not in upright:
        raise ValueError(f"an EXIF orientation is 1..8, got {orientation}")
    return np.stack(upright[orientation], axis=-1)


def upright_array(stored: np.ndarray, orientation: int) -> np.ndarray:
    """An array (height, width, ...) laid over the stored picture, turned as the picture is."""
    if orientation not in range(1, 9):
        raise ValueError(f"an EXIF orientation is 1..8, got {orientation}")
    swapped = np.swapaxes(stored, 0, 1) if orientation >= 5 else stored
    if orientation in (2, 3, 6, 7):
        swapped = swapped[:, ::-1]
    if orientation in (3, 4, 7, 8):
        swapped = swapped[::-1]
    return np.ascontiguousarray(swapped)
