"""Fits made on photographs, as their files have them: HMR2's annotations, ScoreHMR's results.

Nothing in a file is executed: arrays load with ``allow_pickle=False``, names kept as Python objects and pickles
by allow-lists.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from ajahr.data.pose_banks.joblib_file import read_joblib
from ajahr.data.readers.npz_file import read_columns, strings
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import is_absent, rotmat_to_rotvec

BOX_SCALE = 1.2
"""HMR2's enlargement of a person's box, where a file does not say otherwise."""
SMPL_PELVIS_M = np.array([-0.0018, -0.2233, 0.0282])
"""SMPL's neutral mean pelvis in its model frame; it stays there whatever the root's rotation."""
SCOREHMR_FOCAL_PX = 5000.0
"""ScoreHMR's focal length over the whole photograph, whatever its size."""
_COCO_2014 = re.compile(r"COCO_(?:train|val|test)2014_(\d{12})")
_ROW_ARRAYS = (
    "pose_rotvec", "betas", "box_xyxy", "keypoints_2d", "translation", "focal_length", "crop_camera",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class FitRows:
    """Fits, a row each. NaN where a file does not say.

    Attributes:
        pose_rotvec: Root first, camera frame.
        betas: NaN without.
        images: Name of each photograph.
        box_xyxy: Tight box of the person, px of the photograph.
        keypoints_2d: J44, px and confidence.
        translation: Of the body before the photograph's camera, m; the principal point is the centre.
        focal_length: Of that camera, px.
        crop_camera: Pixels a metre, and where the body's origin is, px: (n, 3).
        people: The annotation's own number of the person; empty where the file names none.
        dropped: Rows that are left out, by reason.
    """

    pose_rotvec: Float32[np.ndarray, "rows 24 3"]
    betas: Float32[np.ndarray, "rows 10"]
    images: Sequence[str]
    box_xyxy: Float32[np.ndarray, "rows 4"]
    keypoints_2d: Float32[np.ndarray, "rows 44 3"]
    translation: Float32[np.ndarray, "rows 3"]
    focal_length: Float32[np.ndarray, " rows"]
    crop_camera: Float32[np.ndarray, "rows 3"]
    people: Sequence[str]
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.pose_rotvec)

    def kept(self, good: np.ndarray, dropped: Mapping[str, int]) -> FitRows:
        """The rows where ``good``, with the reasons of the others."""
        index = np.flatnonzero(good)
        rows: list[int] = index.tolist()
        arrays = {name: getattr(self, name)[index] for name in _ROW_ARRAYS}
        counts = dict(Counter(self.dropped) + Counter(dropped))
        images, people = [self.images[i] for i in rows], [self.people[i] for i in rows]
        return FitRows(images=images, people=people, dropped=counts, **arrays)


def make_rows(
    pose: Float[np.ndarray, "rows 24 3"],
    images: Sequence[str],
    *,
    betas: np.ndarray | None = None,
    box_xyxy: np.ndarray | None = None,
    keypoints_2d: np.ndarray | None = None,
    translation: np.ndarray | None = None,
    focal_length: np.ndarray | None = None,
    crop_camera: np.ndarray | None = None,
    people: Sequence[str] | None = None,
) -> FitRows:
    """Rows out of what a file has."""
    n = len(pose)

    def or_nan(array: np.ndarray | None, *shape: int) -> np.ndarray:
        if array is None:
            return np.full((n, *shape), np.nan, np.float32)
        return np.asarray(array, np.float32).reshape(n, *shape)

    return FitRows(
        np.asarray(pose, np.float32),
        or_nan(betas, 10),
        images,
        or_nan(box_xyxy, 4),
        np.nan_to_num(or_nan(keypoints_2d, 44, 3)),
        or_nan(translation, 3),
        or_nan(focal_length),
        or_nan(crop_camera, 3),
        people or [""] * n,
        {},
    )


def photo_key(image: str) -> str:
    """What a photograph is called in any file: its stem, COCO 2014's without their prefix."""
    stem = Path(image.replace("\\", "/")).stem
    found = _COCO_2014.fullmatch(stem)
    return found[1] if found else stem


