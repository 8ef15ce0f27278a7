import cv2
import numpy as np
import pytest

from ajahr.data.dataset import open_dataset
from synth.leak.zone import JPEG_BLOCK, SPILL_PX, hidden_zone, whole_blocks


@pytest.fixture(scope="module")
def twins(realistic_twins):
    samples = list(open_dataset(realistic_twins))
    return list(zip(samples[::2], samples[1::2], strict=True))


def test_twins_are_the_same_to_the_last_bit_outside(twins):
    """The law that everything in a picture follows from the photograph and each twin's own body."""
    differ = 0
    for amputee, intact in twins:
        hidden = hidden_zone([amputee, intact], shadows=True)
        a, b = amputee.image(), intact.image()
        assert np.array_equal(a[~hidden], b[~hidden])
        differ += not np.array_equal(a, b)
    assert differ > len(twins) / 2, "the law would hold of any pictures that are all alike"


def test_both_silhouettes_are_inside_with_room_for_blur(twins):
    for pair in twins:
        hidden = hidden_zone(pair, shadows=False)
        for sample in pair:
            wide = cv2.dilate((sample.mask() > 0).astype(np.uint8), np.ones((2 * SPILL_PX + 1,) * 2))
            assert hidden[wide > 0].all()


def test_the_zone_of_shadows_is_larger(twins):
    without, with_shadows = (hidden_zone(twins[0], shadows=shadows) for shadows in (False, True))
    assert (with_shadows >= without).all() and with_shadows.sum() > without.sum()


@pytest.mark.parametrize("quality", [60, 90])
def test_no_byte_of_a_touched_block_is_left(quality):
    """What one changed pixel changes after JPEG stays within the zone."""
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 255, (75, 107, 3)).astype(np.uint8), (0, 0), 2)
    for row, column in [(0, 0), (15, 16), (40, 63), (74, 106), (47, 48)]:
        zone = np.zeros(image.shape[:2], bool)
        zone[row, column] = True
        changed = image.copy()
        changed[row, column] = (0, 255, 0)
        found = []
        for picture in (image, changed):
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            found.append(cv2.imdecode(data, cv2.IMREAD_COLOR))
        hidden = whole_blocks(zone)
        assert not np.array_equal(*found) and np.array_equal(found[0][~hidden], found[1][~hidden])
        assert hidden.sum() <= (JPEG_BLOCK + 4) ** 2


def test_nothing_to_hide_hides_nothing():
    assert not whole_blocks(np.zeros((50, 70), bool)).any()
    assert whole_blocks(np.ones((50, 70), bool)).all()
