"""``ajahr predict`` as a function: pictures, a folder, a video or a camera in, files and a summary out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ajahr.data.files import make_folder, remove_stale
from ajahr.data.images import load_image
from ajahr.errors import UserError
from ajahr.inference.ahead import in_order
from ajahr.inference.mesh_files import MeshFormat
from ajahr.inference.predict_config import PredictConfig
from ajahr.inference.predictor import Failure, Request
from ajahr.inference.results import ImageResult
from ajahr.inference.sources import Picture, Pictures, kind_of
from ajahr.inference.tools import Tools
from ajahr.inference.video import VideoPredictor
from ajahr.inference.video_files import save_video_result
from ajahr.inference.viewer import save_people
from ajahr.progress import Progress
from ajahr.render.contact_sheet import save_contact_sheet

EXIT_SOME_FAILED = 1
"""Some pictures could not be read, others were predicted."""
_SAVERS = 2


@dataclass
class Summary:
    """What a run did."""

    output: Path
    unit: str = "pictures"
    """``frames`` of a video."""
    pictures: int = 0
    skipped: int = 0
    empty: int = 0
    """Pictures with nobody in them."""
    people: int = 0
    amputees: int = 0
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return EXIT_SOME_FAILED if self.failures else 0


def run(source: str, config: PredictConfig, progress: Progress) -> Summary:
    """Predict and write.

    Raises:
        UserError: source, weights, people or keypoints are missing or of no known kind; not one picture can be
            read; ``output`` holds results made with something else.
    """
    kind = kind_of(source)
    if config.threads is not None:
        if config.threads < 1:
            raise UserError(f"threads is {config.threads}; give at least 1")
        torch.set_num_threads(config.threads)
    folder = Path(source) if kind == "folder" else Path(source).parent
    tools = Tools.load(config, folder)
    make_folder(config.output)
    remove_stale(config.output)
    tools.claim(config)
    summary = Summary(config.output, notes=list(tools.notes))
    if kind in ("video", "camera"):
        _run_video(source, kind == "camera", config, tools, summary, progress)
    else:
        _run_pictures(source, config, tools, summary, progress)
    return summary


# ------------------------------------------------------------------------------------------ pictures


def _run_pictures(
    source: str, config: PredictConfig, tools: Tools, summary: Summary, progress: Progress
) -> None:
    pictures = Pictures.of(source, config.output, recursive=config.recursive)
    if pictures.ignored:
        count = pictures.ignored
        many = "1 other file" if count == 1 else f"{count} other files"
        summary.notes.append(f"{many} in {source} {'was' if count == 1 else 'were'} left alone")
    captions: dict[str, str] = {}
    todo = []
    for picture in pictures.found:
        known = None if config.overwrite else _finished(config.output, picture.stem, picture.path)
        if known is None:
            todo.append(picture)
        else:
            summary.skipped += 1
            captions[picture.stem] = _caption(known)
    mesh: MeshFormat | None = None if config.mesh == "none" else config.mesh

    def requests() -> Iterator[Request]:
        for picture in todo:
            yield Request(picture.path, partial(tools.people_of, picture), picture.name)

    def save(item: tuple[Picture, ImageResult | Failure]) -> tuple[Picture, dict[str, Any] | Failure]:
        picture, result = item
        if isinstance(result, Failure):
            return picture, result
        size = {"bytes": picture.path.stat().st_size}
        if config.viewer:
            save_people(config.output / f"{picture.stem}.html", result)
        result.save(config.output, stem=picture.stem, mesh=mesh, picture=config.picture, extra=size)
        return picture, result.document()

    with progress.bar("pictures", len(todo)) as tick:
        results = zip(todo, tools.model.predict_many(requests()), strict=True)
        for picture, done in in_order(save, results, threads=_SAVERS, ahead=2 * _SAVERS):
            if isinstance(done, Failure):
                summary.failures.append(done)
                progress.note(f"left out: {done.error}")
            else:
                summary.pictures += 1
                summary.people += len(done["people"])
                summary.amputees += sum(person["amputee"] for person in done["people"])
                summary.empty += not done["people"]
                captions[picture.stem] = _caption(done)
            tick()
    if summary.failures and not summary.pictures and not summary.skipped:
        first = summary.failures[0].error
        more = f"; {len(todo) - 1} more cannot be read either" if len(todo) > 1 else ""
        raise UserError(f"{first}{more}")
    if pictures.is_folder and config.picture and config.sheet > 0 and captions:
        summary.files.append(_sheet(source, config, captions))
    elif not pictures.is_folder:
        stem = pictures.found[0].stem
        written = [config.output / f"{stem}{suffix}" for suffix in (".json", ".jpg", ".html")]
        summary.files += [file for file in written if file.is_file()]


def _finished(output: Path, stem: str, source: Path) -> dict[str, Any] | None:
    """The JSON of a source that is done: it is written last. None for one of another file by that name."""
    try:
        document = json.loads((output / f"{stem}.json").read_bytes())
        same = document["bytes"] == source.stat().st_size
        return document if same and Path(document["source"]).name == source.name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _caption(document: dict[str, Any]) -> str:
    def words(person: dict[str, Any]) -> str:
        lost = [
            f"{name.split('_')[0]} {limb['status']}"
            for name, limb in person["limbs"].items()
            if limb["level"]
        ]
        return ", ".join(lost) or "intact"

    return f"{document['source']}\n{' | '.join(map(words, document['people'])) or 'nobody'}"


def _sheet(source: str, config: PredictConfig, captions: dict[str, str]) -> Path:
    """A contact sheet of results spread evenly over the run."""
    stems = sorted(captions)
    take = np.unique(np.linspace(0, len(stems) - 1, min(config.sheet, len(stems))).round().astype(int))
    stems = [stems[i] for i in take]
    return save_contact_sheet(
        config.output / "contact_sheet.png",
        [load_image(config.output / f"{stem}.jpg", max_pixels=1_000_000).pixels for stem in stems],
        [captions[stem] for stem in stems],
        title=Path(source).resolve().name,
        subtitle=f"{len(captions)} pictures",
        cell=(380, 220),
        caption_lines=3,
    )


# -------------------------------------------------------------------------------------------- videos


def _run_video(
    source: str, live: bool, config: PredictConfig, tools: Tools, summary: Summary, progress: Progress
) -> None:
    from ajahr.inference.frames import VideoFrames

    stem = f"camera{int(source)}" if live else Path(source).stem
    summary.unit = "frames"
    if not live and not config.overwrite and _finished(config.output, stem, Path(source)):
        summary.skipped, summary.unit = 1, "videos"
        summary.files = [config.output / f"{stem}.json"]
        return
    total = config.max_frames
    if not live:
        with VideoFrames(source) as frames:
            total = frames.count if total is None or frames.count is None else min(total, frames.count)
    passes = 1 if live else 2
    with progress.bar(
        "frames, once" if live else "frames, twice", None if total is None else passes * total
    ) as tick:
        predictor = VideoPredictor(tools.model, given=tools.people, max_gap=config.max_gap, tick=tick)
        overlay = config.output / f"{stem}.mp4" if config.picture else None
        result = predictor.run(int(source) if live else source, overlay, max_frames=config.max_frames)
    if not result.frames:
        raise UserError(f"{source}: not one frame can be read; replace the file")
    size = None if live else Path(source).stat().st_size
    path = save_video_result(result, config.output, stem, {"bytes": size})
    summary.pictures, summary.people = result.frames, len(result.tracks)
    summary.amputees = sum(track.is_amputee for track in result.tracks)
    summary.empty = 0 if result.tracks else result.frames
    if result.damaged:
        shown = ", ".join(map(str, result.damaged[:12])) + (" ..." if len(result.damaged) > 12 else "")
        many = (
            "1 damaged frame was"
            if len(result.damaged) == 1
            else f"{len(result.damaged)} damaged frames were"
        )
        summary.notes.append(f"{many} left out: {shown}")
    summary.files = [path] + ([result.overlay] if result.overlay else [])
