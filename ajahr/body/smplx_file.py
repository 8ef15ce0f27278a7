"""SMPL-X's model files (``SMPLX_NEUTRAL.npz`` or ``.pkl``), checked array by array. No torch, no pickle run.

The published npz also holds pickled dictionaries (``part2num``, ``joint2num``); they are not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ajahr.anatomy import PARENTS
from ajahr.body.regressors import VERTEX_KEYS
from ajahr.body.smpl_file import checked, raw_arrays, vertex_ids
from ajahr.errors import UserError

NUM_JOINTS = 55
NUM_VERTICES = 10475
JAW, LEFT_EYE, RIGHT_EYE = 22, 23, 24
LEFT_HAND, RIGHT_HAND = slice(25, 40), slice(40, 55)
"""Fifteen finger joints each: index, middle, pinky, ring, thumb, three of each from the palm outwards."""


def _tree() -> tuple[int, ...]:
    parents = [*PARENTS[:22], 15, 15, 15]
    for wrist in (20, 21):
        for _ in range(5):
            parents += [wrist, len(parents), len(parents) + 1]
    return tuple(parents)


PARENTS_55: tuple[int, ...] = _tree()
VERTEX_IDS: dict[str, int] = dict(
    zip(
        VERTEX_KEYS,
        (9120, 9929, 9448, 616, 6, 5770, 5780, 8846, 8463, 8474, 8635,
         5361, 4933, 5058, 5169, 5286, 8079, 7669, 7794, 7905, 8022),
        strict=True,
    )
)  # fmt: skip
"""The named vertices of SMPL-X's topology."""
_FULL_SHAPE, _OLD_SHAPE = 300, 10
"""Files of 400 components are 300 of shape and 100 of expression, older ones of 20 are 10 and 10."""
_KEYS = (
    "v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table", "hands_meanl",
    "hands_meanr", "hands_componentsl", "hands_componentsr", "lmk_faces_idx", "lmk_bary_coords", "vt", "ft",
)  # fmt: skip
_OPTIONAL = _KEYS[7:]
_WHAT = f"SMPL-X model of {NUM_JOINTS} joints"


def read(path: Path, num_betas: int, num_expressions: int) -> dict[str, Any]:
    """Arrays of an SMPL-X file by the names of `ajahr.body.rig.RigData`.

    Raises:
        UserError: damaged, another tree, or arrays that do not fit each other.
    """
    raw = raw_arrays(path, _KEYS, _OPTIONAL)
    v_template = checked(path, raw, "v_template", (None, 3), _WHAT)
    count = len(v_template)
    shapedirs = checked(path, raw, "shapedirs", (count, 3, None), _WHAT)
    weights = checked(path, raw, "weights", (count, NUM_JOINTS), _WHAT)
    regressor = checked(path, raw, "J_regressor", (NUM_JOINTS, count), _WHAT)
    posedirs = checked(path, raw, "posedirs", (count, 3, 9 * (NUM_JOINTS - 1)), _WHAT)
    faces = checked(path, raw, "f", (None, 3), _WHAT).astype(np.int64)
    if faces.min() < 0 or faces.max() >= count:
        raise UserError(f"{path}: f names vertex {faces.max()} of {count}; the file is damaged")
    tree = checked(path, raw, "kintree_table", (2, NUM_JOINTS), _WHAT)[0]
    if tuple(int(p) for p in tree[1:]) != PARENTS_55[1:]:  # the root's parent is written in several ways
        raise UserError(f"{path}: kintree_table is not SMPL-X's tree of {NUM_JOINTS} joints")
    first = _FULL_SHAPE if shapedirs.shape[2] > 2 * _OLD_SHAPE else _OLD_SHAPE
    hands = None
    if "hands_componentsl" in raw and "hands_meanl" in raw:
        hands = tuple(
            checked(path, raw, key, (45,) if "mean" in key else (None, 45), _WHAT).astype(np.float64)
            for key in ("hands_meanl", "hands_meanr", "hands_componentsl", "hands_componentsr")
        )
    landmarks = None
    if "lmk_faces_idx" in raw and "lmk_bary_coords" in raw:
        triangles = checked(path, raw, "lmk_faces_idx", (None,), _WHAT).astype(np.int64)
        if triangles.min() < 0 or triangles.max() >= len(faces):
            raise UserError(f"{path}: lmk_faces_idx names face {triangles.max()} of {len(faces)}")
        shares = checked(path, raw, "lmk_bary_coords", (len(triangles), 3), _WHAT).astype(np.float64)
        landmarks = (faces[triangles], shares)
    uv = uv_faces = None
    if "vt" in raw and "ft" in raw:
        # vt has v upwards, here it is downwards
        uv = (checked(path, raw, "vt", (None, 2), _WHAT) * (1, -1) + (0, 1)).astype(np.float32)
        uv_faces = checked(path, raw, "ft", faces.shape, _WHAT).astype(np.int32)
        if uv_faces.min() < 0 or uv_faces.max() >= len(uv):
            raise UserError(f"{path}: ft names texture vertex {uv_faces.max()} of {len(uv)}")
    return {
        "v_template": v_template.astype(np.float32),
        "shapedirs": np.ascontiguousarray(shapedirs[..., : min(num_betas, first)], np.float32),
        "expression_dirs": np.ascontiguousarray(
            shapedirs[..., first : first + num_expressions], dtype=np.float32
        ),
        "posedirs": np.ascontiguousarray(posedirs.reshape(count * 3, -1).T, dtype=np.float32),
        "J_regressor": regressor.astype(np.float32),
        "weights": weights.astype(np.float32),
        "faces": faces.astype(np.int32),
        "parents": PARENTS_55,
        "vertex_ids": vertex_ids(path, count, VERTEX_IDS, NUM_VERTICES),
        "hands": hands,
        "landmarks": landmarks,
        "uv": uv,
        "uv_faces": uv_faces,
    }
