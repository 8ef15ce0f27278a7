"""Before the shards: clean backgrounds from the photographs, and textures. Made once, resumed after a kill."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ajahr.body.data import BodyData
from ajahr.data.files import make_folder, remove_stale
from ajahr.data.readers.formats import read_people
from ajahr.data.readers.people import Photo
from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from synth.appearance.bank import TextureBank, bake_bank
from synth.appearance.bedlam import BedlamTextures
from synth.appearance.source import TextureSource
from synth.background_bank import BackgroundBank, Slot, is_done, slot_to_json, write_drop, write_entry
from synth.config import GenerateConfig, PhotoSource
from synth.engine.local import map_processes
from synth.photos.backends.make import backends_of_this_process, check_backends, device_for, weights_of
from synth.photos.background import CleanBackground, PersonSlot, prepare_clean, prepare_photo
from synth.photos.demo import demo_clean, demo_people
from synth.photos.h36m import first_frames
from synth.photos.light import estimate_light, is_grey
from synth.progress import Progress
from synth.record import Drop

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
BANK_NAME = "bank.json"
"""Says what a bank of its own was made from; it has its counts once it is finished."""
BACKGROUNDS = "backgrounds"
"""Folder of the clean pictures, in a bank or in a job's work folder."""
_STANDING_M = 1.65
"""Height a person of unknown scale is taken to have, from crown to sole."""
_BORDER_PX = 3
_CLEAN_SLOTS = 8
"""Places offered in a photograph where nobody stood."""


@dataclass(frozen=True)
class PhotoTask:
    """A photograph to prepare: ``photo`` with its people, or ``clean``."""

    index: int
    source: str
    licence: str
    path: Path
    photo: Photo | None = None


# ---------------------------------------------------------------------------------------------- photographs


def list_photos(config: GenerateConfig) -> tuple[list[PhotoTask], Counter[str]]:
    """Every photograph of the configured sources in order, and counts of what their readers dropped."""
    tasks: list[PhotoTask] = []
    dropped: Counter[str] = Counter()
    for source in config.photos:
        name = source.name or source.kind
        found: list[tuple[Path, str, Photo | None]]
        if source.kind == "clean":
            found = [(path, licence, None) for path, licence in _clean_files(source)]
        elif source.kind in ("folder", "h36m"):
            files = _unannotated(source, config.backgrounds.detector)
            found = [(path, "", Photo(path, path.stem, (), source=name)) for path in files]
        else:
            annotated = demo_people() if source.kind == "demo" else _annotated(source, name)
            dropped.update(annotated.dropped_photos)
            dropped.update({f"person_{reason}": n for reason, n in annotated.dropped_people.items()})
            found = [(photo.path, photo.licence, photo) for photo in annotated.photos]
        for path, licence, photo in found[: source.limit]:
            tasks.append(PhotoTask(len(tasks), name, licence or "not stated", path, photo))
    return tasks, dropped


def _annotated(source: PhotoSource, name: str):
    if source.annotations is None or source.images is None:
        raise UserError(f"config: photos of kind {source.kind} need both 'annotations' and 'images'")
    assert source.kind not in ("demo", "clean", "folder", "h36m")
    return read_people(source.kind, source.annotations, source.images, source=name)


def _clean_files(source: PhotoSource) -> list[tuple[Path, str]]:
    if source.images is None:
        return [(photo.path, photo.licence) for photo in demo_clean()]
    files = _pictures_in(source.images, "the people-free photographs")
    return [(path, "") for path in files]


def _unannotated(source: PhotoSource, detector: str) -> list[Path]:
    """Photographs in whose people no annotation file is interested."""
    if detector == "annotations":
        raise UserError(
            f"config: photos of kind {source.kind} have no annotated people; set backgrounds.detector to yolo"
        )
    if source.images is None:
        raise UserError(f"config: photos of kind {source.kind} need 'images', the folder of the photographs")
    files = _pictures_in(source.images, "the photographs", nested=source.kind == "h36m")
    if source.kind == "h36m":
        files = first_frames(files)
        if not files:
            raise UserError(
                f"{source.images}: no file name tells a camera, as S1_Directions_1.54138969_000001.jpg does; "
                "set kind to folder for other photographs"
            )
    return files


