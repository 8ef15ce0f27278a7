from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from ajahr.errors import UserError
from synth.appearance import bank as module
from synth.appearance.bank import TextureBank, bake_bank
from synth.appearance.groups import GROUPS, SEXES
from synth.appearance.procedural import paint
from synth.appearance.wardrobe import sample_look

SIZE = 48


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, body):
    folder = tmp_path_factory.mktemp("bank") / "textures"
    ticks = []
    bake_bank(folder, body, per_group=1, size=SIZE, seed=3, tick=lambda: ticks.append(1))
    assert len(ticks) == 14
    return folder


def test_law_every_sex_and_group_has_its_textures_and_labels(finished):
    bank = TextureBank(finished)
    assert len(bank.entries) == len({e.id for e in bank.entries}) == 14
    for sex in SEXES:
        for group in GROUPS:
            (entry,) = bank.entries_of(sex, group)
            assert (entry.sex, entry.group) == (sex, group)
            assert {"monk", "sleeve_length", "trouser_length", "shoes"} <= set(entry.labels)
            assert entry.image().shape == (SIZE, SIZE, 3)
            assert entry.texture().size == (SIZE, SIZE)


def test_law_files_hold_what_the_painter_painted(finished, body):
    bank, atlas = TextureBank(finished), module.build_atlas(body, SIZE)
    entry = bank.entries_of(SEXES[0], GROUPS[2])[0]
    painted = paint(atlas, sample_look(3, 2, SEXES[0], GROUPS[2]))
    assert np.abs(entry.image().astype(int) - painted).mean() < 4  # JPEG


def test_law_a_killed_run_goes_on_to_the_same_bytes(finished, tmp_path, body, monkeypatch):
    folder, made = tmp_path / "bank", []
    real = module.paint

    def killed(atlas, look):
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(look)
        return real(atlas, look)

    monkeypatch.setattr(module, "paint", killed)
    with pytest.raises(KeyboardInterrupt):
        bake_bank(folder, body, per_group=1, size=SIZE, seed=3)
    with pytest.raises(UserError, match="no finished texture bank"):
        TextureBank(folder)
    before = contents(folder)
    assert len([name for name in before if name.endswith(".jpg")]) == 5
    monkeypatch.setattr(module, "paint", lambda atlas, look: made.append(look) or real(atlas, look))
    bake_bank(folder, body, per_group=1, size=SIZE, seed=3)
    assert len(made) == 14  # nothing was painted twice
    assert contents(folder) == contents(finished)


def test_law_any_number_of_workers_makes_the_same_bytes(finished, tmp_path, body):
    bake_bank(tmp_path / "bank", body, per_group=1, size=SIZE, seed=3, workers=2)
    assert contents(tmp_path / "bank") == contents(finished)


def test_law_a_larger_bank_begins_with_the_smaller_one():
    small = module._items(module.BankConfig(2, SIZE, 0, "x"))
    large = module._items(module.BankConfig(3, SIZE, 0, "x"))
    assert large[: len(small)] == small and len({i.index for i in large}) == len({i.id for i in large}) == 42


def test_law_a_whole_bank_is_opened_not_painted(finished, body, monkeypatch):
    monkeypatch.setattr(module, "build_atlas", lambda *_: pytest.fail("painted again"))
    before = contents(finished)
    bake_bank(finished, body, per_group=1, size=SIZE, seed=3)
    assert contents(finished) == before


@pytest.mark.parametrize("change", [{"per_group": 2}, {"size": 64}, {"seed": 4}])
def test_edge_a_folder_of_another_bank_is_refused(finished, body, change):
    before = contents(finished)
    with pytest.raises(UserError, match=f"made with {next(iter(change))} .*choose a new folder"):
        bake_bank(finished, body, **{"per_group": 1, "size": SIZE, "seed": 3} | change)
    assert contents(finished) == before


def test_edge_a_folder_of_other_things_is_refused(tmp_path, body):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other things"):
        bake_bank(tmp_path, body, per_group=1, size=SIZE)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.fixture
def copy(finished, tmp_path):
    folder = tmp_path / "copy"
    for name, data in contents(finished).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "damage", [b"", b'{"textures": [', b"[1, 2]", b'{"config": {}, "textures": [{}]}', b'{"textures": []}']
)
def test_edge_a_damaged_manifest_is_named_and_mended_by_baking(copy, finished, body, damage):
    (copy / "manifest.json").write_bytes(damage)
    with pytest.raises(UserError, match=r"manifest\.json"):
        TextureBank(copy)
    bake_bank(copy, body, per_group=1, size=SIZE, seed=3)
    assert contents(copy) == contents(finished)


def test_edge_a_damaged_claim_is_named(copy, body):
    (copy / "bank.json").write_bytes(b"{")
    with pytest.raises(UserError, match=r"bank\.json"):
        bake_bank(copy, body, per_group=1, size=SIZE, seed=3)


def test_edge_a_damaged_or_missing_texture_is_named_and_mended(copy, finished, body):
    rows = json.loads((copy / "manifest.json").read_text())["textures"]
    flipped, gone = copy / rows[0]["file"], copy / rows[1]["file"]
    flipped.write_bytes(flipped.read_bytes()[:-40] + bytes(40))
    gone.unlink()
    bank = TextureBank(copy)
    entries = {e.id: e for e in bank.entries}
    with pytest.raises(UserError, match="damaged"):
        entries[rows[0]["id"]].texture()
    with pytest.raises(UserError, match="missing"):
        entries[rows[1]["id"]].texture()
    assert cv2.haveImageReader(str(copy / rows[2]["file"]))
    entries[rows[2]["id"]].texture()
    flipped.unlink()
    bake_bank(copy, body, per_group=1, size=SIZE, seed=3)
    assert contents(copy) == contents(finished)
