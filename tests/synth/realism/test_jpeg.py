import io

import numpy as np
import pytest
from PIL import Image

from synth.realism.jpeg import QUALITY_RANGE, jpeg_quality, scaled_table, written_quality


def picture(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 3)).astype(np.uint8)
    return Image.fromarray(noise).convert(mode)


def saved(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("quality", [10, 49, 50, 60, 75, 88, 90, 95])
def test_the_quality_of_the_usual_library_is_found(quality, mode):
    assert jpeg_quality(saved(picture(mode), quality=quality)) == quality


def test_progressive_files_and_whole_tables_of_their_own():
    assert jpeg_quality(saved(picture(), quality=80, progressive=True)) == 80
    # half as coarse as quality 50, by a program with its own tables
    table = (scaled_table(50) // 2).tolist()
    found = jpeg_quality(saved(picture(), qtables=[table, table]))
    assert found is not None and abs(found - 75) <= 1


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_no_jpeg_has_no_quality(data):
    assert jpeg_quality(data) is None


def test_another_format_has_no_quality():
    assert jpeg_quality(saved(picture(), "PNG")) is None


def test_written_pictures_stay_within_bounds():
    assert written_quality(None, 83) == 83
    assert [written_quality(q, 83) for q in (5, 60, 77, 95, 100)] == [60, 60, 77, 95, 95]
    assert QUALITY_RANGE == (60, 95)
