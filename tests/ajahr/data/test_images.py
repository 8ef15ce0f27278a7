"""Every file is made in the test; a photograph is a smooth ramp, so that lossy formats stay close to it."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ajahr.data.images import ImageError, load_image, read_image, upright_array, upright_points
from ajahr.errors import UserError


def ramp(height: int = 24, width: int = 40) -> np.ndarray:
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 200 // width + 20, y * 180 // height + 40, (x + 2 * y) * 2 + 10], -1).astype(
        np.uint8
    )


def write(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


# law


@pytest.mark.parametrize(
    "name, options, tolerance",
    [
        ("a.png", {}, 0),
        ("a.bmp", {}, 0),
        ("a.tiff", {}, 0),
        ("a.tif", {"compression": "tiff_lzw"}, 0),
        ("a.ppm", {}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("lossy.webp", {"quality": 95}, 14),
        ("a.jpg", {"quality": 98, "subsampling": 0}, 4),
        ("progressive.jpg", {"quality": 98, "progressive": True, "subsampling": 0}, 4),
        ("a_name_that_lies.png", {"format": "JPEG", "quality": 98, "subsampling": 0}, 4),
    ],
)
def test_formats(tmp_path, name, options, tolerance):
    loaded = load_image(write(tmp_path / name, Image.fromarray(ramp()), **options))
    assert loaded.pixels.dtype == np.uint8 and loaded.pixels.shape == (24, 40, 3)
    assert np.abs(loaded.pixels.astype(int) - ramp()).max() <= tolerance
    assert loaded.orientation == 1 and loaded.size == loaded.stored_size == (40, 24)


def test_result_is_writable_and_own(tmp_path):
    image = read_image(write(tmp_path / "a.png", Image.fromarray(ramp())))
    image[0, 0] = 7  # a view of the decoder's buffer would refuse
    assert image.flags.owndata or image.base.flags.owndata


def test_grayscale(tmp_path):
    gray = ramp()[..., 0]
    image = read_image(write(tmp_path / "g.png", Image.fromarray(gray)))
    assert (image == gray[..., None]).all()


def test_one_bit(tmp_path):
    bits = ramp()[..., 0] > 100
    image = read_image(write(tmp_path / "b.png", Image.fromarray(bits)))
    assert (image == bits[..., None] * 255).all()


@pytest.mark.parametrize("name", ["g.png", "g.tiff"])
def test_sixteen_bit_grayscale_is_scaled_not_clipped(tmp_path, name):
    gray = ramp()[..., 0]
    wide = gray.astype(np.uint16) * 257
    image = read_image(write(tmp_path / name, Image.fromarray(wide)))
    assert (image == gray[..., None]).all()


def png_16_bit_rgb(pixels: np.ndarray) -> bytes:
    """Pillow does not write it, so by hand: one filter byte per row, big-endian samples."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sixteen_bit_rgb(tmp_path):
    (tmp_path / "w.png").write_bytes(png_16_bit_rgb(ramp().astype(np.uint16) * 257))
    assert (read_image(tmp_path / "w.png") == ramp()).all()


def test_cmyk(tmp_path):
    cmyk = Image.fromarray(ramp()).convert("CMYK")
    assert (read_image(write(tmp_path / "c.tiff", cmyk)) == ramp()).all()
    jpeg = read_image(write(tmp_path / "c.jpg", cmyk, quality=98, subsampling=0))
    assert np.abs(jpeg.astype(int) - ramp()).max() <= 6  # an ignored Adobe inversion would be 255 off


def test_palette_and_its_transparency(tmp_path):
    flat = np.zeros((8, 8, 3), np.uint8)
    flat[:, 4:] = (200, 30, 60)
    palette = Image.fromarray(flat).quantize(4)
    path = write(tmp_path / "p.png", palette)
    assert (read_image(path) == flat).all()
    path = write(tmp_path / "p.gif", palette)
    assert (read_image(path) == flat).all()
    path = write(tmp_path / "t.png", palette, transparency=int(np.asarray(palette)[0, 0]))
    assert (read_image(path)[:, :4] == 255).all() and (read_image(path)[:, 4:] == flat[:, 4:]).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_over_white(tmp_path, mode):
    image = np.zeros((4, 6, 4), np.uint8)
    image[:, :3, 3], image[:, 3:, 3] = 255, 0
    image[:, 4:, 3] = 128
    pixels = read_image(write(tmp_path / "a.png", Image.fromarray(image).convert(mode)))
    assert (pixels[:, :3] == 0).all(), "opaque stays"
    assert (pixels[:, 3] == 255).all(), "transparent is white"
    assert (abs(pixels[:, 4:].astype(int) - 127) <= 1).all(), "half is half"


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp", ".jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone_and_told(tmp_path, suffix, orientation):
    upright = ramp()
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    stored = upright_array(upright, inverse)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {".webp": {"lossless": True}, ".jpg": {"quality": 98, "subsampling": 0}}.get(suffix, {})
    loaded = load_image(write(tmp_path / f"o{suffix}", Image.fromarray(stored), exif=exif, **options))
    assert np.abs(loaded.pixels.astype(int) - upright).max() <= (4 if suffix == ".jpg" else 0)
    assert loaded.orientation == orientation
    assert loaded.stored_size == stored.shape[1::-1] and loaded.size == (40, 24)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_follow_their_pixels(orientation):
    stored = np.zeros((5, 9), int)
    stored[1, 7] = 1
    row, column = np.argwhere(upright_array(stored, orientation))[0]
    point = upright_points(np.array([7.5, 1.5]), orientation, (9, 5))
    assert tuple(point) == (column + 0.5, row + 0.5)


