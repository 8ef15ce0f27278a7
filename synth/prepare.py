"""Before the shards: clean backgrounds from the photographs, and textures. Made once, resumed after a kill."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ajahr.body.data import BodyData
from ajahr.data.files import make_folder, remove_stale, sha256_of
from ajahr.data.readers.people import Photo
from ajahr.errors import UserError
from synth.appearance.bank import TextureBank, bake_bank
from synth.appearance.bedlam import BedlamTextures
from synth.appearance.dealt import DealtTextures
from synth.appearance.source import TextureSource
from synth.background_bank import (
    BackgroundBank,
    Slot,
    bank_sha256,
    is_done,
    slot_to_json,
    write_drop,
    write_entry,
    write_left_out,
)
from synth.config import GenerateConfig
from synth.engine.local import map_processes
from synth.occluders.bank import OCCLUDERS, OccluderBank, make_bank
from synth.photo_list import PhotoTask, list_photos, photo_name
from synth.photos.backends.make import backends_of_this_process, check_backends, device_for, weights_of
from synth.photos.background import CleanBackground, prepare_clean, prepare_photo
from synth.photos.light import is_grey
from synth.pose_sources.bank import PoseBank
from synth.pose_sources.build import build_poses, file_sources, sources_sha256
from synth.progress import Progress
from synth.realism.traits import measure_photo, to_json
from synth.record import Drop
from synth.slots import invented_slots, person_slots
from synth.splits import photo_split, split_seed

BANK_NAME = "bank.json"
"""Says what a bank of its own was made from; it has its counts once it is finished."""
POSES = "poses"
"""Folder of the pose bank in a job's work folder."""
BACKGROUNDS = "backgrounds"
"""Folder of the clean pictures, in a bank or in a job's work folder."""


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
    found = BackgroundBank(bank / BACKGROUNDS)
    if not any(background.slots for background in found.backgrounds):
        raise UserError(f"{bank}: the bank has become empty; delete the folder and make the bank again")
    gone = [background.path.name for background in found.backgrounds if not background.path.is_file()]
    if gone:
        raise UserError(
            f"{bank}: {len(gone)} of its {len(found)} pictures are gone ({gone[0]}); run the same 'ajahr-synth "
            "backgrounds' again"
        )


def prepare_backgrounds(config: GenerateConfig, work: Path, workers: int, progress: Progress) -> None:
    """Fill the bank in a job's work folder with every photograph not done yet, or check the bank the job names.

    Raises:
        UserError: no photograph gives a background; the reasons are counted in the message.
    """
    if config.backgrounds.bank is not None:
        check_bank(config.backgrounds.bank)
        return
    folder = backgrounds_folder(config, work)
    tasks, left_out = list_photos(config)
    if not all(is_done(folder, task.index) for task in tasks):
        check_models(config)
    fill_bank(config, folder, tasks, workers, progress)
    write_left_out(folder, left_out)
    bank = BackgroundBank(folder)
    counts = ", ".join(f"{reason} {n}" for reason, n in sorted(bank.drops.items()))
    if counts:
        progress.note(f"dropped on the way: {counts}")
    if not any(background.slots for background in bank.backgrounds):
        raise UserError(
            f"no photograph gives a place for a person ({counts or 'no photographs'}); add others under 'photos'"
        )


def inputs_sha256(config: GenerateConfig) -> dict[str, str]:
    """What the files are that a dataset is made from and that its configuration only names.

    The photographs of a job of its own are not among them: there may be a hundred thousand.

    Raises:
        UserError: a file is not there.
    """
    found = {f"poses.sources {name}": digest for name, digest in sources_sha256(config).items()}
    if config.backgrounds.bank is not None:
        check_bank(config.backgrounds.bank)
        found["backgrounds.bank"] = bank_sha256(config.backgrounds.bank / BACKGROUNDS)
    if config.hard_cases.occluded_object and "coco" in config.hard_cases.objects:
        assert config.hard_cases.annotations is not None
        found["hard_cases.annotations"] = sha256_of(config.hard_cases.annotations)
    return found


def poses_folder(config: GenerateConfig, work: Path) -> Path | None:
    """Where the pose bank of a job is; None where no source is read from files."""
    return work / POSES if file_sources(config) else None


def work_drops(config: GenerateConfig, work: Path) -> dict[str, int]:
    """What was dropped before any shard, by reason: photographs, people in them (``person_``), poses (``pose_``)."""
    drops = Counter(open_backgrounds(config, work).drops)
    if config.hard_cases.occluded_object:
        drops += Counter(OccluderBank(work / OCCLUDERS).drops)
    return dict(drops + Counter(PoseBank(poses_folder(config, work)).drops))


