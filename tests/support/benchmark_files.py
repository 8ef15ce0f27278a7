"""Small benchmarks in their published formats, with pictures, for the tests of evaluation."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.geometry.rotations_np import rotvec_to_rotmat

FACING = np.array([np.pi, 0.0, 0.0])


def picture(path: Path, size: tuple[int, int] = (96, 128)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 255, (size[1], size[0], 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def poses(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(count, 24, 3) rotation vectors of people facing the camera, and betas."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 0.2, (count, 24, 3))
    pose[:, 0] = FACING
    return pose, rng.normal(0, 0.5, (count, 10))


def hmr2_columns(names: list[str], gender: str = "neutral") -> dict[str, np.ndarray]:
    """Keys of 4D-Humans' files (facts 3.1), 3D joints of the embedded body of that gender."""
    count = len(names)
    pose, betas = poses(count)
    body = FastBody(load_body(gender=gender))
    joints = np.stack([body(b, rotvec_to_rotmat(p)).keypoints_44 for b, p in zip(betas, pose, strict=True)])
    labelled = np.concatenate([joints, np.ones((count, 44, 1))], 2)
    points = np.random.default_rng(1).uniform(20, 90, (count, 44, 3))
    points[..., 2] = 1
    return {
        "imgname": np.array(names),
        "center": np.full((count, 2), 48.0),
        "scale": np.full((count, 1), 100.0),
        "body_pose": pose.reshape(count, 72),
        "has_body_pose": np.ones(count),
        "betas": betas,
        "has_betas": np.ones(count),
        "body_keypoints_2d": points[:, :25],
        "extra_keypoints_2d": points[:, 25:],
        "body_keypoints_3d": labelled[:, :25],
        "extra_keypoints_3d": labelled[:, 25:],
        "gender": np.array([gender] * count),
    }


def write_hmr2(path: Path, names: list[str], images: Path, **changes: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {**hmr2_columns(names), **changes}
    save: Any = np.savez  # object columns (labels) as the published files have them
    save(path, **columns)
    for name in names:
        picture(images / name)
    return path


def write_a3d(root: Path) -> Path:
    """COCO_val: an intact person and two who lost a limb, by their pictures' names."""
    names = ["amp_12_000.png", "amp_8_001.png", "amp_2_002.png"]
    write_hmr2(root / "COCO_val/annotation/a3d.npz", names, root / "COCO_val/Images")
    return root


def write_itw(root: Path) -> Path:
    labels = np.empty(2, object)
    labels[:] = [[8, 11], [12]]
    return write_hmr2(root / "itw.npz", ["a.png", "b.png"], root / "Images", labels=labels)


def write_3dpw(root: Path) -> Path:
    """`3dpw_test.npz` of two sequences."""
    names = [f"imageFiles/{sequence}/image_{n:05d}.jpg" for sequence in ("bar_00", "car_01") for n in (0, 1)]
    return write_hmr2(root / "3dpw_test.npz", names, root, gender=np.array(["m", "m", "f", "f"]))


def write_emdb(root: Path) -> Path:
    """One sequence file of EMDB-1."""
    pose, betas = poses(2)
    content = {
        "gender": "female", "name": "P0_09", "emdb1": True, "emdb2": False, "n_frames": 2,
        "good_frames_mask": np.ones(2, bool),
        "camera": {"intrinsics": np.diag([100.0, 100, 1]), "extrinsics": np.tile(np.eye(4), (2, 1, 1)),
                   "width": 96, "height": 128},
        "smpl": {"poses_root": pose[:, 0], "poses_body": pose[:, 1:].reshape(2, 69), "trans": np.zeros((2, 3)),
                 "betas": betas[0]},
        "kp2d": np.full((2, 24, 2), 40.0),
        "bboxes": {"bboxes": np.tile([10.0, 10, 80, 120], (2, 1)), "invalid_idxs": np.array([], int)},
    }  # fmt: skip
    folder = root / "P0" / "09"
    for frame in range(2):
        picture(folder / "images" / f"{frame:05d}.jpg")
    (folder / "P0_09_data.pkl").write_bytes(pickle.dumps(content))
    return root


def write_3doh(root: Path) -> Path:
    pose, betas = poses(2)
    entries = {}
    for n in range(2):
        picture(root / "testset/images" / f"{n}.jpg")
        entries[str(n)] = {
            "img_path": f"images\\{n}.jpg", "bbox": [[10.0, 10], [80, 120]], "pose": pose[n].reshape(1, 72).tolist(),
            "betas": betas[n][None].tolist(), "trans": [[0.0, 0, 3]],
            "smpl_joints_2d": np.full((24, 2), 40.0).tolist(), "lsp_joints_2d": np.full((14, 2), 40.0).tolist(),
            "intri": [[100.0, 0, 48], [0, 100, 64], [0, 0, 1]], "extri": np.eye(4).tolist(),
        }  # fmt: skip
    (root / "testset/annots.json").write_text(json.dumps(entries))
    return root
