"""What a bank of textures is to the rest of the generator: entries, a choice among them, a bounded cache."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ajahr.render.texture import Texture
from synth.appearance.groups import SEXES, Group, Sex, sample_group, sample_sex

CACHE_BYTES = 160 * 2**20


@dataclass(frozen=True, eq=False)
class TextureEntry:
    """One texture of a source; its picture is read when it is asked for."""

    id: str
    """The same for the same picture in every run; recorded with each person."""
    sex: Sex
    group: Group
    source: TextureSource = field(repr=False)
    labels: Mapping[str, Any] = field(default_factory=dict)
    """What is known of it beyond sex and group: plain JSON values, see `Look.summary`."""

    def texture(self) -> Texture:
        """Ready for the rasteriser, from the source's cache."""
        return self.source.load(self)

    def image(self) -> UInt8[np.ndarray, "height width rgb=3"]:
        """The RGB picture, decoded anew."""
        return self.source.decode(self)


class TextureCache:
    """The textures used last, as many as fit into ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._kept: OrderedDict[Hashable, Texture] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Texture | None:
        """The texture kept under ``key``, which becomes the one used last."""
        texture = self._kept.get(key)
        if texture is not None:
            self._kept.move_to_end(key)
        return texture

    def put(self, key: Hashable, texture: Texture) -> None:
        """Keep ``texture``; those unused for longest make room. One larger than the limit is not kept."""
        if key in self._kept:
            self.bytes -= self._kept.pop(key).texels.nbytes
        if texture.texels.nbytes > self.limit:
            return
        self._kept[key] = texture
        self.bytes += texture.texels.nbytes
        while self.bytes > self.limit:
            self.bytes -= self._kept.popitem(last=False)[1].texels.nbytes


class TextureSource(ABC):
    """Textures of every group in both sexes."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._cache = TextureCache(cache_bytes)

    @abstractmethod
    def entries_of(self, sex: Sex, group: Group) -> Sequence[TextureEntry]:
        """Textures of one sex and group in a fixed order, at least one."""

    @abstractmethod
    def decode(self, entry: TextureEntry) -> UInt8[np.ndarray, "height width rgb=3"]:
        """Read the picture of an entry of this source. UserError if its file is missing or damaged."""

    @property
    def entries(self) -> list[TextureEntry]:
        """All textures."""
        return [entry for sex in SEXES for group in Group for entry in self.entries_of(sex, group)]

    def choose(self, rng: np.random.Generator) -> TextureEntry:
        """A texture: first the group in A3D's proportions, then the sex, then evenly among theirs."""
        group, sex = sample_group(rng), sample_sex(rng)
        found = self.entries_of(sex, group)
        return found[int(rng.integers(len(found)))]

    def load(self, entry: TextureEntry) -> Texture:
        """The texture of an entry, from the cache or its file."""
        texture = self._cache.get(entry.id)
        if texture is None:
            texture = Texture.from_image(self.decode(entry))
            self._cache.put(entry.id, texture)
        return texture
