"""A person in a photograph, and files of every kind of fit of them, in the exact formats."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.rotations_np import rotation_about, rotmat_to_rotvec, rotvec_to_rotmat
from synth.background_bank import Background, Slot, slot_to_json, write_entry

PHOTO_SIZE = (640, 480)
SCALE = 0.5
"""Of the background to the photograph."""
SMPL_PELVIS = np.array([-0.0018, -0.2233, 0.0282])


@cache
def body() -> FastBody:
    return FastBody(load_body())


@dataclass(frozen=True, eq=False)
class Stander:
    """Somebody in a photograph of `PHOTO_SIZE`: pelvis at ``pelvis_px`` (photograph), ``px_per_m`` px a metre."""

    pose: np.ndarray
    pelvis_px: tuple[float, float]
    px_per_m: float

    def pixels(self, points: np.ndarray) -> np.ndarray:
        return self.px_per_m * points[..., :2] + np.array(self.pelvis_px)

    @property
    def posed(self):
        return body()(np.zeros(10, np.float32), rotvec_to_rotmat(self.pose).astype(np.float32))

    @property
    def box(self) -> np.ndarray:
        points = self.pixels(self.posed.vertices - self.posed.joints[0])
        return np.concatenate([points.min(0), points.max(0)])

    @property
    def keypoints(self) -> np.ndarray:
        """J44, all seen."""
        points = self.pixels(self.posed.keypoints_44 - self.posed.joints[0])
        return np.concatenate([points, np.ones((44, 1))], 1)

    def translation(self, focal_length: float) -> np.ndarray:
        """Of SMPL's origin before the photograph's camera."""
        middle = np.array(PHOTO_SIZE) / 2
        offset = (np.array(self.pelvis_px) - middle) / self.px_per_m
        return np.array([*offset, focal_length / self.px_per_m]) - SMPL_PELVIS

    def crop_camera(self, centre: tuple[float, float], side: float) -> list[float]:
        """(s, tx, ty) of SMPL's origin in a square crop."""
        t = (np.array(self.pelvis_px) - np.array(centre)) / self.px_per_m - SMPL_PELVIS[:2]
        return [2 * self.px_per_m / side, *t]


def stander(x: float = 200.0, y: float = 240.0, px_per_m: float = 160.0, seed: int = 0) -> Stander:
    """Somebody upright, facing the camera a little askew, arms hanging."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((24, 3))
    root = np.diag([1.0, -1.0, -1.0]) @ rotation_about(1, rng.uniform(-0.6, 0.6))
    pose[0] = rotmat_to_rotvec(root)
    pose[16, 2], pose[17, 2] = -1.1, 1.1  # arms down
    pose[4, 0] = rng.uniform(0.1, 0.6)  # a bent knee
    return Stander(pose, (x, y), px_per_m)


def write_background(
    folder: Path, index: int, photo: str, people: list[Stander], ids: list[str] | None = None
) -> None:
    """The photograph's entry in a bank of backgrounds, half its size, a place where each person stood."""
    slots = []
    for n, person in enumerate(people):
        x0, y0, x1, y1 = (SCALE * person.box).tolist()
        # the scale guessed from a box is not that of the fit
        slot = Slot((x0, y0, x1, y1), 55.0, (x0 + x1) / 2, y1, source_id=(ids or [""] * 9)[n])
        slots.append(slot_to_json(slot))
    width, height = (round(SCALE * side) for side in PHOTO_SIZE)
    entry = {
        "source": "coco", "photo": photo, "licence": "x", "width": width, "height": height, "scale": SCALE,
        "ssim": 1.0, "lpips": None, "grey": False, "slots": slots,
    }  # fmt: skip
    write_entry(folder, index, np.full((height, width, 3), 100, np.uint8), entry)


def background(photo: str, people: list[Stander], folder: Path, **options) -> Background:
    from synth.background_bank import BackgroundBank

    write_background(folder, 0, photo, people, **options)
    return BackgroundBank(folder).backgrounds[0]