# ------------------------------------------------------------------------------------------------ HMR2's npz

_HMR2_KEYS = (
    "imgname", "body_pose", "center", "scale", "has_body_pose", "betas", "has_betas",
    "body_keypoints_2d", "extra_keypoints_2d",
)  # fmt: skip


def hmr2_length(path: Path) -> int:
    """Rows of an HMR2 annotation.

    Raises:
        UserError: no whole .npz, or one without ``imgname``.
    """
    return len(read_columns(path, ("imgname",))["imgname"])


def read_hmr2(path: Path, rows: slice = slice(None)) -> FitRows:
    """Fits of an HMR2/4D-Humans annotation, A3D's COCO style included.

    Rows without a fit (``has_body_pose`` 0) are counted as ``no_fit``. Boxes are (center, scale), scale in px.

    Raises:
        UserError: truncated or foreign file, arrays of different lengths.
    """
    arrays = read_columns(path, _HMR2_KEYS[:2], _HMR2_KEYS[2:])
    _same_length(arrays, path)
    arrays = {key: value[rows] for key, value in arrays.items()}
    pose = np.asarray(arrays["body_pose"], np.float32)
    n = len(pose)
    if pose.reshape(n, -1).shape[1] != 72 and n:
        raise UserError(f"{path}: body_pose is {pose.shape}; 24 joints make 72 columns")
    found = make_rows(
        pose.reshape(n, 24, 3),
        strings(arrays, "imgname", n, path),
        betas=_betas(arrays, n, path),
        box_xyxy=_boxes(arrays, n),
        keypoints_2d=_keypoints(arrays, n),
    )
    has = np.asarray(arrays.get("has_body_pose", np.ones(n))).reshape(n, -1)[:, :1].ravel() > 0
    return found.kept(has, {"no_fit": int((~has).sum())})


def _same_length(arrays: Mapping[str, Any], path: Path) -> None:
    lengths = {key: len(value) for key, value in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} {n}" for key, n in lengths.items())
        raise UserError(f"{path}: its arrays are of different lengths ({told}); get the file again")


def _betas(arrays: Mapping[str, Any], n: int, path: Path) -> np.ndarray | None:
    if "betas" not in arrays:
        return None
    betas = np.asarray(arrays["betas"], np.float32).reshape(n, -1)
    if betas.shape[1] < 10:
        raise UserError(f"{path}: betas is {betas.shape}, not (N, 10); get the file again")
    has = np.asarray(arrays.get("has_betas", np.ones(n))).reshape(n, -1)[:, :1] > 0
    return np.where(has, betas[:, :10], np.nan)


def _boxes(arrays: Mapping[str, Any], n: int) -> np.ndarray | None:
    if "center" not in arrays or "scale" not in arrays:
        return None
    centre = np.asarray(arrays["center"], np.float32).reshape(n, 2)
    size = np.asarray(arrays["scale"], np.float32).reshape(n, -1) / BOX_SCALE
    size = np.broadcast_to(size, (n, 2)) if size.shape[1] == 1 else size[:, :2]
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _keypoints(arrays: Mapping[str, Any], n: int) -> np.ndarray:
    body = np.asarray(arrays.get("body_keypoints_2d", np.zeros((n, 25, 3))), np.float32).reshape(n, 25, 3)
    extra = np.asarray(arrays.get("extra_keypoints_2d", np.zeros((n, 19, 3))), np.float32).reshape(n, 19, 3)
    return np.concatenate([body, extra], axis=1)


# ------------------------------------------------------------------------------------------ ScoreHMR's results

_SCOREHMR = {
    "pose": ("pred_pose",),
    "root": ("global_orient", "pred_global_orient"),
    "body": ("body_pose", "smpl_pose", "pred_body_pose"),
    "betas": ("pred_betas", "betas", "smpl_shape"),
    "translation": ("pred_cam_t", "camera_translation", "cam_t"),
    "imgname": ("imgname",),
    "center": ("center",),
    "scale": ("scale",),
}  # fmt: skip