def prepare_poses(config: GenerateConfig, work: Path, workers: int, progress: Progress) -> None:
    """Make the pose bank, once the backgrounds are there.

    Raises:
        UserError: a file is not of its format, or no source of poses has any.
    """
    folder = poses_folder(config, work)
    if folder is not None:
        build_poses(config, backgrounds_folder(config, work), folder, workers, progress)
    kinds = {source.kind for source in config.poses.sources if source.weight > 0}
    if kinds == {"smplify"} and not open_backgrounds(config, work).fitted:
        raise UserError(
            "poses.sources: nobody in the photographs has a fit to take the pose from; name another source, or "
            "photographs with keypoints (backgrounds.keypoints finds them)"
        )


def open_backgrounds(config: GenerateConfig, work: Path) -> BackgroundBank:
    """The backgrounds of a job's own split.

    Raises:
        UserError: none is left of them.
    """
    folder, shares = backgrounds_folder(config, work), config.split_shares
    bank = BackgroundBank(
        folder, keep=(lambda photo: photo_split(photo, shares) == config.split) if shares else None
    )
    if not len(bank):
        where = f" in split {config.split!r}" if shares else ""
        raise UserError(f"{folder}: no background{where}; the bank is empty, make it again")
    return bank


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
    """Put one photograph, or the first of its stand-ins that will do, into the bank; or note why none did."""
    reasons: list[str] = []
    for photo in (task.photo, *task.others):
        try:
            clean, slots = _cleaned(config, task, photo)
        except Drop as drop:
            reasons.append(drop.reason)
        else:
            skipped = Counter({f"person_{reason}": n for reason, n in clean.skipped_people.items()})
            skipped.update(f"frame_{reason}" for reason in reasons)
            path = task.path if photo is None else photo.path
            write_entry(folder, task.index, clean.image, _entry(clean, slots, path, task, skipped))
            break
    else:
        write_drop(folder, task.index, str(task.path.name), reasons[0])
    tick()


def _cleaned(
    config: GenerateConfig, task: PhotoTask, photo: Photo | None
) -> tuple[CleanBackground, list[Slot]]:
    """The photograph without people and the places in it. Drop when there are none."""
    options = config.backgrounds
    if photo is None:
        clean = prepare_clean(task.path, max_side=options.max_side, source=task.source, licence=task.licence)
        slots = invented_slots(clean, task.index)
    else:
        tools = backends_of_this_process(options, device_for(options, config.run.device))
        clean = prepare_photo(
            photo,
            segmenter=tools.segmenter,
            inpainter=tools.inpainter,
            detector=tools.detector,
            checker=tools.checker,
            distance=tools.distance,
            keypoints=tools.keypoints,
            max_side=options.max_side,
            ssim_min=options.ssim_min,
            max_people=options.max_people,
            min_person_px=options.min_person_px,
        )
        slots = person_slots(clean, config)
    if not slots:
        raise Drop("no_place_for_a_person")
    return clean, slots


def _entry(
    clean: CleanBackground, slots: list[Slot], path: Path, task: PhotoTask, skipped: Counter[str]
) -> dict[str, Any]:
    """What the bank says of a picture."""
    height, width = clean.image.shape[:2]
    return {
        "source": task.source,
        "photo": photo_name(path),
        "licence": task.licence,
        "width": width,
        "height": height,
        "scale": clean.scale,
        "ssim": clean.ssim,
        "lpips": clean.lpips,
        "grey": is_grey(clean.image),
        "traits": to_json(measure_photo(clean.image, clean.hole, clean.jpeg_quality)),
        "skipped": dict(sorted(skipped.items())),
        "slots": [slot_to_json(slot) for slot in slots],
    }


# ------------------------------------------------------------------------------------------- objects, textures


def prepare_occluders(config: GenerateConfig, work: Path) -> None:
    """Make the bank of objects that stand before people, where the job has any."""
    shares = config.split_shares
    if config.hard_cases.occluded_object:
        make_bank(
            work / OCCLUDERS,
            config.hard_cases,
            keep=lambda photo: not shares or photo_split(photo, shares) == config.split,
        )


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
        return _dealt(config, BedlamTextures(appearance.bank))
    if appearance.bank is not None:
        return _dealt(config, TextureBank(appearance.bank))
    # a bank of this dataset's own: the textures of another split have another seed
    folder = work / "textures"
    if workers == 0 or progress is None:
        return TextureBank(folder)
    with progress.bar("textures", 14 * appearance.per_group) as tick:
        return bake_bank(
            folder,
            body,
            per_group=appearance.per_group,
            size=appearance.size,
            seed=split_seed(config.seed, config.split, config.split_shares),
            workers=workers,
            tick=tick,
        )


def _dealt(config: GenerateConfig, bank: TextureSource) -> TextureSource:
    """Of a bank that several datasets share, the textures of this one's split."""
    return DealtTextures(bank, config.split, config.split_shares) if config.split_shares else bank
