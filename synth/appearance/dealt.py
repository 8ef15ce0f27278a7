"""The textures of one split among those of a bank that several splits share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from ajahr.errors import UserError
from synth.appearance.groups import GROUPS, SEXES, Group, Sex
from synth.appearance.source import TextureEntry, TextureSource
from synth.splits import deal_textures


class DealtTextures(TextureSource):
    """Those textures of ``source`` that belong to ``split``.

    Args:
        source: The bank.
        split: Whose textures.
        shares: Share of each split.

    Raises:
        UserError: a sex and group has fewer textures than there are splits.
    """

    def __init__(self, source: TextureSource, split: str, shares: Mapping[str, float]) -> None:
        super().__init__(cache_bytes=0)  # textures stay in their own source's cache
        self._source = source
        self._of: dict[tuple[Sex, Group], list[TextureEntry]] = {}
        for sex in SEXES:
            for group in GROUPS:
                entries = source.entries_of(sex, group)
                try:
                    owner = deal_textures([entry.id for entry in entries], shares)
                except UserError as error:
                    raise UserError(f"appearance.bank: {sex} {group}: {error}; use a larger bank") from None
                self._of[sex, group] = [entry for entry in entries if owner[entry.id] == split]

    def entries_of(self, sex: Sex, group: Group) -> Sequence[TextureEntry]:
        return self._of[sex, group]

    def decode(self, entry: TextureEntry) -> UInt8[np.ndarray, "height width rgb=3"]:
        return self._source.decode(entry)
