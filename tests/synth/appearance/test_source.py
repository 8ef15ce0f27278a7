from __future__ import annotations

import numpy as np

from ajahr.render.texture import Texture
from synth.appearance.groups import GROUP_SHARES, GROUPS, SEXES
from synth.appearance.source import TextureCache, TextureEntry, TextureSource


def picture(value, side=8):
    return np.full((side, side, 3), value, np.uint8)


class Fake(TextureSource):
    """More textures of some groups than of others; counts how often one is decoded."""

    def __init__(self, cache_bytes):
        super().__init__(cache_bytes)
        self.decoded = []
        self.of = {
            (sex, group): [TextureEntry(f"{sex}{group}{k}", sex, group, self) for k in range(1 + 5 * number)]
            for sex in SEXES
            for number, group in enumerate(GROUPS)
        }

    def entries_of(self, sex, group):
        return self.of[sex, group]

    def decode(self, entry):
        self.decoded.append(entry.id)
        return picture(len(self.decoded) % 256)


def test_law_choice_follows_the_shares_however_many_files_a_group_has():
    source, rng = Fake(0), np.random.default_rng(2)
    drawn = [source.choose(rng) for _ in range(6_000)]
    counts = np.array([sum(e.group is g for e in drawn) for g in GROUPS])
    expected = 6_000 * np.array([GROUP_SHARES[g] for g in GROUPS])
    assert ((counts - expected) ** 2 / expected).sum() < 22.46  # 6 dof, 99.9 %
    assert abs(np.mean([e.sex == "female" for e in drawn]) - 0.5) < 0.022
    of_last = [e.id for e in drawn if e.group is GROUPS[-1]]
    assert len(set(of_last)) == 2 * 31  # every file of a large group is met
    assert len(source.entries) == 2 * sum(1 + 5 * k for k in range(7))


def test_law_the_same_numbers_choose_the_same():
    a = [Fake(0).choose(np.random.default_rng(k)).id for k in range(20)]
    assert a == [Fake(0).choose(np.random.default_rng(k)).id for k in range(20)]


def test_law_textures_are_read_once_while_they_fit_and_memory_stays_bounded():
    size = Texture.from_image(picture(0)).texels.nbytes
    source = Fake(3 * size)
    entries = source.entries
    first = entries[0].texture()
    assert entries[0].texture() is first and source.decoded == [entries[0].id]
    for entry in entries:
        entry.texture()
        assert source._cache.bytes <= 3 * size and len(source._cache) <= 3
    assert len(source.decoded) == len(entries)
    entries[0].texture()  # long gone
    assert source.decoded[-1] == entries[0].id
    assert entries[1].image().shape == (8, 8, 3)


def test_law_the_one_used_last_stays():
    one = Texture.from_image(picture(1))
    cache = TextureCache(2 * one.texels.nbytes)
    cache.put("a", one)
    cache.put("b", one)
    cache.get("a")
    cache.put("c", one)
    assert cache.get("b") is None and cache.get("a") is one and cache.get("c") is one
    cache.put("a", one)  # again: counted once
    assert cache.bytes == 2 * one.texels.nbytes


def test_edge_a_texture_larger_than_the_cache_is_not_kept():
    cache = TextureCache(10)
    cache.put("a", Texture.from_image(picture(1)))
    assert len(cache) == 0 and cache.bytes == 0 and cache.get("a") is None