def read_scorehmr(path: Path, annotations: Path | None = None) -> FitRows:
    """ScoreHMR's results, in the keys its code uses.

    ScoreHMR fits the rows of an annotation file in their order. Poses are ``pred_pose`` (N, 24, 3, 3), or
    ``global_orient`` (N, [1,] 1, 3, 3) and ``body_pose`` or ``smpl_pose`` (N, [1,] 23, 3, 3), one sample each;
    ``pred_betas``, ``betas`` or ``smpl_shape``; ``pred_cam_t``, ``camera_translation`` or ``cam_t`` is the
    translation before a camera of 5000 px over the whole photograph. A3D's H36M style is of this form.

    Args:
        path: An .npz, or a pickle of a dict of numpy arrays.
        annotations: HMR2's .npz of the same rows: names, boxes and keypoints, where ``path`` has no ``imgname``.

    Raises:
        UserError: truncated or foreign file, or one of another number of rows than the annotations.
    """
    arrays = _scorehmr_arrays(path)
    pose = _scorehmr_pose(arrays, path)
    n = len(pose)
    named: Mapping[str, Any] = arrays
    if "imgname" not in arrays:
        if annotations is None:
            raise UserError(
                f"{path}: names no images; set 'annotations' of its source to the .npz it was made on"
            )
        named = read_columns(annotations, ("imgname",), _HMR2_KEYS[2:])
    if len(named.get("imgname", ())) != n:
        raise UserError(
            f"{path}: {n} results for the {len(named.get('imgname', ()))} rows of "
            f"{annotations or 'its imgname'}; give the annotations it was made on"
        )
    lost = np.asarray(is_absent(pose)).any(1)
    rotvec = rotmat_to_rotvec(np.where(is_absent(pose)[..., None, None], np.eye(3), pose))
    translation = arrays.get("translation")
    found = make_rows(
        rotvec,
        [str(name) for name in named["imgname"]],
        betas=_scorehmr_flat(arrays.get("betas"), n, 10, path, "betas"),
        box_xyxy=_boxes(named, n),
        keypoints_2d=_keypoints(named, n),
        translation=_scorehmr_flat(translation, n, 3, path, "camera translation"),
        focal_length=None if translation is None else np.full(n, SCOREHMR_FOCAL_PX),
    )
    return found.kept(np.asarray(~lost), {"no_rotation": int(lost.sum())})


def _scorehmr_arrays(path: Path) -> dict[str, Any]:
    if path.suffix in (".pkl", ".pickle"):
        found: Mapping[str, Any] = read_joblib(path)
    else:
        found = read_columns(path, (), [key for keys in _SCOREHMR.values() for key in keys])
    return {name: found[key] for name, keys in _SCOREHMR.items() for key in reversed(keys) if key in found}


def _scorehmr_pose(arrays: Mapping[str, Any], path: Path) -> Float[np.ndarray, "rows 24 3 3"]:
    try:
        if "pose" in arrays:
            pose = np.asarray(arrays["pose"], np.float64)
            return pose.reshape(len(pose), 24, 3, 3)
        body = np.asarray(arrays["body"], np.float64)
        root = np.asarray(arrays["root"], np.float64)
        return np.concatenate(
            [root.reshape(len(root), 1, 3, 3), body.reshape(len(body), 23, 3, 3)], axis=1
        )  # fmt: skip
    except KeyError:
        raise UserError(
            f"{path}: neither pred_pose nor global_orient and body_pose in it; is it ScoreHMR's?"
        ) from None
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: its poses are not rotation matrices of 24 joints ({error})") from None


def _scorehmr_flat(values: Any, n: int, width: int, path: Path, what: str) -> np.ndarray | None:
    if values is None:
        return None
    array = np.asarray(values, np.float64)
    if array.size != n * width:
        raise UserError(f"{path}: its {what} is {array.shape}, not ({n}, {width}); get the file again")
    return array.reshape(n, width)
