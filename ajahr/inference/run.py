"""``ajahr predict`` as a function: pictures, a folder, a video or a camera in, files and a summary out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ajahr import __version__
from ajahr.assets import data_root
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.files import make_folder, remove_stale, sha256_of, write_atomic
from ajahr.data.images import LoadedImage, load_image
from ajahr.errors import UserError
from ajahr.inference.ahead import in_order
from ajahr.inference.estimator import Precision
from ajahr.inference.external import pick_device
from ajahr.inference.given import GivenPeople
from ajahr.inference.limb_points import LimbPointFinder
from ajahr.inference.mesh_files import MeshFormat
from ajahr.inference.people import Detector, KeypointFinder, People, match_keypoints
from ajahr.inference.predictor import (
    AJAHR,
    Failure,
    Refine,
    Request,
    find_keypoints,
    find_weights,
    keypoint_folder,
)
from ajahr.inference.results import ImageResult
from ajahr.inference.sources import Picture, Pictures, kind_of
from ajahr.inference.video import VideoPredictor
from ajahr.inference.video_files import save_video_result
from ajahr.inference.viewer import save_people
from ajahr.keypoints.limb_status import FusionWeights
from ajahr.models.pretrained import load_pretrained
from ajahr.progress import Progress
from ajahr.render.contact_sheet import save_contact_sheet

EXIT_SOME_FAILED = 1
"""Some pictures could not be read, others were predicted."""
_STAMP = "run.json"
_SAVERS = 2


@dataclass(frozen=True)
class PredictConfig:
    """What to predict, with what, and what to write.

    Attributes:
        output: Folder of the results.
        weights: Name of weights that come with the package, or a folder of trained or imported ones.
        people: Where people are: an ultralytics YOLO checkpoint (.pt), a JSON file of boxes or COCO
            annotations, ``whole`` for one person a picture, or ``auto``: a YOLO checkpoint of the data root,
            else ``whole``.
        keypoints: 2D keypoints for BPAC-Net: a folder of a 25-point model of this project, which also judges the
            limbs and finds their ends, a ViTPose folder, a JSON file, ``none``, or ``auto``: those of the people's
            JSON, else a folder keypoints* or vitpose* among the data root's checkpoints, else none.
        fusion: How much BPAC-Net and the 25 points are believed about limbs: weights on their log odds.
        body: The SMPL file that the weights were trained with; the embedded body when left out.
        mesh: Format of the meshes, or ``none``.
        picture: Draw the overlay (and, of a picture, the side view).
        viewer: Of a picture, write a page to turn its people on (STEM.html).
        recursive: Go into the folder's folders.
        overwrite: Predict again what is there already.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...
        precision: ``fp32`` or ``bf16``.
        batch_size: People at a time.
        threads: CPU threads of the network; as many as cores when left out.
        min_score: Detections below it are left out.
        person_class: Name of the detector's class of people, where it cannot be told.
        focal_length: Of the whole picture, px; HMR's guess when left out.
        refine: ``rafo`` fits residual limbs to their ends as the 25-point model sees them, or as they are given.
        stature: Of the people, m: scales lengths of residual limbs. Without it they are marked unscaled.
        max_frames: Of a video or camera.
        max_gap: Frames a person of a video may be out of sight.
        sheet: Pictures on the contact sheet of a folder; 0 for no sheet.
    """

    output: Path = Path("predictions")
    weights: str = "tiny"
    people: str = "auto"
    keypoints: str = "auto"
    fusion: FusionWeights = field(default_factory=FusionWeights)
    body: Path | None = None
    mesh: Literal["glb", "obj", "ply", "none"] = "glb"
    picture: bool = True
    viewer: bool = False
    recursive: bool = False
    overwrite: bool = False
    device: str = "auto"
    precision: Precision = "fp32"
    batch_size: int = 16
    threads: int | None = None
    min_score: float = 0.5
    person_class: str = ""
    focal_length: float | None = None
    refine: Refine = "none"
    stature: float | None = None
    max_frames: int | None = None
    max_gap: int = 15
    sheet: int = 24


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
    tools = _Tools.load(config, folder, kind in ("video", "camera"))
    make_folder(config.output)
    remove_stale(config.output)
    _claim(config, tools)
    summary = Summary(config.output, notes=list(tools.notes))
    if kind in ("video", "camera"):
        _run_video(source, kind == "camera", config, tools, summary, progress)
    else:
        _run_pictures(source, config, tools, summary, progress)
    return summary


@dataclass(frozen=True, eq=False)
class _Tools:
    """What a run works with."""

    model: AJAHR
    people: GivenPeople | None
    keypoints: GivenPeople | None
    stamp: dict[str, Any]
    notes: tuple[str, ...]

    @classmethod
    def load(cls, config: PredictConfig, folder: Path, video: bool) -> _Tools:
        device = config.device if ":" in config.device else pick_device(config.device)
        weights = find_weights(config.weights)
        notes: list[str] = []
        people_file, keypoint_file = _json(config.people), _json(config.keypoints)
        given = other = None
        if people_file or keypoint_file:
            first = people_file or keypoint_file
            assert first is not None
            given = GivenPeople(first, folder, min_score=config.min_score if people_file else 0.0)
            if people_file and keypoint_file and people_file != keypoint_file:
                other = GivenPeople(keypoint_file, folder)
            notes += [
                f"{g.path}: left out {', '.join(f'{n} {why}' for why, n in g.dropped.items())}"
                for g in (given, other)
                if g is not None and g.dropped
            ]
        detector = None if given is not None else _detector(config, device, notes)
        finder = None if keypoint_file else _finder(config, device)
        model = AJAHR(
            load_pretrained(weights, Body(load_body(config.body))),
            detector=detector[1] if detector else None,
            keypoints=finder[1] if finder else None,
            fusion=config.fusion,
            device=device,
            precision=config.precision,
            batch_size=config.batch_size,
            focal_length=config.focal_length,
            min_score=config.min_score,
            refine=config.refine,
            stature=config.stature,
        )
        file = weights / "model.safetensors" if weights.is_dir() else weights
        stamp = {
            "weights": sha256_of(file),
            "body": model.painter.body.sha256,
            "people": _print(people_file or (detector[0] if detector else None)),
            "keypoints": _print(keypoint_file or (finder[0] if finder else None)),
            "fusion": [config.fusion.bpac, config.fusion.keypoints],
            "min_score": config.min_score,
            "focal_length": config.focal_length,
            "refine": config.refine,
            "stature": config.stature,
            "precision": config.precision,
            "mesh": config.mesh,
            "picture": config.picture,
            # pages are asked for: a folder without them is not finished, one with them is
            **({"viewer": True} if config.viewer else {}),
        }
        return cls(model, given, other, stamp, tuple(notes))

    def people_of(self, picture: Picture, image: LoadedImage) -> People | None:
        """Given people of a picture; nobody where a file is given that does not name it."""
        if self.people is None:
            return None
        found = self.people.of(picture.path, image) or People.nobody()
        others = None if self.keypoints is None else self.keypoints.of(picture.path, image)
        return found if others is None else match_keypoints(found, others)


def _json(value: str) -> Path | None:
    return Path(value) if value.lower().endswith(".json") else None


def _detector(config: PredictConfig, device: str, notes: list[str]) -> tuple[Path, Detector] | None:
    if config.people == "whole":
        return None
    path = Path(config.people)
    if config.people == "auto":
        found = sorted((data_root() / "checkpoints").glob("yolo*.pt"))
        path = next((one for one in found if "pose" not in one.name and "seg" not in one.name), None)
        if path is None:
            notes.append(
                "people: no detector and no boxes, so every picture is taken for one person; "
                "--people takes yolo11x.pt or boxes.json"
            )
            return None
    from ajahr.inference.yolo import YoloDetector

    return path, YoloDetector(
        path, confidence=config.min_score, person_class=config.person_class, device=device
    )


def _finder(config: PredictConfig, device: str) -> tuple[Path, KeypointFinder | LimbPointFinder] | None:
    if config.keypoints == "none":
        return None
    path = keypoint_folder(config.keypoints)
    if config.keypoints == "auto":
        root = data_root() / "checkpoints"
        found = [*sorted(root.glob("keypoints*/config.json")), *sorted(root.glob("vitpose*/config.json"))]
        if not found:
            return None
        path = found[0].parent
    return path, find_keypoints(path, device=device)


def _print(path: Path | None) -> str | None:
    """Fingerprint of a file, or of the weights in a folder."""
    if path is None:
        return None
    parts = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    return " ".join(sha256_of(part) for part in parts)


def _claim(config: PredictConfig, tools: _Tools) -> None:
    """Mark the output as this run's kind, or refuse to mix results."""
    path = config.output / _STAMP
    stamp = {"ajahr": __version__, **tools.stamp}
    if path.is_file() and not config.overwrite:
        try:
            before = json.loads(path.read_bytes())
        except ValueError:
            before = {}
        changed = [key for key in stamp if before.get(key) != stamp[key]]
        if changed:
            raise UserError(
                f"{config.output} holds results made with other {', '.join(changed)}; "
                "choose another --output, or --overwrite true"
            )
    write_atomic(path, json.dumps(stamp, indent=1).encode())


# ------------------------------------------------------------------------------------------ pictures


def _run_pictures(
    source: str, config: PredictConfig, tools: _Tools, summary: Summary, progress: Progress
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
    source: str, live: bool, config: PredictConfig, tools: _Tools, summary: Summary, progress: Progress
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