def write_hmr2(path: Path, people: list[Stander], images: list[str], **columns: np.ndarray) -> Path:
    """HMR2's annotation: object ``imgname``, (N, 2) ``center``, ``scale`` of 1.2 boxes in px."""
    n = len(people)
    boxes = np.array([person.box for person in people]).reshape(n, 4)
    keypoints = np.array([person.keypoints for person in people]).reshape(n, 44, 3)
    arrays = {
        "imgname": np.array(images, object),
        "center": (boxes[:, :2] + boxes[:, 2:]) / 2,
        "scale": 1.2 * (boxes[:, 2:] - boxes[:, :2]),
        "body_pose": np.array([person.pose.ravel() for person in people]),
        "has_body_pose": np.ones(n),
        "betas": np.full((n, 10), 0.5),
        "has_betas": np.ones(n),
        "body_keypoints_2d": keypoints[:, :25],
        "extra_keypoints_2d": keypoints[:, 25:],
        "extra_info": np.array([{}] * n, object),
        **columns,
    }
    np.savez(path, **arrays)
    return path


def prediction(someone: Stander, image: str, **changes: object) -> dict:
    """One entry of our JSON, with the photograph's camera."""
    return {
        "image": image,
        "bbox_xyxy": someone.box.tolist(),
        "global_orient": someone.pose[0].tolist(),
        "body_pose": someone.pose[1:].tolist(),
        "betas": [0.5] * 10,
        "camera": {
            "kind": "full",
            "translation": someone.translation(5000.0).tolist(),
            "focal_length": 5000.0,
        },
        **changes,
    }


def write_predictions(path: Path, people: list[dict], **changes: object) -> Path:
    tree = {"format": "ajahr-predictions", "version": 1, "model": "made", "people": people, **changes}
    path.write_text(json.dumps(tree))
    return path


def write_scorehmr(path: Path, people: list[Stander]) -> Path:
    """ScoreHMR's results: its npz keys, or in a pickle the dict its sampler returns."""
    rotmat = np.array([rotvec_to_rotmat(person.pose) for person in people]).reshape(-1, 24, 3, 3)
    translation = np.array([person.translation(5000.0) for person in people])
    if path.suffix == ".npz":
        np.savez(
            path, pred_pose=rotmat, pred_betas=np.zeros((len(people), 10)), pred_cam_t=translation,
            pred_cam=np.zeros((len(people), 3)),
        )  # fmt: skip
    else:
        arrays = {
            "global_orient": rotmat[:, None, :1], "body_pose": rotmat[:, None, 1:],
            "betas": np.zeros((len(people), 1, 10)), "camera_translation": translation,
        }  # fmt: skip
        path.write_bytes(pickle.dumps(arrays))
    return path


def captured(frames: int, z_up: bool, seed: int = 0) -> np.ndarray:
    """(frames, 66): somebody upright turning on the spot, root first, in a world whose z or y points up."""
    rng = np.random.default_rng(seed)
    world = rotation_about(0, np.pi / 2) if z_up else np.eye(3)
    pose = np.zeros((frames, 22, 3))
    for i in range(frames):
        lean = rotation_about(0, rng.normal(0, 0.15))
        pose[i, 0] = rotmat_to_rotvec(world @ rotation_about(1, 0.1 * i) @ lean)
    pose[:, 16, 2], pose[:, 17, 2] = -1.1, 1.1
    return pose.reshape(frames, 66)


def write_amass(path: Path, poses: np.ndarray) -> Path:
    """A sequence of SMPL+H: 156 columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    full = np.zeros((len(poses), 156))
    full[:, :66] = poses
    np.savez(
        path, poses=full, trans=np.zeros((len(poses), 3)), betas=np.zeros(16), gender="female",
        mocap_framerate=120.0,
    )  # fmt: skip
    return path


def write_moyo(path: Path, poses: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"global_orient": poses[:, :3], "body_pose": poses[:, 3:], "transl": np.zeros((len(poses), 3))}
    path.write_bytes(pickle.dumps(arrays))
    return path
