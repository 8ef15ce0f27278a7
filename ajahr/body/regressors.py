"""What a body needs besides SMPL's own arrays: named vertices and the 19 "extra" joints. No torch.

SMPL files carry neither. The vertices of SMPL's topology are public figures; the extra joints upstream come
from ``SMPL_to_J19.pkl``, which cannot be shipped, so `own_j19` defines them from what every body has.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float32, UInt8

from ajahr.anatomy import BODY25, J44, JOINT, JOINT_NAMES, NUM_JOINTS

VERTEX_KEYS: tuple[str, ...] = (
    "nose", "reye", "leye", "rear", "lear", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
    "lthumb", "lindex", "lmiddle", "lring", "lpinky", "rthumb", "rindex", "rmiddle", "rring", "rpinky",
)  # fmt: skip
"""The 21 named vertices, by smplx's keys and in the order of its joints 24..44."""

NUM_SMPL_VERTICES = 6890
SMPL_VERTEX_IDS: dict[str, int] = dict(
    zip(
        VERTEX_KEYS,
        (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787,
         2746, 2319, 2445, 2556, 2673, 6191, 5782, 5905, 6016, 6133),
        strict=True,
    )
)  # fmt: skip
"""The named vertices of SMPL's (and SMPL-H's) 6890-vertex topology."""

EXTRA_NAMES: tuple[str, ...] = tuple(n.removesuffix("_extra") for n in J44.names[len(BODY25) :])
"""The 19 joints after BODY_25 in the 44-joint set, in order."""
NUM_EXTRA = len(EXTRA_NAMES)


def head_top_vertex(
    v_template: Float[np.ndarray, "vertices 3"], part_labels: UInt8[np.ndarray, " vertices"]
) -> int:
    """The highest vertex (largest y) that belongs to the head; the lowest index among equals."""
    head = np.flatnonzero(part_labels == JOINT["head"])
    candidates = head if len(head) else np.arange(len(v_template))
    return int(candidates[np.argmax(v_template[candidates, 1])])


def own_j19(
    J_regressor: Float[np.ndarray, "24 vertices"],
    v_template: Float[np.ndarray, "vertices 3"],
    part_labels: UInt8[np.ndarray, " vertices"],
    vertex_ids: Mapping[str, int],
) -> Float32[np.ndarray, "19 vertices"]:
    """This project's own definition of the 19 extra joints, for bodies without ``SMPL_to_J19.pkl``.

    Every row is a weighted mean of rows of ``J_regressor`` and of named vertices, so rows sum to one and
    follow any topology:

    - the twelve limb joints: the kinematic joint of that name;
    - ``neck_lsp``: two thirds neck, one third head joint (the middle of the visible neck);
    - ``head_top_lsp``: the highest vertex of the head;
    - ``pelvis_mpii``: midway between the hips (also how EMDB and H36M root a person);
    - ``thorax_mpii``: half neck, half the midpoint of the shoulders;
    - ``spine_h36m``: midway between spine1 and spine2;
    - ``jaw_h36m``: midway between the head joint and the nose;
    - ``head_h36m``: midway between the ears' midpoint and the head top.

    A comparison with numbers made by ``SMPL_to_J19`` needs that file; these rows agree with it in meaning
    only.
    """
    num_vertices = J_regressor.shape[1]
    parts: dict[str, np.ndarray] = {name: J_regressor[JOINT[name]] for name in JOINT_NAMES}

    def pick(index: int) -> np.ndarray:
        row = np.zeros(num_vertices)
        row[index] = 1
        return row

    parts |= {key: pick(vertex_ids[key]) for key in ("nose", "lear", "rear")}
    parts["top"] = pick(head_top_vertex(v_template, part_labels))
    recipes: dict[str, dict[str, float]] = {
        "neck_lsp": {"neck": 2 / 3, "head": 1 / 3},
        "head_top_lsp": {"top": 1},
        "pelvis_mpii": {"left_hip": 0.5, "right_hip": 0.5},
        "thorax_mpii": {"neck": 0.5, "left_shoulder": 0.25, "right_shoulder": 0.25},
        "spine_h36m": {"spine1": 0.5, "spine2": 0.5},
        "jaw_h36m": {"head": 0.5, "nose": 0.5},
        "head_h36m": {"lear": 0.25, "rear": 0.25, "top": 0.5},
    }
    rows = np.zeros((NUM_EXTRA, num_vertices))
    for i, name in enumerate(EXTRA_NAMES):
        for part, weight in recipes.get(name, {name: 1.0}).items():
            rows[i] += weight * parts[part]
    return rows.astype(np.float32)


def part_labels_of(weights: Float[np.ndarray, "vertices 24"]) -> UInt8[np.ndarray, " vertices"]:
    """The joint with the largest skin weight at each vertex; the lower index where two are equal."""
    assert weights.shape[1] == NUM_JOINTS
    return np.argmax(weights, axis=1).astype(np.uint8)
