from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from ajahr.errors import MissingAsset, UserError
from synth.appearance.bedlam import BedlamTextures, lay_over, parse_overlay_name, parse_skin_name
from synth.appearance.groups import GROUPS, SEXES, Group, Sex

NAMES = {
    "african": Group.AFRICAN, "asian": Group.ASIAN, "hispanic": Group.HISPANIC, "indian": Group.INDIAN,
    "mideast": Group.MIDDLE_EASTERN, "seasian": Group.SOUTHEAST_ASIAN, "white": Group.WHITE,
}  # fmt: skip


def write(path, colour, alpha=None, side=16):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((side, side, 3), colour[::-1], np.uint8)
    if alpha is not None:
        image = np.concatenate([image, np.asarray(alpha, np.uint8).reshape(side, side, 1)], 2)
    cv2.imwrite(str(path), image)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "MC_textures_skintones"
    for letter in "fm":
        for k, name in enumerate(NAMES):
            for number in range(1, 3 if name == "african" else 2):
                write(
                    root / letter / f"skin_{letter}_{name}_{number:02d}_ALB.png", (200 - 20 * k, 100, number)
                )
    write(root / "previews" / "skin_f_white_09_ALB.png", (0, 0, 0))
    return root


@pytest.fixture
def clothes(tmp_path):
    root, half = tmp_path / "clothes", np.repeat([[255], [0]], 8, 0) * np.ones((1, 16))
    write(root / "rp_aaron_posed_002_texture_01.png", (0, 0, 250), half)
    write(root / "rp_anna_posed_001_texture_04.png", (0, 250, 0), half)
    write(root / "rp_anna_posed_001_texture_04_normal.png", (128, 128, 255), half)
    return root


def test_law_names_give_sex_and_group():
    for letter, sex in (("f", Sex.FEMALE), ("m", Sex.MALE)):
        for name, group in NAMES.items():
            assert parse_skin_name(f"skin_{letter}_{name}_07_ALB.png") == (sex, group)
    for other in (
        "skin_f_martian_01_ALB.png",
        "skin_x_white_01_ALB.png",
        "skin_f_white_01_NRM.png",
        "readme.png",
    ):
        assert parse_skin_name(other) is None
    assert parse_overlay_name("rp_aaron_posed_002_texture_01.png") is Sex.MALE
    assert parse_overlay_name("rp_anna_posed_001_texture_04.png") is Sex.FEMALE
    assert parse_overlay_name("rp_anna_posed_001_texture_04_normal.png") is None


def test_law_entries_are_the_files_without_previews(folder):
    source = BedlamTextures(folder)
    assert len(source.entries) == 16 and not any("_09_" in e.id for e in source.entries)
    assert [e.id for e in source.entries_of(Sex.FEMALE, Group.AFRICAN)] == [
        "skin_f_african_01_ALB", "skin_f_african_02_ALB",
    ]  # fmt: skip
    assert source.entries_of(Sex.MALE, Group.WHITE)[0].image()[0, 0].tolist() == [80, 100, 1]


def test_law_choice_is_by_group_and_clothes_are_of_the_same_sex(folder, clothes):
    source, rng = BedlamTextures(folder, clothes), np.random.default_rng(0)
    drawn = [source.choose(rng) for _ in range(4000)]
    shares = {g: np.mean([e.group is g for e in drawn]) for g in GROUPS}
    assert abs(shares[Group.ASIAN] - 0.2) < 0.03 and abs(shares[Group.WHITE] - 0.1) < 0.02
    for entry in drawn[:50]:
        assert ("aaron" in entry.id) == (entry.sex is Sex.MALE) and "+" in entry.id
        image = entry.image()
        skin = source.entries_of(entry.sex, entry.group)
        assert image[12, 3].tolist() in [e.image()[12, 3].tolist() for e in skin]  # bare below
        assert image[3, 3].tolist() == ([0, 0, 250] if entry.sex is Sex.MALE else [0, 250, 0])
    assert drawn[0].texture() is drawn[0].texture()


