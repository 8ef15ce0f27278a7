"""Train, validation and test datasets that share no photograph, no texture and nobody.

What may appear in which split follows from its name alone, by a hash, so that datasets made apart, on different
days and machines, keep out of each other's way. ``ajahr-synth verify DATASET --against OTHER`` checks it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from ajahr.errors import UserError
from synth.photos.h36m import camera_in

_CELLS = 2**64


def unit_hash(kind: str, name: str) -> float:
    """A number in 0..1 that depends on the name alone."""
    digest = hashlib.sha256(f"{kind}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _CELLS


def split_of(kind: str, name: str, shares: Mapping[str, float]) -> str:
    """The split that something belongs to.

    Args:
        kind: What it is, so that a photograph and an identity of one name are dealt out apart.
        name: Its name.
        shares: Split to share; a split keeps what it has when another one's name changes.
    """
    place = unit_hash(kind, name) * sum(shares.values())
    for split in sorted(shares):
        place -= shares[split]
        if place < 0:
            return split
    return max(split for split in shares if shares[split] > 0)


def photo_split(photo: str, shares: Mapping[str, float]) -> str:
    """The split of a photograph by its file's stem, whatever source names it.

    All frames of one of Human3.6M's cameras show the same room: they go together.
    """
    return split_of("photo", camera_in(photo) or photo, shares)


def identity_split(number: int, shares: Mapping[str, float]) -> str:
    """The split of one of `AppearanceConfig.identities`."""
    return split_of("identity", str(number), shares)


def deal_textures(ids: Sequence[str], shares: Mapping[str, float]) -> dict[str, str]:
    """Split of every texture among those of one sex and group.

    There are few: each split with a share gets at least one, then as many as its share says. The order is that
    of their hashes; the same textures are always dealt out alike.

    Raises:
        UserError: fewer textures than splits.
    """
    splits = [split for split in sorted(shares) if shares[split] > 0]
    if len(ids) < len(splits):
        raise UserError(f"{len(ids)} textures for {len(splits)} splits ({', '.join(ids)})")
    total = sum(shares[split] for split in splits)
    spare = len(ids) - len(splits)
    # the rest by largest remainder of what each split is still owed
    owed = {split: max(shares[split] / total * len(ids) - 1, 0.0) for split in splits}
    scale = spare / max(sum(owed.values()), 1e-12)
    counts = {split: 1 + int(owed[split] * scale + 1e-9) for split in splits}
    by_remainder = sorted(
        splits, key=lambda split: (int(owed[split] * scale + 1e-9) - owed[split] * scale, split)
    )
    for split in by_remainder[: len(ids) - sum(counts.values())]:
        counts[split] += 1
    order = sorted(ids, key=lambda name: (unit_hash("texture", name), name))
    owners = [split for split in splits for _ in range(counts[split])]
    return dict(zip(order, owners, strict=True))


def split_seed(seed: int, split: str, shares: Mapping[str, float]) -> int:
    """A seed of the split's own; the seed itself where nothing is split."""
    if not shares:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}:{split}".encode()).digest()[:4], "big")


def split_problems(split: str, shares: Mapping[str, float]) -> list[tuple[bool, str]]:
    """Pairs of whether a key is wrong and what to say about it."""
    if not shares:
        return []
    return [
        (min(shares.values()) < 0 or sum(shares.values()) <= 0,
         "split_shares takes shares, none negative, not all zero"),
        (shares.get(split, 0.0) <= 0,
         f"split {split!r} has no share in split_shares ({', '.join(shares)})"),
    ]  # fmt: skip
