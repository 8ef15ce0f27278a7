"""ProGait (ICCV 2025): videos of above-knee prosthesis users with 17 body points, 6 of the feet, and masks.

    ProGait/videos/{inside,outside}/TRIAL.mp4
    ProGait/annotations/{inside,outside}/TRIAL_keypoints.npy.gz    (frames, 23, 3): x, y (px), confidence
    ProGait/annotations/{inside,outside}/TRIAL_masks.npy.gz        (frames, height, width), above 0: the person

Read from its code, not from its files, which ask for consent. A point below confidence 0.7 is, by its own export,
not there. It has no residual ends, does not say on which side the prosthesis is (limb levels are unknown), marks
the prosthesis' joints as body joints and includes the prosthesis in masks: it measures the body, and silhouettes
of people with a prosthesis, not the residual limb.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ajahr.anatomy import COCO17, LDPOSE25
from ajahr.data.images import LoadedImage
from ajahr.data.readers.residual_people import Mask, ResidualPeople
from ajahr.errors import UserError
from ajahr.geometry.crops import box_from_points

SCENES = ("inside", "outside")
_POINTS, _SURE = 23, 0.7
_FEWEST = 4
"""Points of a person worth measuring."""


def read_progait(root: str | Path, *, name: str = "ProGait", every: int = 30) -> ResidualPeople:
    """One person a frame, every so many frames.

    Args:
        root: the dataset's folder.
        every: frames from one to the next that is read.

    Raises:
        UserError: no trial in it, a video that is missing, or annotations of another shape or damaged.
    """
    root = Path(root)
    if every < 1:
        raise UserError(f"every is {every}; give 1 or more frames")
    trials = [
        (scene, path.name.removesuffix("_keypoints.npy.gz"))
        for scene in SCENES
        for path in sorted((root / "annotations" / scene).glob("*_keypoints.npy.gz"))
    ]
    if not trials:
        raise UserError(f"{root}: no annotations/inside/*_keypoints.npy.gz in it; give ProGait's folder")
    frames: list[tuple[int, int]] = []
    points: list[np.ndarray] = []
    for number, (scene, trial) in enumerate(trials):
        path = root / "annotations" / scene / f"{trial}_keypoints.npy.gz"
        found = _array(path)
        if found.ndim != 3 or found.shape[1:] != (_POINTS, 3):
            raise UserError(f"{path}: is {found.shape}, expected (frames, {_POINTS}, 3); download it again")
        if not _video(root, scene, trial).is_file():
            raise UserError(f"{_video(root, scene, trial)}: no such file; download ProGait's videos too")
        for frame in range(0, len(found), every):
            body = found[frame, : len(COCO17)].astype(np.float64)
            labelled = (body[:, 2] >= _SURE) & np.isfinite(body).all(1)
            if labelled.sum() >= _FEWEST:
                frames.append((number, frame))
                rows = np.zeros((len(LDPOSE25), 3))
                rows[: len(COCO17)] = np.where(labelled[:, None], np.c_[body[:, :2] + 0.5, np.full(17, 2)], 0)
                points.append(rows)
    if not frames:
        raise UserError(f"{root}: not one frame has {_FEWEST} sure points; download its annotations again")
    boxes = [box_from_points(rows[rows[:, 2] > 0, :2], 1.0) for rows in points]
    count = len(frames)
    masks: dict[int, np.ndarray] = {}

    def picture(i: int) -> LoadedImage:
        scene, trial = trials[frames[i][0]]
        pixels = _frame(_video(root, scene, trial), frames[i][1])
        return LoadedImage(pixels, 1, (pixels.shape[1], pixels.shape[0]))

    def mask(i: int) -> Mask | None:
        number, frame = frames[i]
        scene, trial = trials[number]
        if number not in masks:
            masks.clear()  # one trial's are hundreds of megabytes
            path = root / "annotations" / scene / f"{trial}_masks.npy.gz"
            if not path.is_file():
                return None
            masks[number] = _array(path)
        found = masks[number]
        return None if frame >= len(found) else np.asarray(found[frame] > 0)

    names = [f"{trials[number][0]}/{trials[number][1]}" for number, _ in frames]
    return ResidualPeople(
        name,
        tuple(f"{trial}/{frame}" for trial, (_, frame) in zip(names, frames, strict=True)),
        tuple(names),
        np.array([np.concatenate([c - s / 2, c + s / 2]) for c, s in boxes], np.float64),
        np.stack(points),
        np.full((count, 4), -1),
        np.full(count, np.nan),
        None,
        picture,
        mask,
        ("no residual ends and no side: it measures the body and silhouettes, prosthesis included",),
    )


def _video(root: Path, scene: str, trial: str) -> Path:
    return root / "videos" / scene / f"{trial}.mp4"


def _array(path: Path) -> np.ndarray:
    try:
        with gzip.open(path, "rb") as file:
            return np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path}: damaged ({str(error).splitlines()[0]}); download it again") from None


def _frame(path: Path, number: int) -> UInt8[np.ndarray, "height width 3"]:
    capture = cv2.VideoCapture(str(path))
    try:
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        read, frame = capture.read()
    finally:
        capture.release()
    if not read:
        raise UserError(f"{path}: frame {number} cannot be read; download it again")
    return np.ascontiguousarray(frame[..., ::-1])