def test_twin_alpha_over():
    rng = np.random.default_rng(1)
    skin, over = rng.integers(0, 256, (9, 7, 3), np.uint8), rng.integers(0, 256, (9, 7, 4), np.uint8)
    alpha = over[..., 3:] / 255.0
    np.testing.assert_allclose(lay_over(skin, over), skin * (1 - alpha) + over[..., :3] * alpha, atol=0.51)


def test_law_the_published_list_decides_the_sex_when_it_is_there(folder, clothes):
    names = {"m": ["rp_anna_posed_001_texture_04"], "f": ["rp_aaron_posed_002_texture_01"]}
    (clothes / "textures_clothing_overlay.json").write_text(json.dumps(names))
    source, rng = BedlamTextures(folder, clothes), np.random.default_rng(0)
    for _ in range(20):
        entry = source.choose(rng)
        assert ("anna" in entry.id) == (entry.sex is Sex.MALE)


def test_law_large_files_are_scaled_once_and_kept(folder, tmp_path):
    big = folder / "f" / "skin_f_white_01_ALB.png"
    write(big, (10, 20, 30), side=64)
    source = BedlamTextures(folder, size=32, scaled=tmp_path / "small")
    entry = source.entries_of(Sex.FEMALE, Group.WHITE)[0]
    assert entry.image().shape == (32, 32, 3) and entry.image()[0, 0].tolist() == [10, 20, 30]
    big.unlink()
    assert entry.image().shape == (32, 32, 3)
    assert [p.name for p in (tmp_path / "small").iterdir()] == ["skin_f_white_01_ALB_32.png"]


def test_law_scaling_a_cloth_keeps_its_colour_at_the_rim(folder, tmp_path):
    root = tmp_path / "cloth"
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:33] = 255
    image = np.zeros((64, 64, 4), np.uint8)
    image[:33] = (0, 200, 0, 255)
    root.mkdir()
    cv2.imwrite(str(root / "rp_anna_posed_001_texture_01.png"), image)
    small = BedlamTextures(folder, root, size=32)._scaled(root / "rp_anna_posed_001_texture_01.png", 4)
    rim = small[16]
    assert 0 < rim[0, 3] < 255 and abs(int(rim[0, 1]) - 200) <= 2


@pytest.mark.parametrize("sex", SEXES)
def test_edge_a_group_without_a_skin_is_named(folder, sex):
    (folder / sex[0] / f"skin_{sex[0]}_seasian_01_ALB.png").unlink()
    with pytest.raises(UserError, match=f"no skin texture of {sex} southeast_asian"):
        BedlamTextures(folder)


def test_edge_empty_and_missing_folders(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no BEDLAM skin texture"):
        BedlamTextures(tmp_path / "empty")
    with pytest.raises(MissingAsset, match="no such folder"):
        BedlamTextures(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no clothing overlay"):
        BedlamTextures(folder, tmp_path / "empty")


def test_edge_unreadable_pictures_are_named(folder, clothes):
    skin = folder / "m" / "skin_m_white_01_ALB.png"
    skin.write_bytes(b"not a picture")
    entry = BedlamTextures(folder).entries_of(Sex.MALE, Group.WHITE)[0]
    with pytest.raises(UserError, match=r"skin_m_white_01_ALB\.png: not readable"):
        entry.texture()
    write(clothes / "rp_anna_posed_001_texture_04.png", (0, 250, 0))  # no alpha
    source, rng = BedlamTextures(folder, clothes), np.random.default_rng(0)
    woman = next(e for e in iter(lambda: source.choose(rng), None) if e.sex is Sex.FEMALE)
    with pytest.raises(UserError, match="without an alpha channel"):
        woman.texture()
    (clothes / "textures_clothing_overlay.json").write_text("[]")
    with pytest.raises(UserError, match="not a list of overlays"):
        BedlamTextures(folder, clothes)
