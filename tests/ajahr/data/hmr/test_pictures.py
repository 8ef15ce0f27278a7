"""Pictures out of folders and tars, decoded as far as needed."""

from __future__ import annotations

import io
import multiprocessing
import pickle

import cv2
import numpy as np
import pytest
from fake_people import jpeg, photo, png, write_tar
from PIL import Image

from ajahr.data.hmr import pictures
from ajahr.data.hmr.pictures import PictureStore, decode_reduced, jpeg_frame
from ajahr.data.hmr.samples import empty_rows
from ajahr.data.hmr.tar_index import scan_tar
from ajahr.data.images import ImageError


@pytest.fixture
def tars(tmp_path):
    """A store of three tars, a row for each of their members, and what the members hold."""
    contents = {f"{tar}.tar": {f"k{n}.jpg": bytes([tar, n] * (50 + n)) for n in range(4)} for tar in range(3)}
    rows, data = empty_rows(12, ["k0.jpg"]), []
    for number, (name, members) in enumerate(contents.items()):
        write_tar(tmp_path / name, members)
        for n, sample in enumerate(scan_tar(tmp_path / name).samples.values()):
            row = rows[4 * number + n]
            row["file"], row["offset"], row["length"] = number, sample["jpg"].offset, sample["jpg"].size
            row["image"] = sample["jpg"].name.encode()
            data.append(members[sample["jpg"].name])
    return PictureStore(tmp_path, [tmp_path / name for name in contents]), rows, data


def test_members_at_their_offsets(tars):
    store, rows, data = tars
    for n in np.random.default_rng(0).permutation(12):
        assert store.read(rows[n]) == data[n]


def test_no_more_files_stay_open_than_allowed(tars, monkeypatch):
    store, rows, data = tars
    monkeypatch.setattr(pictures, "MAX_OPEN", 2)
    for n in (0, 4, 8, 0, 8, 4):
        assert store.read(rows[n]) == data[n]
        assert len(store._open) <= 2


def _read_many(store, rows, queue):
    queue.put([store.read(row) for row in rows])


def test_forked_workers_share_open_files(tars):
    store, rows, data = tars
    store.read(rows[0])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_read_many, args=(store, rows, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    mine = [store.read(row) for row in rows]
    found = [queue.get(timeout=20) for _ in workers]
    for worker in workers:
        worker.join()
    assert mine == data and found == [data, data]


def test_a_pickled_store_opens_its_own_files(tars):
    store, rows, data = tars
    store.read(rows[0])
    assert pickle.loads(pickle.dumps(store)).read(rows[5]) == data[5]


def test_missing_and_shortened_files_are_named(tars, tmp_path):
    store, rows, _ = tars
    row = empty_rows(1, ["gone.jpg"])
    row["image"] = b"gone.jpg"
    with pytest.raises(ImageError, match=r"gone\.jpg: no such file"):
        store.read(row[0])
    rows["length"][11] = 10**6
    with pytest.raises(ImageError, match=r"2\.tar: k3\.jpg: the tar is shorter than its index"):
        store.read(rows[11])


# decoding


@pytest.mark.parametrize("size", [(64, 48), (65, 47), (131, 99)])
@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
def test_reduced_jpeg_is_the_average_of_blocks(size, reduction):
    smooth = cv2.GaussianBlur(photo(*size, seed=1), (0, 0), 3)
    data = jpeg(smooth, 98)
    image, found = decode_reduced(data, reduction, "x")
    assert found == reduction and image.shape[:2] == (-(-size[1] // reduction), -(-size[0] // reduction))
    whole, _ = decode_reduced(data, 1, "x")
    height, width = size[1] // reduction * reduction, size[0] // reduction * reduction
    blocks = whole[:height, :width].reshape(height // reduction, reduction, width // reduction, reduction, 3)
    difference = blocks.mean((1, 3)) - image[: height // reduction, : width // reduction]
    assert np.sqrt((difference**2).mean()) < 2.5


def test_channels_are_rgb_at_every_reduction():
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 250
    for reduction in (1, 2, 4, 8):
        image, _ = decode_reduced(jpeg(red), reduction, "x")
        assert image[..., 0].min() > 240 and image[..., 1:].max() < 10


def test_other_formats_are_decoded_whole():
    image = photo(40, 30)
    found, reduction = decode_reduced(png(image), 4, "x")
    assert reduction == 1
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_are_clockwise(turns):
    image = photo(40, 30)
    np.testing.assert_array_equal(decode_reduced(png(image), 1, "x", turns)[0], np.rot90(image, -turns))


def test_exif_orientation_is_left_alone():
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo(40, 30)).save(stream, "JPEG", exif=exif)
    assert decode_reduced(stream.getvalue(), 1, "x")[0].shape == (30, 40, 3)


@pytest.mark.parametrize("data", [b"", b"no picture", jpeg(photo(64, 64))[:-700], b"\xff\xd8\xff\xd9"])
def test_what_does_not_decode_is_named(data):
    with pytest.raises(ImageError, match=r"tar: k\.jpg"):
        decode_reduced(data, 2, lambda: "tar: k.jpg")


def encoded(image: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", **options)
    return stream.getvalue()


def test_size_from_the_header():
    frame = jpeg_frame(jpeg(photo(131, 99)))
    assert frame is not None and frame[:2] == (131, 99)
    frame = jpeg_frame(encoded(photo(50, 70), progressive=True, comment=b"x" * 300))
    assert frame is not None and frame[:2] == (50, 70)
    for data in (b"", b"\xff\xd8\xff", b"\xff\xd8 not a marker", png(photo(9, 9))):
        assert jpeg_frame(data) is None


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_rows_from_the_top_are_those_of_the_whole(reduction, subsampling, capfd):
    data = encoded(photo(203, 397, seed=3), quality=90, subsampling=subsampling)
    frame, whole = jpeg_frame(data), decode_reduced(data, reduction, "x")[0]
    for rows in (1, 16, 100, 201, 360, 397):
        part, found = decode_reduced(data, reduction, "x", frame=frame, rows=rows)
        needed = -(-rows // reduction)
        assert found == reduction and needed <= len(part) <= len(whole) and part.shape[1] == whole.shape[1]
        np.testing.assert_array_equal(part[:needed], whole[:needed])
        assert (len(part) < len(whole)) == (rows < 360), "nearly everything is decoded whole"
    assert capfd.readouterr().err == "", "libjpeg is not told of a file that ends too early"


def _with_restarts(data: bytes) -> bytes:
    """As a file with restart markers begins; that there are none is of no matter here."""
    return data[:2] + b"\xff\xdd\x00\x04\x00\x10" + data[2:]


def _of_several_pictures(data: bytes) -> bytes:
    return data[:2] + b"\xff\xe2\x00\x08MPF\x00ab" + data[2:] + data


@pytest.mark.parametrize(
    "change", [_with_restarts, _of_several_pictures, lambda data: data[: data.index(b"\xff\xda")]]
)
def test_rows_are_not_cut_off_where_the_file_is_not_simple(change):
    frame = jpeg_frame(change(jpeg(photo(64, 200))))
    assert frame is not None and frame.end == -1


def test_progressive_and_turned_pictures_are_decoded_whole():
    image = photo(64, 200)
    for data, turns in ((encoded(image, progressive=True), 0), (encoded(image), 1)):
        part, _ = decode_reduced(data, 1, "x", turns, frame=jpeg_frame(data), rows=20)
        assert part.shape[:2] == ((200, 64) if not turns else (64, 200))
