"""A bank of clean backgrounds in a folder of its own, for any number of datasets.

    OUT/bank.json           configuration, weights' SHA-256, and once finished the counts
    OUT/backgrounds/        the pictures (`synth.background_bank`)
    OUT/before_after.png    photographs and their clean twins side by side

Run again, it goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from rich.table import Table

from ajahr.data.files import make_folder, remove_stale, write_atomic
from ajahr.data.images import ImageError, load_image
from ajahr.errors import UserError
from ajahr.render.contact_sheet import save_contact_sheet
from synth.background_bank import Background, BackgroundBank
from synth.config import BackgroundsConfig
from synth.engine.local import worker_count
from synth.photo_list import PhotoTask, list_photos
from synth.photos.backends.lpips import PAPER_LPIPS
from synth.photos.backends.make import weights_sha256
from synth.prepare import BACKGROUNDS, BANK_NAME, check_models, fill_bank
from synth.progress import Progress

SHEET_NAME = "before_after.png"
_VERSION = 2


@dataclass(frozen=True)
class SourceCounts:
    """What became of one source's photographs.

    Attributes:
        photographs: Given, those the reader left out not counted.
        backgrounds: Kept.
        places: Places for people on them.
        fitted: Places with a fitted pose.
        drops: Reason to number of photographs given up.
        ssim: Mean over the kept ones, people-free photographs not counted; None without any.
        lpips: Mean likewise; None where it was not measured.
    """

    photographs: int
    backgrounds: int
    places: int
    fitted: int
    drops: dict[str, int]
    ssim: float | None
    lpips: float | None


@dataclass(frozen=True)
class BankCounts:
    """What is in a bank.

    Attributes:
        sources: By the names of the sources.
        unread: Reason to number of photographs, and people (``person_...``), that the readers left out.
    """

    sources: dict[str, SourceCounts]
    unread: dict[str, int]


def make_bank(config: BackgroundsConfig, progress: Progress) -> tuple[BankCounts, Path | None]:
    """Make the bank, or what is missing of it.

    Returns:
        Its counts, and the sheet of photographs before and after, if one was asked for.

    Raises:
        UserError: for everything the user can mend; finished photographs are kept.
    """
    config.check()
    job = config.as_generate()
    tasks, unread = list_photos(job)
    description = _describe(config, tasks)
    if not (config.output / BANK_NAME).exists():
        check_models(job)  # before the folder is this job's: wrong weights will be replaced
    _claim(config.output, description)
    folder = config.output / BACKGROUNDS
    fill_bank(job, folder, tasks, worker_count(config.run.workers), progress)
    counts = _count(folder, tasks, unread)
    if not any(source.places for source in counts.sources.values()):
        drops = sum((Counter(source.drops) for source in counts.sources.values()), unread)
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(drops.items())) or "no photographs"
        raise UserError(f"no photograph gives a place for a person ({reasons}); add others under 'photos'")
    _write_description(config.output, description | {"counts": _plain(counts)})
    return counts, _sheet(config, folder, tasks)


# --------------------------------------------------------------------------------------------- the folder


def _claim(output: Path, new: dict[str, Any]) -> None:
    """Make the folder this job's, or check that it is: a photograph must keep its number."""
    path = output / BANK_NAME
    make_folder(output)
    if not path.exists():
        foreign = sorted(entry.name for entry in output.iterdir() if not entry.name.startswith("."))
        if foreign:
            raise UserError(
                f"{output}: holds other things ({foreign[0]}); choose an empty or a new output folder"
            )
        _write_description(output, new)
    remove_stale(output)
    try:
        old = json.loads(path.read_bytes())
        differing = [key for key in new if old.get(key) != new[key]]
    except (OSError, ValueError, AttributeError):
        raise UserError(f"{path}: cannot be read; delete {output} and run again") from None
    if differing:
        what = {
            "photographs": "other photographs",
            "weights": "other weights",
            "version": "an older version of ajahr",
        }.get(differing[0], f"another configuration ({_first_difference(old.get('config'), new['config'])})")
        raise UserError(f"{output}: made from {what}; choose another output folder or delete this one")


def _describe(config: BackgroundsConfig, tasks: Sequence[PhotoTask]) -> dict[str, Any]:
    listing = "\n".join(f"{task.source}/{task.path.name}" for task in tasks)
    return {
        "version": _VERSION,
        "config": config.content(),
        "weights": weights_sha256(config.backgrounds),
        "photographs": {"count": len(tasks), "sha256": hashlib.sha256(listing.encode()).hexdigest()},
    }


def _write_description(output: Path, description: dict[str, Any]) -> None:
    write_atomic(output / BANK_NAME, (json.dumps(description, indent=1) + "\n").encode())


