"""Everything belongs to one split, always the same one."""

import pytest

from ajahr.errors import UserError
from synth.splits import deal_textures, identity_split, photo_split, split_of, split_problems, split_seed

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
PINNED = ["train", "train", "train"]
PINNED_PEOPLE = [
    "train",
    "train",
    "val",
    "val",
    "train",
    "test",
    "train",
    "test",
    "test",
    "train",
    "train",
    "train",
]


def test_shares_hold_and_the_order_of_the_config_does_not_matter():
    names = [f"{i:012d}" for i in range(4000)]
    found = [photo_split(name, SHARES) for name in names]
    for split, share in SHARES.items():
        assert found.count(split) / len(names) == pytest.approx(share, abs=0.02)
    backwards = dict(reversed(SHARES.items()))
    assert [photo_split(name, backwards) for name in names] == found


def test_shares_need_not_sum_to_one_and_nothing_goes_to_an_empty_split():
    tenfold = {split: 10 * share for split, share in SHARES.items()}
    none = {"train": 1.0, "val": 0.0}
    for i in range(200):
        assert photo_split(str(i), tenfold) == photo_split(str(i), SHARES)
        assert split_of("photo", str(i), none) == "train"


def test_pinned_so_that_datasets_of_other_years_keep_apart():
    assert [photo_split(name, SHARES) for name in ("000000000785", "000000040083", "051423444")] == PINNED
    assert [identity_split(k, SHARES) for k in range(12)] == PINNED_PEOPLE


def test_frames_of_one_camera_of_human36m_go_together():
    frames = [f"S{s}_Walking_1.58860488_{f:06d}" for s in (1, 5, 11) for f in range(50)]
    assert len({photo_split(name, {"train": 0.5, "test": 0.5}) for name in frames}) == 1


@pytest.mark.parametrize("count", [3, 4, 5, 10, 50])
def test_every_split_gets_textures_and_about_its_share(count):
    ids = [f"female_asian_{i}" for i in range(count)]
    owner = deal_textures(ids, SHARES)
    counts = {split: list(owner.values()).count(split) for split in SHARES}
    assert sum(counts.values()) == count and min(counts.values()) >= 1
    assert counts["train"] == max(counts.values())
    assert deal_textures(ids[::-1], SHARES) == owner
    if count == 50:
        assert abs(counts["train"] - 40) <= 2


def test_too_few_textures():
    with pytest.raises(UserError, match="2 textures for 3 splits"):
        deal_textures(["a", "b"], SHARES)


def test_seeds_of_splits_differ_and_without_shares_nothing_changes():
    assert split_seed(7, "train", {}) == 7
    assert len({split_seed(7, split, SHARES) for split in SHARES} | {7}) == 4


@pytest.mark.parametrize(
    ("split", "shares", "wrong"),
    [("train", {}, False), ("train", SHARES, False), ("holdout", SHARES, True), ("val", {"train": 1, "val": 0}, True),
     ("train", {"train": -1.0}, True)],
)  # fmt: skip
def test_what_is_refused(split, shares, wrong):
    assert any(bad for bad, _ in split_problems(split, shares)) == wrong
