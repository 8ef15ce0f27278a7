"""A small file in SMPL-X's exact format: the published keys, dtypes and layouts, its vertices the embedded body's.

55 joints, 400 shape components (300 of shape, 100 of expression), 45 hand components a hand, 51 landmarks, and
the two pickled dictionaries of the published npz, which nothing here may open.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ajahr.body.data import load_body
from ajahr.body.regressors import VERTEX_KEYS


class Bomb:
    """Fails the test that unpickles it."""

    def __reduce__(self):
        return (_explode, ())


def _explode() -> None:
    raise AssertionError("a pickle was run")


def smplx_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays by the file's own keys. Posedirs are small and few, so that files stay small."""
    body, rng = load_body(), np.random.default_rng(seed)
    count = len(body.v_template)
    parents = [*body.parents[:22], 15, 15, 15]
    for wrist in (20, 21):
        for _ in range(5):
            parents += [wrist, len(parents), len(parents) + 1]
    weights = np.zeros((count, 55))
    weights[:, :22] = body.weights[:, :22]
    weights[:, 25], weights[:, 40] = body.weights[:, 22], body.weights[:, 23]
    weights /= weights.sum(1, keepdims=True)
    regress = np.zeros((55, count))
    regress[:22] = body.J_regressor[:22]
    for joint in range(22, 55):  # jaw and eyes about the face, fingers in the hands: any own vertices will do
        own = {22: 15, 23: 15, 24: 15}.get(joint, 22 if joint < 40 else 23)
        regress[joint, rng.choice(np.flatnonzero(body.weights[:, own] > 0.5), 4)] = 0.25
    shapedirs = np.zeros((count, 3, 400), np.float32)
    shapedirs[..., :10] = body.shapedirs
    face = np.flatnonzero(body.weights[:, 15] > 0.9)
    shapedirs[face, :, 300:310] = rng.normal(0, 2e-3, (len(face), 3, 10))
    posedirs = np.zeros((count, 3, 486), np.float32)
    chosen = rng.choice(count, 200)
    posedirs[chosen] = rng.normal(0, 1e-3, (200, 3, 486))
    faces = body.faces.astype(np.uint32)
    on_face = np.flatnonzero(np.isin(body.faces, face).all(1))
    assert body.uv is not None and body.uv_faces is not None
    return {
        "v_template": body.v_template.astype(np.float64),
        "shapedirs": shapedirs,
        "posedirs": posedirs,
        "J_regressor": regress,
        "weights": weights,
        "f": faces,
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(55)], np.int64),
        "hands_meanl": rng.normal(0, 0.2, 45),
        "hands_meanr": rng.normal(0, 0.2, 45),
        "hands_componentsl": np.linalg.qr(rng.normal(size=(45, 45)))[0],
        "hands_componentsr": np.linalg.qr(rng.normal(size=(45, 45)))[0],
        "lmk_faces_idx": on_face[rng.choice(len(on_face), 51)],
        "lmk_bary_coords": rng.dirichlet((1, 1, 1), 51),
        "dynamic_lmk_faces_idx": np.zeros((79, 17), np.int64),
        "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
        "vt": (body.uv * (1, -1) + (0, 1)).astype(np.float64),
        "ft": body.uv_faces.astype(np.int64),
    }


def few_vertices(arrays: dict[str, np.ndarray], count: int = 60) -> dict[str, np.ndarray]:
    """The same file of so few vertices that it is no body any more, and is written at once."""
    few = {k: arrays[k][:count] for k in ("v_template", "shapedirs", "posedirs", "weights")}
    faces = np.arange(3 * count).reshape(-1, 3) % count
    few |= {"J_regressor": arrays["J_regressor"][:, :count], "f": faces, "ft": faces}
    return arrays | few | {"lmk_faces_idx": np.arange(51) % count, "vt": arrays["vt"][:count]}


def write_smplx(
    path: Path,
    arrays: dict[str, np.ndarray] | None = None,
    *,
    bombs: bool = True,
    **changed: np.ndarray | None,
) -> Path:
    """The file and ``vertex_ids.json`` beside it, as a mesh of another size needs. None leaves an array out."""
    arrays = smplx_arrays() if arrays is None else arrays
    arrays = {k: v for k, v in (arrays | changed).items() if v is not None}
    if bombs:
        arrays |= {key: np.array(Bomb(), object) for key in ("part2num", "joint2num")}
    np.savez_compressed(path, **arrays)
    body = load_body()
    ids = {key: int(body.vertex_ids[key]) % len(arrays["v_template"]) for key in VERTEX_KEYS}
    (path.parent / "vertex_ids.json").write_text(json.dumps(ids))
    return path