def test_an_unknown_orientation_is_refused():
    with pytest.raises(ValueError, match="orientation is"):
        upright_points(np.zeros((1, 2)), 9, (4, 4))


def test_nonsense_orientation_in_a_file_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    loaded = load_image(write(tmp_path / "n.png", Image.fromarray(ramp()), exif=exif))
    assert loaded.orientation == 1 and (loaded.pixels == ramp()).all()


# edge: one line that names the file and the cause


def assert_error(path: Path, cause: str) -> None:
    with pytest.raises(ImageError, match=cause) as caught:
        load_image(path)
    message = str(caught.value)
    assert isinstance(caught.value, UserError) and message.startswith(str(path)) and "\n" not in message


def test_missing_file_and_folder(tmp_path):
    assert_error(tmp_path / "no.jpg", "no such file")
    assert_error(tmp_path, "folder")
    assert_error(tmp_path / "nul\0byte.jpg", "cannot be read")


def test_empty_file(tmp_path):
    (tmp_path / "e.jpg").touch()
    assert_error(tmp_path / "e.jpg", "empty")


@pytest.mark.parametrize(
    "data", [b"hello, this is text", b"\xff\xd8", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 4096]
)
def test_not_an_image(tmp_path, data):
    (tmp_path / "x.jpg").write_bytes(data)
    assert_error(tmp_path / "x.jpg", "not an image|damaged")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated(tmp_path, kind, share):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, kind)
    path = tmp_path / "t.img"
    path.write_bytes(buffer.getvalue()[: int(share * len(buffer.getvalue()))])
    assert_error(path, "damaged or truncated|not an image")


@pytest.mark.parametrize("side", [14_000, 60_000])
def test_decompression_bomb_is_refused_before_decoding(tmp_path, side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    # IDAT announced but absent: decoding would say "truncated" instead
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 4) + b"IDAT")
    assert_error(tmp_path / "bomb.png", "megapixels")


def test_large_but_allowed_picture_raises_no_warning(tmp_path):
    path = write(tmp_path / "large.png", Image.new("1", (10_000, 9_000)))  # above Pillow's own warning
    assert read_image(path).shape == (9_000, 10_000, 3)


def test_float_and_32_bit_pixels_are_named(tmp_path):
    assert_error(write(tmp_path / "f.tiff", Image.fromarray(np.zeros((4, 4), np.float32))), "floating-point")
    assert_error(write(tmp_path / "i.tiff", Image.fromarray(np.full((4, 4), 1 << 20, np.int32))), "32 bits")


# reduced decoding


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff", "gray.png", "alpha.png"])
def test_a_large_picture_comes_smaller_and_says_so(tmp_path, name):
    picture = Image.fromarray(ramp(240, 400))
    picture = {"gray": picture.convert("L"), "alpha": picture.convert("RGBA")}.get(name[:-4], picture)
    options = {"quality": 98, "subsampling": 0} if name == "a.jpg" else {}
    path = write(tmp_path / name, picture, **options)
    whole = load_image(path)
    for limit, reduction in ((96_000, 1), (95_999, 2), (24_000, 2), (4000, 8), (300, 32)):
        small = load_image(path, max_pixels=limit)
        assert small.reduction == reduction and small.full_size == small.stored_size == (400, 240)
        assert small.size == (-(-400 // reduction), -(-240 // reduction))
        rows, columns = 240 // reduction * reduction, 400 // reduction * reduction
        blocks = whole.pixels[:rows, :columns].reshape(
            rows // reduction, reduction, columns // reduction, reduction, 3
        )
        kept = small.pixels[: rows // reduction, : columns // reduction]
        assert np.abs(blocks.mean((1, 3)) - kept).max() <= (5 if name == "a.jpg" else 1)


@pytest.mark.parametrize("suffix", ["jpg", "tiff", "png"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_reduced_picture_is_upright_too(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98, "subsampling": 0} if suffix == "jpg" else {}
    path = write(tmp_path / f"a.{suffix}", Image.fromarray(ramp(240, 400)), exif=exif, **options)
    whole, small = load_image(path), load_image(path, max_pixels=24_000)
    assert small.stored_size == whole.stored_size == (400, 240) and small.orientation == whole.orientation
    assert small.full_size == whole.full_size == whole.size
    blocks = whole.pixels.reshape(small.size[1], 2, small.size[0], 2, 3).mean((1, 3))
    assert np.abs(blocks - small.pixels).max() <= 10
