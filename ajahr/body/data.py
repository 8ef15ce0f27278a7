"""A body as arrays: `load_body` reads the embedded default or a user's SMPL file. No torch."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from ajahr.anatomy import PARENTS
from ajahr.body import smpl_file
from ajahr.body.regressors import VERTEX_KEYS, part_labels_of
from ajahr.errors import UserError

DEFAULT_BODY = Path(__file__).parent / "assets" / "default_body.npz"
GENDERS = ("neutral", "male", "female")


class BetasOfSex(NamedTuple):
    """How the betas of men or of women are spread: normal, in the coordinates of the body that carries it."""

    mean: Float32[np.ndarray, " betas"]
    cholesky: Float32[np.ndarray, "betas betas"]


@dataclass(frozen=True, eq=False)
class BodyData:
    """SMPL's arrays and what goes with them. Metres; y up, facing +z, the person's left is +x.

    Nothing outside may assume a number of vertices: each body carries its own regressors, UVs and vertex ids.
    """

    name: str
    gender: str
    v_template: Float32[np.ndarray, "vertices 3"]
    shapedirs: Float32[np.ndarray, "vertices 3 betas"]
    """Offset per unit of each beta."""
    posedirs: Float32[np.ndarray, "207 coordinates"] | None
    """Offsets per element of the 23 (rotation - I), for 3 * vertices coordinates. None: the body has none."""
    J_regressor: Float32[np.ndarray, "24 vertices"]
    weights: Float32[np.ndarray, "vertices 24"]
    faces: Int32[np.ndarray, "faces 3"]
    """Counter-clockwise seen from outside."""
    vertex_ids: Mapping[str, int]
    """The 21 named vertices, by `regressors.VERTEX_KEYS`."""
    J19_regressor: Float32[np.ndarray, "19 vertices"]
    """Joints 25..43 of the 44-joint set, from posed vertices."""
    J19_source: str
    """``"SMPL_to_J19"`` or ``"own"``: only the former compares with published numbers."""
    part_labels: UInt8[np.ndarray, " vertices"]
    """The joint with the largest skin weight."""
    sha256: str
    licence: str
    uv: Float32[np.ndarray, "texels 2"] | None = None
    """u right, v down, 0..1."""
    uv_faces: Int32[np.ndarray, "faces 3"] | None = None
    mirror_vertices: Int32[np.ndarray, " vertices"] | None = None
    """The vertex at the mirrored place, where the mesh is symmetric."""
    parents: tuple[int, ...] = PARENTS
    betas_of_sex: Mapping[str, BetasOfSex] = field(default_factory=dict)

    @property
    def num_betas(self) -> int:
        return self.shapedirs.shape[2]

    def draw_betas(
        self, rng: np.random.Generator, sex: Literal["male", "female"] | None = None, spread: float = 1.0
    ) -> Float32[np.ndarray, " betas"]:
        """Betas of a random adult.

        Args:
            rng: the source of chance.
            sex: draw among men or women; None takes the body's gender. On a body that does not know how the
                sexes differ (any SMPL file: there, load the gendered file) it has no effect: betas are
                standard normal.
            spread: scales the distance from the mean; 0 gives the mean.
        """
        z = rng.standard_normal(self.num_betas) * spread
        known = self.betas_of_sex.get(sex or self.gender)
        return (z if known is None else known.mean + known.cholesky @ z).astype(np.float32)


def load_body(
    path: str | Path | None = None,
    *,
    gender: str = "neutral",
    num_betas: int = 10,
    J19_path: str | Path | None = None,
    uv_path: str | Path | None = None,
) -> BodyData:
    """The embedded body, or one from an SMPL-format file.

    Args:
        path: None for the embedded body; a ``.pkl`` or ``.npz`` in SMPL's format (v1.0 or v1.1); or a folder
            that holds SMPL's files under one of their published names, from which ``gender`` picks.
        gender: the embedded body's male and female are its neutral shape moved to the mean man's and woman's
            betas; the betas of a gendered body count from there. A file whose name tells its gender keeps
            that one.
        num_betas: at most so many shape components are kept (v1.1 files can hold 300).
        J19_path, uv_path: ``SMPL_to_J19.pkl`` (or ``.npy``) and ``smpl_uv.obj`` of an SMPL file; when not
            given they are looked for beside it and one folder up. Without the former, `regressors.own_j19`
            stands in.

    Raises:
        UserError: the file is missing, damaged, names classes it should not, or has arrays of other shapes.
    """
    if gender not in GENDERS:
        raise UserError(f"gender is {', '.join(GENDERS)}, not {gender!r}")
    if path is None:
        return _read_own(DEFAULT_BODY, gender)
    file = smpl_file.find(Path(path), gender)
    if file.suffix == ".npz" and _is_own(file):
        return _read_own(file, gender)
    model = smpl_file.read(file, num_betas, J19_path, uv_path)
    return BodyData(
        name=file.name,
        gender=smpl_file.gender_of(file) or gender,
        part_labels=part_labels_of(model["weights"]),
        sha256=_sha256(file),
        licence="SMPL's licence: registration, non-commercial",
        **model,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_own(path: Path) -> bool:
    with smpl_file.open_npz(path) as arrays:
        return "meta" in arrays.files


def _read_own(path: Path, gender: str) -> BodyData:
    """The file `scripts/build_default_body.py` writes."""
    try:
        with smpl_file.open_npz(path) as stored:
            body = _own_body({key: stored[key] for key in stored.files}, _sha256(path))
    except (KeyError, ValueError, IndexError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}: {error}); install the package again"
        ) from error
    if gender == "neutral":
        return body
    offset = body.betas_of_sex[gender].mean
    return replace(
        body,
        gender=gender,
        v_template=body.v_template + body.shapedirs @ offset,
        betas_of_sex={sex: BetasOfSex(b.mean - offset, b.cholesky) for sex, b in body.betas_of_sex.items()},
    )


def _own_body(stored: Mapping[str, np.ndarray], sha256: str) -> BodyData:
    meta: dict[str, Any] = json.loads(str(stored["meta"]))
    num_vertices = len(stored["v_template"])

    def rows(prefix: str) -> np.ndarray:
        starts, columns, values = (stored[f"{prefix}_{x}"] for x in ("indptr", "indices", "data"))
        dense = np.zeros((len(starts) - 1, num_vertices), np.float32)
        dense[np.repeat(np.arange(len(dense)), np.diff(starts)), columns] = values
        return dense

    weights = stored["weights"].astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)  # half precision leaves rows off one by up to 4e-4
    return BodyData(
        name=meta["name"],
        gender="neutral",
        v_template=stored["v_template"],
        shapedirs=stored["shapedirs"] * np.float32(stored["shapedirs_step"]),
        posedirs=None,
        J_regressor=rows("J_regressor"),
        weights=weights,
        faces=stored["faces"].astype(np.int32),
        vertex_ids=dict(zip(VERTEX_KEYS, stored["vertex_ids"].tolist(), strict=True)),
        J19_regressor=rows("J19_regressor"),
        J19_source="own",
        part_labels=part_labels_of(weights),
        sha256=sha256,
        licence=meta["licence"],
        uv=stored["uv"].astype(np.float32) / 65535,
        uv_faces=stored["uv_faces"].astype(np.int32),
        mirror_vertices=stored["mirror_vertices"].astype(np.int32),
        betas_of_sex={
            sex: BetasOfSex(stored["sex_betas_mean"][i], stored["sex_betas_cholesky"][i])
            for i, sex in enumerate(("male", "female"))
        },
    )
