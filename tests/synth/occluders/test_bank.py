"""The bank of objects."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ajahr.errors import UserError
from synth.config import HardCasesConfig
from synth.occluders import bank
from synth.occluders.bank import MAX_SIDE_PX, OccluderBank, make_bank, premultiplied, resized, straight


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Drawing all takes seconds."""
    monkeypatch.setattr(bank, "PER_KIND", 1)
    monkeypatch.setattr(bank, "KINDS", bank.KINDS[:3])


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_configuration_gives_the_same_bytes_and_a_finished_bank_is_left_alone(tmp_path):
    config = HardCasesConfig(objects=["procedural"])
    for name in ("a", "b"):
        make_bank(tmp_path / name, config)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    (tmp_path / "a" / "000000.png").write_bytes(b"x")
    make_bank(tmp_path / "a", config)
    assert (tmp_path / "a" / "000000.png").read_bytes() == b"x"


def test_a_bank_that_was_not_finished_is_made_again(tmp_path):
    make_bank(tmp_path, HardCasesConfig(objects=["procedural"]))
    whole = digest(tmp_path)
    (tmp_path / "bank.json").unlink()
    (tmp_path / "000001.png").unlink()
    with pytest.raises(UserError, match="no finished bank"):
        OccluderBank(tmp_path)
    make_bank(tmp_path, HardCasesConfig(objects=["procedural"]))
    assert digest(tmp_path) == whole


def test_objects_come_back_premultiplied_no_larger_than_they_are_used(tmp_path):
    make_bank(tmp_path, HardCasesConfig(objects=["procedural", "packaged"]))
    found = OccluderBank(tmp_path)
    assert len(found) == 5
    assert {found[i].source for i in range(5)} == {"procedural", "scikit-image/motorcycle_left"}
    for i in range(5):
        one = found[i]
        assert max(one.rgba.shape[:2]) <= MAX_SIDE_PX
        assert (one.rgba[..., :3] <= one.rgba[..., 3:]).all()
        assert not one.rgba.flags.writeable and found[i] is one
    motorcycle = found[4]
    assert motorcycle.rgba.shape[1] / motorcycle.px_per_m == pytest.approx(2.05, abs=0.02)


def test_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(bank, "_MAX_HELD", 2)
    make_bank(tmp_path, HardCasesConfig(objects=["procedural"]))
    found = OccluderBank(tmp_path)
    for i in (0, 1, 2, 0):
        found[i]
    assert len(found._held) == 2


def test_a_damaged_object_is_one_clear_line(tmp_path):
    make_bank(tmp_path, HardCasesConfig(objects=["procedural"]))
    (tmp_path / "000000.png").write_bytes(b"x")
    with pytest.raises(UserError, match="cannot be read; delete"):
        OccluderBank(tmp_path)[0]


def test_no_object_left_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text('{"images": [{}], "annotations": [], "categories": []}')
    config = HardCasesConfig(objects=["coco"], annotations=tmp_path / "a.json", images=tmp_path)
    with pytest.raises(UserError, match="object_bad_entry 1"):
        make_bank(tmp_path / "bank", config)


def test_straight_colours_are_premultiplied_and_back():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (9, 8, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    assert np.array_equal(straight(premultiplied(rgba)), rgba)
    half = premultiplied(np.full((2, 2, 4), (200, 100, 50, 128), np.uint8))
    assert half[0, 0].tolist() == [100, 50, 25, 128]
    assert resized(half, 2.5).shape == (5, 5, 4)