def _first_difference(old: Any, new: Any, key: str = "") -> str:
    """The first key in which two configurations differ, dotted."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*new, *old]:
            if old.get(name) != new.get(name):
                return _first_difference(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    return key or "all of it"


# ------------------------------------------------------------------------------------------------- counts


def _count(folder: Path, tasks: Sequence[PhotoTask], unread: Counter[str]) -> BankCounts:
    kept = {background.name: background for background in BackgroundBank(folder).backgrounds}
    sources = {}
    for name in dict.fromkeys(task.source for task in tasks):
        own = [task for task in tasks if task.source == name]
        found = [kept[_name(task)] for task in own if _name(task) in kept]
        cleaned = {_name(task) for task in own if task.photo is not None}
        similar = [background.ssim for background in found if background.name in cleaned]
        distant = [background.lpips for background in found if background.lpips is not None]
        drops = Counter(_drop_reason(folder, task) for task in own if _name(task) not in kept)
        sources[name] = SourceCounts(
            photographs=len(own),
            backgrounds=len(found),
            places=sum(len(background.slots) for background in found),
            fitted=sum(slot.pose_rotvec is not None for background in found for slot in background.slots),
            drops=dict(sorted(drops.items())),
            ssim=float(np.mean(similar)) if similar else None,
            lpips=float(np.mean(distant)) if distant else None,
        )
    return BankCounts(sources, dict(sorted(unread.items())))


def _name(task: PhotoTask) -> str:
    return f"{task.index:06d}"


def _drop_reason(folder: Path, task: PhotoTask) -> str:
    return json.loads((folder / "dropped" / f"{_name(task)}.json").read_text())["reason"]


def _plain(counts: BankCounts) -> dict[str, Any]:
    return {
        "sources": {name: vars(source) for name, source in counts.sources.items()},
        "unread": counts.unread,
    }


def bank_table(counts: BankCounts, folder: Path) -> Table:
    """One row a source."""
    total = sum(source.backgrounds for source in counts.sources.values())
    table = Table(title=f"{folder}: {total} backgrounds", title_justify="left")
    table.add_column("source", overflow="fold")
    for column in ("photos", "kept", "places", "fitted", "SSIM", "LPIPS", "paper's"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("dropped", overflow="fold")
    for name, source in counts.sources.items():
        paper = PAPER_LPIPS.get(name.lower())
        table.add_row(
            name,
            str(source.photographs),
            str(source.backgrounds),
            str(source.places),
            str(source.fitted),
            "-" if source.ssim is None else f"{source.ssim:.3f}",
            "-" if source.lpips is None else f"{source.lpips:.4f}",
            "-" if paper is None else f"{paper:.4f}",
            ", ".join(f"{reason} {n}" for reason, n in source.drops.items()),
        )
    notes = []
    if all(source.lpips is None for source in counts.sources.values()):
        notes.append("LPIPS is measured when backgrounds.lpips names a trunk")
    if counts.unread:
        notes.append("left out by the readers: " + ", ".join(f"{k} {n}" for k, n in counts.unread.items()))
    table.caption = "; ".join(notes)
    return table


# -------------------------------------------------------------------------------------------------- sheet


def _sheet(config: BackgroundsConfig, folder: Path, tasks: Sequence[PhotoTask]) -> Path | None:
    """Evenly spaced photographs beside what became of them."""
    cells = config.run.sheet
    shown = [task for task in tasks if task.photo is not None] or list(tasks)
    if cells <= 0 or not shown:
        return None
    evenly = np.linspace(0, len(shown) - 1, min(cells, len(shown))).round().astype(int)
    chosen = [shown[i] for i in evenly]
    bank = BackgroundBank(folder)
    kept = {background.name: background for background in bank.backgrounds}
    images, captions = [], []
    for task in chosen:
        background = kept.get(_name(task))
        images.append(_pair(task.path, background, bank))
        captions.append(f"{task.source} {task.path.name}\n{_verdict(background, folder, task)}")
    return save_contact_sheet(
        config.output / SHEET_NAME,
        images,
        captions,
        title=f"{config.output.name}: {len(kept)} backgrounds of {len(tasks)} photographs",
        subtitle="left the photograph, right its background; grey where it was dropped",
        columns=3,
        cell=(512, 192),
    )


def _verdict(background: Background | None, folder: Path, task: PhotoTask) -> str:
    if background is None:
        return f"dropped: {_drop_reason(folder, task)}"
    measured = "" if background.lpips is None else f", LPIPS {background.lpips:.3f}"
    places = len(background.slots)
    return f"SSIM {background.ssim:.3f}{measured}, {places} place{'s' * (places != 1)}"


def _pair(
    path: Path, background: Background | None, bank: BackgroundBank
) -> UInt8[np.ndarray, "height width 3"]:
    try:
        before = load_image(path).pixels
    except ImageError:
        before = np.full((240, 320, 3), 128, np.uint8)
    after = np.full_like(before, 128) if background is None else bank.image(background)
    height = 256
    size = (max(1, round(before.shape[1] * height / before.shape[0])), height)
    left, right = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (before, after))
    return np.hstack([left, np.full((height, 4, 3), 255, np.uint8), right])
