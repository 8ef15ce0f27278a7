import numpy as np
import pytest

from ajahr.data.readers.rle import Rle

# law


@pytest.mark.parametrize("seed", range(6))
def test_decode_undoes_encode(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(tuple(rng.integers(1, 40, 2))) < rng.random()
    runs = Rle.encode(mask)
    assert (runs.decode() == mask).all() and runs.area == mask.sum()


@pytest.mark.parametrize("value", [False, True])
def test_full_and_empty_masks(value):
    mask = np.full((3, 5), value)
    assert (Rle.encode(mask).decode() == mask).all()
    assert Rle.encode(mask).area == 15 * value


# pin: made once with pycocotools 2.0's mask.encode


def test_compressed_form_with_small_runs():
    mask = np.zeros((9, 12), bool)
    mask[2:7, 3:9] = True
    mask[4, 5] = False
    mask[0, 11] = mask[8, 0] = True
    runs = Rle.parse({"size": [9, 12], "counts": "81d04@00MM0330000`0LD"})
    assert runs is not None and (runs.decode() == mask).all()


def test_compressed_form_of_a_disc():
    y, x = np.mgrid[:60, :80]
    counts = (
        "o[17a18J4L4L4M2N2N2N2N2O0O2O0O2O0O2O00000O2O000000000001N1000001N101N101N101N2N2N2N2N3L4L4L6Hie0"
    )
    runs = Rle.parse({"size": [60, 80], "counts": counts})
    assert runs is not None and (runs.decode() == ((y - 30) ** 2 + (x - 45) ** 2 < 500)).all()


def test_uncompressed_form_runs_down_the_columns():
    runs = Rle.parse({"size": [2, 3], "counts": [1, 2, 3]})
    assert runs is not None and runs.decode().tolist() == [[False, True, False], [True, False, False]]


# edge


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        {},
        {"size": [2, 3]},
        {"size": [2, 3], "counts": [1, 2]},  # wrong sum
        {"size": [2, 3], "counts": [-1, 7]},
        {"size": [2, 3], "counts": [[6]]},
        {"size": [2], "counts": [2]},
        {"size": ["a", 3], "counts": [6]},
        {"size": [0, 0], "counts": []},
        {"size": [float("nan"), 3], "counts": [6]},
        {"size": [2, 3], "counts": "\x01"},  # outside the alphabet
        {"size": [2, 3], "counts": "ü"},
        {"size": [9, 12], "counts": "81d04@00MM0330000`"},  # ends inside a number
        {"size": [10**6, 10**6], "counts": [10**12]},  # would need a terabyte
        {"size": [2, 3], "counts": "o" * 200},
    ],
)
def test_what_is_no_mask_is_none(segmentation):
    assert Rle.parse(segmentation) is None
