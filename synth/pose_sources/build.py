"""Make the pose bank of a job: read every source in parallel, drop what is no pose, match fits to photographs.

A part is a piece of one source: a pure function of its files, renamed into place when whole, so that a killed run
goes on with the parts that are missing. The bank is written from the parts in their order.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.data.files import AtomicFile, make_folder, remove_stale, sha256_of, write_atomic
from ajahr.data.npz import npz_bytes, read_npz
from ajahr.errors import UserError
from ajahr.poses.limits import violation
from ajahr.poses.penetration import penetration
from synth.background_bank import BackgroundBank
from synth.config import GenerateConfig
from synth.engine.local import map_processes
from synth.photos.h36m import camera_in, camera_of
from synth.pose_sources.bank import BANK_NAME, PLACE_DTYPE, PoseBank
from synth.pose_sources.config import FILE_KINDS, MOCAP_KINDS, PoseSourceConfig
from synth.pose_sources.fits import FitRows, hmr2_length, photo_key, read_hmr2, read_scorehmr
from synth.pose_sources.matching import Matcher, Placement, match_rows
from synth.pose_sources.mocap import choose_up, read_sequences, sequences, upright
from synth.pose_sources.predictions import read_predictions
from synth.progress import Progress

_ROWS = 20_000
"""Rows of an annotation in one part."""
_FILES = 32
"""Sequences in one part."""
_MAX_BETA = 3.0
"""Fits with a beta beyond it keep no shape, as in HMR2."""


@dataclass(frozen=True)
class PoseTask:
    """A piece of one source: some sequences, or some rows of a file."""

    index: int
    source: int
    files: tuple[Path, ...]
    first: int = 0
    last: int | None = None


def file_sources(config: GenerateConfig) -> list[PoseSourceConfig]:
    """The sources that are read from files, those that are never drawn left out."""
    return [source for source in config.poses.sources if source.kind in FILE_KINDS and source.weight > 0]


def list_tasks(config: GenerateConfig) -> list[PoseTask]:
    """Every piece of every source in order.

    Raises:
        UserError: a file is not there or not of its format.
    """
    tasks: list[PoseTask] = []
    for number, source in enumerate(file_sources(config)):
        assert source.path is not None
        if source.kind in MOCAP_KINDS:
            files = sequences(source.path, cast(Literal["amass", "moyo"], source.kind))
            pieces: list[dict[str, Any]] = [
                {"files": tuple(files[i : i + _FILES])} for i in range(0, len(files), _FILES)
            ]
        elif source.kind == "hmr2":
            rows = hmr2_length(source.path)
            pieces = [
                {"files": (source.path,), "first": i, "last": min(i + _ROWS, rows)}
                for i in range(0, max(rows, 1), _ROWS)
            ]
        else:
            if not source.path.exists():
                raise UserError(
                    f"{source.path}: no such file; check the path of poses.sources {source.label}"
                )
            pieces = [{"files": (source.path,)}]
        tasks += [PoseTask(len(tasks) + i, number, **piece) for i, piece in enumerate(pieces)]
    return tasks


def sources_sha256(config: GenerateConfig) -> dict[str, str]:
    """What the files of each source are: of a file its SHA-256, of a folder that of its listing with sizes.

    Raises:
        UserError: a file or folder is not there.
    """
    found = {}
    for source in file_sources(config):
        assert source.path is not None
        if source.kind in MOCAP_KINDS or source.path.is_dir():
            if source.kind in MOCAP_KINDS:
                files = sequences(source.path, cast(Literal["amass", "moyo"], source.kind))
            else:
                files = sorted(source.path.rglob("*.json"))
            root = source.path if source.path.is_dir() else source.path.parent
            listing = "\n".join(
                f"{path.relative_to(root).as_posix()} {path.stat().st_size}" for path in files
            )
            found[source.label] = hashlib.sha256(listing.encode()).hexdigest()
            continue
        parts = [path for path in (source.path, source.annotations) if path is not None]
        for path in parts:
            if not path.is_file():
                raise UserError(f"{path}: no such file; check the path of poses.sources {source.label}")
        found[source.label] = " ".join(sha256_of(path) for path in parts)
    return found


def build_poses(
    config: GenerateConfig, backgrounds: Path, folder: Path, workers: int, progress: Progress
) -> None:
    """Make the bank in ``folder``, unless it is there.

    Args:
        config: The job.
        backgrounds: Folder of its backgrounds, finished.
        folder: Of the bank.
        workers: Processes.
        progress: Bar and notes.

    Raises:
        UserError: a file is not of its format, or a source has no pose left.
    """
    if not file_sources(config) or (folder / BANK_NAME).exists():
        return
    tasks = list_tasks(config)
    make_folder(folder)
    remove_stale(folder)
    todo = [(config, backgrounds, folder, task) for task in tasks if not _part(folder, task.index).exists()]
    with progress.bar("poses", len(todo)) as tick:
        map_processes(make_part, todo, workers, tick)
    _write_bank(config, folder, tasks)
    bank = PoseBank(folder)
    if bank.drops:
        counts = ", ".join(f"{reason} {n}" for reason, n in sorted(bank.drops.items()))
        progress.note(f"poses left out: {counts}")
    for task in tasks:
        _part(folder, task.index).unlink(missing_ok=True)
    shutil.rmtree(folder / "parts", ignore_errors=True)


# ---------------------------------------------------------------------------------------------------- parts


def _part(folder: Path, index: int) -> Path:
    return folder / "parts" / f"{index:06d}.npz"


def make_part(
    config: GenerateConfig, backgrounds: Path, folder: Path, task: PoseTask, tick: Callable[[], None]
) -> None:
    """Read one piece and write what is good of it."""
    source = file_sources(config)[task.source]
    if source.kind in MOCAP_KINDS:
        found = read_sequences(task.files, cast(Literal["amass", "moyo"], source.kind), source.stride)
        good, dropped = plausible(found.pose_rotvec, source)
        poses, betas = found.pose_rotvec[good], np.full((int(good.sum()), 10), np.nan, np.float32)
        places, up = np.zeros(0, PLACE_DTYPE), found.up_sum
        dropped = found.dropped + dropped
    else:
        fit = _read(source, task)
        good, dropped = plausible(fit.pose_rotvec, source)
        fit = fit.kept(good, dropped)
        places, unplaced = _places(config, backgrounds, fit)
        usual = np.nan_to_num(np.abs(fit.betas)).max(1, initial=0) <= _MAX_BETA
        poses, betas = fit.pose_rotvec, np.where(usual[:, None], fit.betas, np.nan).astype(np.float32)
        up, dropped = (
            np.zeros(3),
            Counter(fit.dropped) + Counter({f"unplaced_{k}": n for k, n in unplaced.items()}),
        )
    arrays = {
        "poses": poses.astype(np.float32),
        "betas": betas,
        "up": up.astype(np.float64),
        "places": places,
        "reasons": np.array(sorted(dropped), np.str_) if dropped else np.zeros(0, "<U1"),
        "counts": np.array([dropped[reason] for reason in sorted(dropped)], np.int64),
    }
    make_folder(folder / "parts")
    write_atomic(_part(folder, task.index), npz_bytes(arrays))
    tick()


def _read(source: PoseSourceConfig, task: PoseTask) -> FitRows:
    (path,) = task.files
    if source.kind == "hmr2":
        return read_hmr2(path, slice(task.first, task.last))
    if source.kind == "scorehmr":
        return read_scorehmr(path, source.annotations)
    return read_predictions(path)


def plausible(poses: np.ndarray, source: PoseSourceConfig) -> tuple[np.ndarray, Counter[str]]:
    """Which poses (n, 24, 3) people can take, and counts of the others.

    ``not_finite``; ``penetrates``: a limb goes deeper through the body than flesh gives way; ``out_of_range``: a
    joint is further beyond its range of motion than fits err.
    """
    finite = np.asarray(np.isfinite(poses).all((1, 2)))
    body = np.where(finite[:, None, None], poses, 0)[:, 1:].astype(np.float64)
    within = np.ones(len(poses), bool)
    if len(poses):
        within = np.rad2deg(violation(body)).max(1) <= source.max_violation_deg
    apart = np.array([not good or penetration(pose)[0] <= source.max_penetration
                      for pose, good in zip(body, finite & within, strict=True)], bool)  # fmt: skip
    dropped = Counter(
        not_finite=int((~finite).sum()),
        out_of_range=int((finite & ~within).sum()),
        penetrates=int((finite & within & ~apart).sum()),
    )
    return np.asarray(finite & within & apart), +dropped


def _places(config: GenerateConfig, folder: Path, fit: FitRows) -> tuple[np.ndarray, Counter[str]]:
    """`PLACE_DTYPE` rows of the fits whose photograph is among the backgrounds, rows counted in this part."""
    backgrounds = BackgroundBank(folder).backgrounds
    by_name: dict[str, list[int]] = {}
    by_camera: dict[str, list[int]] = {}
    for number, background in enumerate(backgrounds):
        by_name.setdefault(photo_key(background.photo), []).append(number)
        camera = camera_in(background.photo)
        if camera is not None:
            by_camera.setdefault(camera, []).append(number)
    rows: list[tuple[int, int, bool]] = []
    for row, image in enumerate(fit.images):
        camera = camera_of(Path(image)) if by_camera else None
        if camera in by_camera:
            rows += [(row, number, True) for number in by_camera[camera]]
        else:
            rows += [(row, number, False) for number in by_name.get(photo_key(image), ())]
    if not rows:
        return np.zeros(0, PLACE_DTYPE), Counter()
    matcher = Matcher(FastBody(load_body(config.body)), own_shape=config.body is not None)
    found, reasons = match_rows(matcher, fit, rows, backgrounds)
    return np.array(
        [_place(row, int(backgrounds[number].name), placed) for row, number, placed in found], PLACE_DTYPE
    ), reasons


def _place(row: int, background: int, placed: Placement) -> tuple[Any, ...]:
    return (
        background,
        placed.slot,
        0,
        row,
        placed.px_per_m,
        *placed.pelvis_px,
        placed.ground_y,
        placed.overlap,
    )


# ---------------------------------------------------------------------------------------------------- bank


def _write_bank(config: GenerateConfig, folder: Path, tasks: list[PoseTask]) -> None:
    """The parts one after another; ``bank.json`` comes last."""
    sources = file_sources(config)
    described, kept_rows, places = [], [], []
    drops: Counter[str] = Counter()
    first = 0
    for number, source in enumerate(sources):
        parts = [(task, read_npz(_part(folder, task.index))) for task in tasks if task.source == number]
        total = sum(len(part["poses"]) for _, part in parts)
        for _, part in parts:
            counts = zip(part["reasons"].tolist(), part["counts"].tolist(), strict=True)
            drops.update({f"pose_{source.label}_{reason}": n for reason, n in counts})
        if not total:
            told = ", ".join(f"{k} {n}" for k, n in sorted(drops.items())) or "nothing in it"
            raise UserError(
                f"{source.path}: no pose of {source.label} can be used ({told}); give another file"
            )
        keep = np.arange(total)
        if source.limit is not None and source.limit < total:
            keep = np.linspace(0, total - 1, source.limit).round().astype(np.int64)
        place_of = np.full(total, -1, np.int64)
        place_of[keep] = first + np.arange(len(keep))
        offset = 0
        for task, part in parts:
            rows = place_of[offset : offset + len(part["poses"])]
            found = part["places"].copy()
            found["source"] = number
            found["row"] = rows[found["row"]]
            places.append(found[found["row"] >= 0])
            kept_rows.append((task, rows, number))
            offset += len(rows)
        up = choose_up(sum((part["up"] for _, part in parts), np.zeros(3)), source.up_axis)
        described.append(
            {
                "name": source.label,
                "kind": source.kind,
                "first": first,
                "count": len(keep),
                "up": up if source.kind in MOCAP_KINDS else None,
            }
        )
        first += len(keep)
    chosen, rivals = _one_each(np.concatenate([*places, np.zeros(0, PLACE_DTYPE)]))
    for number, source in enumerate(sources):
        if rivals[number]:
            drops[f"pose_{source.label}_unplaced_someone_nearer"] += rivals[number]
    _write_rows(folder, "poses.npy", (first, 24, 3), _poses(folder, kept_rows, described))
    _write_rows(folder, "betas.npy", (first, 10), _betas(folder, kept_rows))
    write_atomic(folder / "places.npy", _npy(chosen))
    tree = {"version": 1, "sources": described, "places": len(chosen), "drops": dict(sorted(drops.items()))}
    write_atomic(folder / BANK_NAME, (json.dumps(tree, indent=1) + "\n").encode())


def _one_each(places: np.ndarray) -> tuple[np.ndarray, Counter[int]]:
    """Each person of a photograph keeps the fit that overlaps most, each source by itself; the order is fixed."""
    order = np.lexsort(
        (places["row"], -places["overlap"], places["source"], places["slot"], places["background"])
    )
    places = places[order]
    keys = places[["background", "slot", "source"]]
    first = np.ones(len(places), bool)
    first[1:] = keys[1:] != keys[:-1]
    keep = first | (places["slot"] < 0)
    return places[keep], Counter(places["source"][~keep].tolist())


def _poses(
    folder: Path, kept: list[tuple[PoseTask, np.ndarray, int]], described: list[dict[str, Any]]
) -> Iterator[np.ndarray]:
    for task, rows, number in kept:
        poses = read_npz(_part(folder, task.index))["poses"][rows >= 0]
        up = described[number]["up"]
        if up is not None and len(poses):
            poses[:, 0] = upright(poses[:, 0], up)
        yield poses


def _betas(folder: Path, kept: list[tuple[PoseTask, np.ndarray, int]]) -> Iterator[np.ndarray]:
    for task, rows, _ in kept:
        yield read_npz(_part(folder, task.index))["betas"][rows >= 0]


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, (1, 0), allow_pickle=False)
    return buffer.getvalue()


def _write_rows(folder: Path, name: str, shape: tuple[int, ...], pieces: Iterator[np.ndarray]) -> None:
    """A ``.npy`` of float32 from pieces that never are in memory all at once."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with AtomicFile(folder / name) as file:
        file.write(header.getvalue())
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, "<f4").tobytes())
        file.publish()