def _pictures_in(folder: Path, what: str, *, nested: bool = False) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of {what}")
    inside = folder.rglob("*") if nested else folder.iterdir()
    files = sorted(path for path in inside if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise UserError(f"{folder}: no photographs ({', '.join(IMAGE_SUFFIXES)}) in this folder")
    return files


def backgrounds_folder(config: GenerateConfig, work: Path) -> Path:
    """Where the backgrounds of a job are: in its own work folder, or in the bank it names."""
    bank = config.backgrounds.bank
    return work / BACKGROUNDS if bank is None else bank / BACKGROUNDS


def check_bank(bank: Path) -> None:
    """UserError unless the folder is a finished bank with a place for somebody in it."""
    made = "make it with 'ajahr-synth backgrounds'"
    if not bank.is_dir():
        raise UserError(f"{bank}: no such bank of backgrounds; {made}")
    path = bank / BANK_NAME
    try:
        finished = json.loads(path.read_bytes()).get("counts") is not None
    except FileNotFoundError:
        raise UserError(f"{bank}: no bank of backgrounds (it has no {BANK_NAME}); {made}") from None
    except (OSError, ValueError, AttributeError):
        raise UserError(
            f"{path}: cannot be read; delete it and run the same 'ajahr-synth backgrounds' again"
        ) from None
    if not finished:
        raise UserError(f"{bank}: the bank is not finished; run the same 'ajahr-synth backgrounds' again")
    if not any(background.slots for background in BackgroundBank(bank / BACKGROUNDS).backgrounds):
        raise UserError(
            f"{bank}: the bank has become empty; delete its {BACKGROUNDS} folder and make it again"
        )


def prepare_backgrounds(config: GenerateConfig, folder: Path, workers: int, progress: Progress) -> None:
    """Fill the bank in ``folder`` with every photograph not done yet, or check the bank the job names.

    Raises:
        UserError: no photograph gives a background; the reasons are counted in the message.
    """
    if config.backgrounds.bank is not None:
        check_bank(config.backgrounds.bank)
        return
    tasks, dropped = list_photos(config)
    if not all(is_done(folder, task.index) for task in tasks):
        check_models(config)
    fill_bank(config, folder, tasks, workers, progress)
    bank = BackgroundBank(folder)
    for reason, count in bank.drops.items():
        dropped[reason] += count
    if dropped:
        counts = ", ".join(f"{reason} {n}" for reason, n in sorted(dropped.items()))
        progress.note(f"dropped on the way: {counts}")
    if not any(background.slots for background in bank.backgrounds):
        counts = ", ".join(f"{reason} {n}" for reason, n in sorted(dropped.items())) or "no photographs"
        raise UserError(f"no photograph gives a place for a person ({counts}); add others under 'photos'")


def check_models(config: GenerateConfig) -> None:
    """Load and try the models that the configuration names, before the first photograph.

    Raises:
        MissingAsset, UserError: a package or weights are missing or wrong.
    """
    options = config.backgrounds
    if weights_of(options):
        # in a process that ends: what it loaded must not stay beside the workers' own
        task = (options, device_for(options, config.run.device))
        map_processes(check_backends, [task], 1, lambda: None, apart=True)


def fill_bank(
    config: GenerateConfig, folder: Path, tasks: Sequence[PhotoTask], workers: int, progress: Progress
) -> None:
    """Prepare every photograph not done yet: on many processes, or on one that has the GPU to itself."""
    make_folder(folder)
    remove_stale(folder)
    todo = [(config, folder, task) for task in tasks if not is_done(folder, task.index)]
    options = config.backgrounds
    device = device_for(options, config.run.device)
    # models and fitting import torch: in processes of their own, so that the memory goes with them
    alone = bool(weights_of(options)) or (options.fit and any(task.photo is not None for _, _, task in todo))
    with progress.bar("photographs", len(todo)) as tick:
        map_processes(prepare_one, todo, 1 if device == "cuda" else workers, tick, apart=alone)


def prepare_one(config: GenerateConfig, folder: Path, task: PhotoTask, tick: Callable[[], None]) -> None:
    """Put one photograph into the bank, or note why it was given up."""
    options = config.backgrounds
    try:
        if task.photo is None:
            clean = prepare_clean(
                task.path, max_side=options.max_side, source=task.source, licence=task.licence
            )
            slots = invented_slots(clean, task.index)
        else:
            tools = backends_of_this_process(options, device_for(options, config.run.device))
            clean = prepare_photo(
                task.photo,
                segmenter=tools.segmenter,
                inpainter=tools.inpainter,
                detector=tools.detector,
                checker=tools.checker,
                distance=tools.distance,
                max_side=options.max_side,
                ssim_min=options.ssim_min,
                max_people=options.max_people,
                min_person_px=options.min_person_px,
            )
            slots = person_slots(clean, config)
        if not slots:
            raise Drop("no_place_for_a_person")
    except Drop as drop:
        write_drop(folder, task.index, str(task.path.name), drop.reason)
    else:
        height, width = clean.image.shape[:2]
        entry = {
            "source": task.source,
            "photo": task.path.stem,
            "licence": task.licence,
            "width": width,
            "height": height,
            "ssim": clean.ssim,
            "lpips": clean.lpips,
            "grey": is_grey(clean.image),
            "slots": [slot_to_json(slot) for slot in slots],
        }
        write_entry(folder, task.index, clean.image, entry)
    tick()


# ----------------------------------------------------------------------------------------------------- slots


def person_slots(clean: CleanBackground, config: GenerateConfig) -> list[Slot]:
    """A slot for everybody removed, with a fitted pose where keypoints give a good one."""
    height, width = clean.image.shape[:2]
    fits: list = [None] * len(clean.slots)
    if config.backgrounds.fit:
        from synth.fits import fit_people

        camera = Camera.centred(width, height, config.render.focal_factor * max(width, height))
        fits = fit_people([_confident(slot) for slot in clean.slots], camera, config.body)
    slots = []
    for person, fit in zip(clean.slots, fits, strict=True):
        slot = _slot(clean, person, fit, config.backgrounds.max_fit_error)
        if slot is not None:
            slots.append(slot)
    return slots


def _confident(slot: PersonSlot) -> np.ndarray | None:
    """COCO-17 with confidences instead of visibilities."""
    if slot.keypoints_coco17 is None:
        return None
    return np.concatenate([slot.keypoints_coco17[:, :2], slot.confidence[:, None]], axis=1)


def _slot(clean: CleanBackground, person: PersonSlot, fit, max_error: float) -> Slot | None:
    """The place of one removed person; None where nothing tells how large people are there."""
    x0, y0, x1, y1 = (float(v) for v in person.bbox_xyxy)
    light = _light(clean, person.bbox_xyxy)
    if fit is None or fit.error > max_error:
        height, width = clean.image.shape[:2]
        if min(x0, y0) < _BORDER_PX or x1 > width - _BORDER_PX or y1 > height - _BORDER_PX:
            return None  # cut off by the border: the box is not the person's height
        # the longer side, so that somebody sitting or lying is not made a child
        scale = max(y1 - y0, x1 - x0) / _STANDING_M
        return Slot((x0, y0, x1, y1), scale, (x0 + x1) / 2, y1, light=light)
    return Slot(
        (x0, y0, x1, y1),
        fit.px_per_m,
        fit.pelvis_px[0],
        fit.ground_y,
        fit.pose_rotvec.tolist(),
        fit.betas.tolist(),
        fit.pelvis_px,
        fit.error,
        light,
    )


def invented_slots(clean: CleanBackground, index: int) -> list[Slot]:
    """Places in a photograph where nobody stood: on its lower part, larger the nearer they are."""
    height, width = clean.image.shape[:2]
    rng = np.random.default_rng([index, height, width])
    slots = []
    for _ in range(_CLEAN_SLOTS):
        nearness = rng.uniform(0.0, 1.0)
        scale = height * (0.30 + 0.25 * nearness)
        ground = height * (0.86 + 0.20 * nearness)
        x = width * rng.uniform(0.2, 0.8)
        half = 0.35 * scale
        box = (x - half, ground - _STANDING_M * scale, x + half, ground)
        slots.append(Slot(box, scale, x, ground, light=_light(clean, np.array(box))))
    return slots


def _light(clean: CleanBackground, bbox_xyxy: np.ndarray) -> list[float]:
    light = estimate_light(clean.image, np.asarray(bbox_xyxy, np.float64))
    values = np.concatenate([light.ambient_rgb, light.directional_rgb, light.direction])
    return [round(float(v), 6) for v in values]


# -------------------------------------------------------------------------------------------------- textures


def texture_source(
    config: GenerateConfig,
    work: Path,
    body: BodyData,
    *,
    workers: int = 0,
    progress: Progress | None = None,
) -> TextureSource:
    """The textures of a job. With ``workers`` the dataset's own bank is baked first where it is missing."""
    appearance = config.appearance
    if appearance.kind == "bedlam":
        if appearance.bank is None:
            raise UserError(
                "config: appearance.kind bedlam needs 'appearance.bank', the folder of BEDLAM's textures"
            )
        return BedlamTextures(appearance.bank)
    if appearance.bank is not None:
        return TextureBank(appearance.bank)
    folder = work / "textures"
    if workers == 0 or progress is None:
        return TextureBank(folder)
    with progress.bar("textures", 14 * appearance.per_group) as tick:
        return bake_bank(
            folder,
            body,
            per_group=appearance.per_group,
            size=appearance.size,
            seed=config.seed,
            workers=workers,
            tick=tick,
        )
