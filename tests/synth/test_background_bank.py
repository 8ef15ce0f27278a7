"""The bank of clean backgrounds: what goes in comes out, drops are counted, memory is bounded."""

import numpy as np
import pytest

from ajahr.errors import UserError
from synth.background_bank import (
    BackgroundBank,
    Slot,
    is_done,
    slot_from_json,
    slot_to_json,
    write_drop,
    write_entry,
)

FITTED = Slot(
    (1.0, 2.0, 3.0, 4.0),
    120.0,
    2.0,
    4.0,
    np.ones((24, 3)).tolist(),
    [0.1] * 10,
    (2.0, 3.0),
    0.01,
    [0.5] * 6 + [0, 0, -1],
)
BARE = Slot((1.0, 2.0, 3.0, 4.0), 120.0, 2.0, 4.0)


def put(folder, index, value=100):
    image = np.full((40, 60, 3), value, np.uint8)
    entry = {
        "source": "s",
        "photo": f"p{index}",
        "licence": "l",
        "width": 60,
        "height": 40,
        "ssim": 1.0,
        "grey": False,
        "slots": [slot_to_json(slot) for slot in (FITTED, BARE)],
    }
    write_entry(folder, index, image, entry)


@pytest.mark.parametrize("slot", [FITTED, BARE])
def test_a_slot_survives_its_json(slot):
    assert slot_from_json(slot_to_json(slot)) == slot


def test_backgrounds_come_back_with_places_pictures_and_drops(tmp_path):
    put(tmp_path, 0)
    put(tmp_path, 2, value=30)
    write_drop(tmp_path, 1, "p1", "ssim")
    assert [is_done(tmp_path, i) for i in range(4)] == [True, True, True, False]
    bank = BackgroundBank(tmp_path)
    assert [b.photo for b in bank.backgrounds] == ["p0", "p2"]
    assert bank.drops == {"ssim": 1}
    assert bank.backgrounds[0].slots == (FITTED, BARE)
    assert len(bank.fitted) == 2  # one place of each
    assert abs(int(bank.image(bank.backgrounds[1]).mean()) - 30) <= 1


def test_decoded_pictures_are_kept_within_the_limit_and_cannot_be_written(tmp_path):
    for i in range(4):
        put(tmp_path, i)
    bank = BackgroundBank(tmp_path, cache_bytes=2 * 40 * 60 * 3)
    images = [bank.image(b) for b in bank.backgrounds]
    assert bank.image(bank.backgrounds[3]) is images[3]
    assert bank.image(bank.backgrounds[0]) is not images[0]  # it made room
    with pytest.raises(ValueError):
        images[3][0, 0] = 0


def test_a_damaged_picture_is_named(tmp_path):
    put(tmp_path, 0)
    (tmp_path / "000000.jpg").write_bytes(b"")
    bank = BackgroundBank(tmp_path)
    with pytest.raises(UserError, match=r"000000\.jpg"):
        bank.image(bank.backgrounds[0])
