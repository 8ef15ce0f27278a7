"""The sheet's geometry, its text, and that a file is whole or absent."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ajahr.errors import UserError
from ajahr.render.contact_sheet import _cut, _wrap, contact_sheet, save_contact_sheet
from ajahr.render.overlay import font

RED, BLUE = (250, 0, 0), (0, 0, 250)


def plain(colour, height, width) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def boxes(sheet, colour) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((sheet == colour).all(-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_images_are_fitted_whole_and_centred_in_equal_cells():
    tall, wide = plain(RED, 300, 100), plain(BLUE, 40, 80)
    sheet = contact_sheet([tall, wide], ["", ""], columns=2, cell=(120, 90), caption_lines=1)
    x0, y0, x1, y1 = boxes(sheet, RED)
    u0, v0, u1, v1 = boxes(sheet, BLUE)
    assert (x1 - x0, y1 - y0) == (30, 90) and (u1 - u0, v1 - v0) == (120, 60)
    assert v0 - y0 == 15 and y1 - v1 == 15  # centred beside each other
    assert x0 - 45 + 120 < u0 and (sheet[y0, x0 - 1] != sheet[0, 0]).any()  # the mount is not the paper


@pytest.mark.parametrize(("count", "columns"), [(1, None), (7, 3), (64, None), (3, 10)])
def test_every_image_is_on_the_sheet_once_in_reading_order(count, columns):
    colours = [(10 + 3 * k, 255 - 3 * k, 128) for k in range(count)]
    sheet = contact_sheet(
        [plain(c, 32, 32) for c in colours], [str(k) for k in range(count)], columns=columns, cell=(32, 32)
    )
    corners = [boxes(sheet, c)[1::-1] for c in colours]
    assert corners == sorted(corners) and len(set(corners)) == count
    assert all((sheet == c).all(-1).sum() == 32 * 32 for c in colours)
    if columns:
        assert len({x for _, x in corners}) == min(columns, count)
    elif count == 64:
        assert 1.0 < sheet.shape[1] / sheet.shape[0] < 2.2


def test_captions_and_title_are_drawn_where_they_belong():
    bare = contact_sheet([plain(RED, 64, 64)] * 2, ["", ""], cell=(64, 64), columns=2)
    drawn = contact_sheet([plain(RED, 64, 64)] * 2, ["", "right\nknee"], cell=(64, 64), columns=2)
    rows, columns = np.nonzero((bare != drawn).any(-1))
    x0, _, _, y1 = boxes(bare, RED)
    assert rows.min() >= y1 and columns.min() > x0 + 64  # below the second cell only
    titled = contact_sheet([plain(RED, 64, 64)], [""], title="A title", subtitle="and more", cell=(64, 64))
    assert boxes(titled, RED)[1] > boxes(bare, RED)[1]


def test_long_text_is_broken_at_words_and_cut_with_an_ellipsis():
    face = font(14)
    caption = "left knee, right elbow, wheelchair, hispanic woman, unbelievably long caption"
    lines = _wrap(caption, face, 120, 2)
    assert len(lines) == 2 and lines[1].endswith("…")
    assert all(face.getlength(line) <= 120 for line in lines)
    assert caption.startswith(lines[0] + " ")
    assert _wrap("a b", face, 120, 2) == ["a b"] and _wrap("a\nb", face, 120, 2) == ["a", "b"]
    assert _cut("x" * 99, face, 5) == "…"


def test_a_saved_sheet_is_the_sheet_and_leaves_nothing_else(tmp_path):
    images, captions = [plain(RED, 20, 30)], ["one"]
    path = save_contact_sheet(tmp_path / "deep" / "sheet.png", images, captions, title="t", cell=(64, 48))
    with Image.open(path) as image:
        np.testing.assert_array_equal(
            np.array(image), contact_sheet(images, captions, title="t", cell=(64, 48))
        )
    assert [p.name for p in path.parent.iterdir()] == ["sheet.png"]


def test_an_unwritable_place_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"^cannot write .*sheet\.png: .*; choose a folder") as caught:
        save_contact_sheet(tmp_path / "file" / "sheet.png", [plain(RED, 4, 4)], [""])
    assert "\n" not in str(caught.value)
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(UserError):
        save_contact_sheet(tmp_path / "sheet.png", [plain(RED, 4, 4)], [""])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "sheet.png"]


def test_no_images_or_too_few_captions_are_errors():
    with pytest.raises(ValueError, match="images and a caption"):
        contact_sheet([], [])
    with pytest.raises(ValueError, match="images and a caption"):
        contact_sheet([plain(RED, 4, 4)], [])


@pytest.mark.parametrize(("shape", "height"), [((480, 640), 192), ((10, 100), 128), ((100, 10), 384)])
def test_cells_take_the_shape_of_the_middle_image(shape, height):
    sheet = contact_sheet([plain(RED, *shape)] * 3 + [plain(BLUE, 50, 50)], [""] * 4, columns=1)
    assert boxes(sheet, BLUE)[3] - boxes(sheet, BLUE)[1] == min(height, 256)
    x0, y0, x1, y1 = boxes(sheet[: sheet.shape[0] // 4], RED)
    assert (x1 - x0 == 256) or (y1 - y0 == height)
