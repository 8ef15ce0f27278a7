"""A folder of procedural textures, baked once: `bake_bank` makes or completes it, `TextureBank` reads it.

    bank.json        what the bank is: seed, size, number, body, painter; written first
    textures/*.jpg   one per texture; a file is whole or absent
    manifest.json    every texture with its sha256 and labels; written last

A run that is killed goes on where it stopped: files that are there are not painted again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.body.data import BodyData
from ajahr.data.files import make_folder, remove_stale, write_atomic
from ajahr.errors import UserError
from synth.appearance.atlas import Atlas, build_atlas
from synth.appearance.groups import GROUPS, SEXES, Group, Sex
from synth.appearance.look import Look
from synth.appearance.procedural import PAINTER_VERSION, paint
from synth.appearance.source import CACHE_BYTES, TextureEntry, TextureSource
from synth.appearance.wardrobe import sample_look

__all__ = ["BankConfig", "TextureBank", "TextureEntry", "bake_bank"]

CLAIM_NAME, MANIFEST_NAME, TEXTURES_NAME = "bank.json", "manifest.json", "textures"
_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY, 95,
    # full chroma: at half resolution the colours of two islands would run into each other
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]  # fmt: skip


@dataclass(frozen=True)
class BankConfig:
    """What decides the bytes of a bank."""

    per_group: int
    """Textures of each of the 2 x 7 sexes and groups."""
    size: int
    """Side, px."""
    seed: int
    body_sha256: str
    painter: int = PAINTER_VERSION


@dataclass(frozen=True)
class _Item:
    """A texture to be: its place in the bank and its index for `sample_look`."""

    id: str
    index: int
    sex: Sex
    group: Group

    @property
    def file(self) -> str:
        return f"{TEXTURES_NAME}/{self.id}.jpg"

    def look(self, seed: int) -> Look:
        return sample_look(seed, self.index, self.sex, self.group)


def _items(config: BankConfig) -> list[_Item]:
    """All textures; a larger bank of the same seed begins with the same ones."""
    kinds = [(sex, group) for sex in SEXES for group in GROUPS]
    return [
        _Item(f"{sex}_{group}_{config.seed}_{number:04d}", number * len(kinds) + kind, sex, group)
        for number in range(config.per_group)
        for kind, (sex, group) in enumerate(kinds)
    ]


def bake_bank(
    folder: Path,
    body: BodyData,
    *,
    per_group: int,
    size: int = 512,
    seed: int = 0,
    workers: int = 1,
    tick: Callable[[], None] = lambda: None,
) -> TextureBank:
    """Make the bank in ``folder``, or complete it, and open it. The same bytes from any number of workers.

    Args:
        folder: New, empty, or a bank of the same configuration.
        body: Whose UV layout the textures have.
        per_group: Textures of each of the 14 sexes and groups.
        size: Side of a texture, px.
        seed: Of the looks.
        workers: Processes.
        tick: Called once per texture that is there at the end.

    Raises:
        UserError: the folder holds another bank or other things, cannot be written, or the body has no UVs.
    """
    config = BankConfig(per_group, size, seed, body.sha256)
    _claim(folder, config)
    make_folder(folder / TEXTURES_NAME)
    remove_stale(folder / TEXTURES_NAME)
    items = _items(config)
    missing = [item for item in items if not (folder / item.file).is_file()]
    for _ in range(len(items) - len(missing)):
        tick()
    if missing:
        _bake_missing(folder, build_atlas(body, size), seed, missing, workers, tick)
    if missing or not _manifest_is_whole(folder, config):
        _write_manifest(folder, config, items)
    return TextureBank(folder)


def _bake_missing(
    folder: Path, atlas: Atlas, seed: int, missing: Sequence[_Item], workers: int, tick: Callable[[], None]
) -> None:
    if workers <= 1 or len(missing) == 1:
        return _bake_items(folder, atlas, seed, missing, tick)
    from synth.engine.local import map_processes

    tasks = [(folder, atlas, seed, missing[k::workers]) for k in range(min(workers, len(missing)))]
    map_processes(_bake_items, tasks, workers, tick)


def _bake_items(
    folder: Path, atlas: Atlas, seed: int, items: Sequence[_Item], tick: Callable[[], None]
) -> None:
    for item in items:
        image = paint(atlas, item.look(seed))
        ok, data = cv2.imencode(".jpg", image[..., ::-1], _JPEG)
        assert ok
        write_atomic(folder / item.file, data.tobytes())
        tick()


# ------------------------------------------------------------------------------------- the bank's own files


def _dump(tree: Any) -> bytes:
    return (json.dumps(tree, indent=1) + "\n").encode()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError):
        tree = None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: not readable as a texture bank's JSON; delete the folder and bake it again")
    return tree


def _claim(folder: Path, config: BankConfig) -> None:
    make_folder(folder)
    path = folder / CLAIM_NAME
    if not path.exists():
        foreign = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        if foreign:
            raise UserError(
                f"{folder}: holds other things ({foreign[0]}); choose a new folder for the textures"
            )
        write_atomic(path, _dump(asdict(config)))
    found, wanted = _read_json(path), asdict(config)
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            raise UserError(
                f"{folder}: a texture bank made with {key} {found.get(key)}, not {wanted.get(key)}; "
                "choose a new folder, or delete this one"
            )


def _manifest_is_whole(folder: Path, config: BankConfig) -> bool:
    try:
        tree = _read_json(folder / MANIFEST_NAME)
        return tree.get("config") == asdict(config) and len(tree["textures"]) == len(_items(config))
    except (UserError, KeyError, TypeError):
        return False


def _write_manifest(folder: Path, config: BankConfig, items: Sequence[_Item]) -> None:
    textures = [
        {
            "id": item.id,
            "file": item.file,
            "sha256": hashlib.sha256((folder / item.file).read_bytes()).hexdigest(),
            **item.look(config.seed).summary(),
        }
        for item in items
    ]
    write_atomic(folder / MANIFEST_NAME, _dump({"config": asdict(config), "textures": textures}))


class TextureBank(TextureSource):
    """The finished bank in ``folder``.

    Args:
        folder: Made by `bake_bank`.
        cache_bytes: Memory for decoded textures.

    Raises:
        UserError: no bank, an unfinished one, a damaged manifest.
    """

    def __init__(self, folder: Path, cache_bytes: int = CACHE_BYTES) -> None:
        super().__init__(cache_bytes)
        self.folder = folder
        path = folder / MANIFEST_NAME
        if not path.is_file():
            raise UserError(f"{folder}: no finished texture bank (no {MANIFEST_NAME}); bake it first")
        tree = _read_json(path)
        self._of: dict[tuple[Sex, Group], list[TextureEntry]] = {(s, g): [] for s in SEXES for g in GROUPS}
        self._files: dict[str, tuple[Path, str]] = {}
        try:
            for row in tree["textures"]:
                labels = {k: v for k, v in row.items() if k not in ("id", "file", "sha256", "sex", "group")}
                entry = TextureEntry(row["id"], Sex(row["sex"]), Group(row["group"]), self, labels)
                self._of[entry.sex, entry.group].append(entry)
                self._files[entry.id] = (folder / row["file"], row["sha256"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError(f"{path}: damaged; delete it and bake the bank again") from None
        for (sex, group), found in self._of.items():
            if not found:
                raise UserError(f"{path}: lists no {sex} {group} texture; delete it and bake the bank again")

    def entries_of(self, sex: Sex, group: Group) -> Sequence[TextureEntry]:
        return self._of[sex, group]

    def decode(self, entry: TextureEntry) -> UInt8[np.ndarray, "height width rgb=3"]:
        path, sha256 = self._files[entry.id]
        try:
            data = path.read_bytes()
        except OSError:
            raise UserError(f"{path}: missing; bake the bank again") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise UserError(f"{path}: damaged (its sha256 differs); delete it and bake the bank again")
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise UserError(f"{path}: not a picture; delete it and bake the bank again")
        return image
