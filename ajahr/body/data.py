"""A body as arrays: `load_body` reads the embedded default or a user's SMPL file into `BodyData`. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from ajahr.anatomy import NUM_JOINTS, PARENTS
from ajahr.body.regressors import VERTEX_KEYS, part_labels_of
from ajahr.errors import UserError

DEFAULT_BODY = Path(__file__).parent / "assets" / "default_body.npz"
GENDERS = ("neutral", "male", "female")


@dataclass(frozen=True, eq=False)
class BodyData:
    """SMPL's arrays and what goes with them. Metres; y up, facing +z, left is +x."""

    name: str
    gender: str
    v_template: Float32[np.ndarray, "vertices 3"]
    shapedirs: Float32[np.ndarray, "vertices 3 betas"]
    posedirs: Float32[np.ndarray, "207 coordinates"] | None
    J_regressor: Float32[np.ndarray, "24 vertices"]
    weights: Float32[np.ndarray, "vertices 24"]
    faces: Int32[np.ndarray, "faces 3"]
    vertex_ids: Mapping[str, int]
    J19_regressor: Float32[np.ndarray, "19 vertices"]
    part_labels: UInt8[np.ndarray, " vertices"]
    sha256: str
    licence: str
    uv: Float32[np.ndarray, "texels 2"] | None = None
    uv_faces: Int32[np.ndarray, "faces 3"] | None = None
    mirror_vertices: Int32[np.ndarray, " vertices"] | None = None
    parents: tuple[int, ...] = PARENTS
    sex_betas: Mapping[str, tuple] = field(default_factory=dict)


def load_body(path: str | Path | None = None, *, gender: str = "neutral") -> BodyData:
    path = DEFAULT_BODY if path is None else Path(path)
    content = path.read_bytes()
    with np.load(path) as f:
        a = {k: f[k] for k in f.files}
    meta = json.loads(str(a["meta"]))
    V = len(a["v_template"])

    def rows(p):
        out = np.zeros((len(a[p + "_indptr"]) - 1, V), np.float32)
        for i in range(len(out)):
            s = slice(*a[p + "_indptr"][i : i + 2])
            out[i, a[p + "_indices"][s]] = a[p + "_data"][s]
        return out

    w = a["weights"].astype(np.float32)
    w /= w.sum(1, keepdims=True)
    return BodyData(
        name=meta["name"], gender=gender, v_template=a["v_template"], shapedirs=a["shapedirs"].astype(np.float32) * np.float32(a["shapedirs_step"]),
        posedirs=None, J_regressor=rows("J_regressor"), weights=w, faces=a["faces"].astype(np.int32),
        vertex_ids=dict(zip(VERTEX_KEYS, a["vertex_ids"].tolist(), strict=True)), J19_regressor=rows("J19_regressor"),
        part_labels=part_labels_of(w), sha256=hashlib.sha256(content).hexdigest(), licence=meta["licence"],
        uv=a["uv"].astype(np.float32) / 65535, uv_faces=a["uv_faces"].astype(np.int32),
        mirror_vertices=a["mirror_vertices"].astype(np.int32),
    )  # fmt: skip
