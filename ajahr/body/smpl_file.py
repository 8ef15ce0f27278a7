"""SMPL's model files and the files people keep beside them, checked array by array. No torch."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.anatomy import NUM_JOINTS, PARENTS
from ajahr.body.regressors import (
    NUM_EXTRA,
    NUM_SMPL_VERTICES,
    SMPL_VERTEX_IDS,
    VERTEX_KEYS,
    own_j19,
    part_labels_of,
)
from ajahr.body.unpickle import read_pickle, resolve
from ajahr.errors import MissingAsset, UserError

NUM_POSE_FEATURES = 9 * (NUM_JOINTS - 1)
_LETTER = {"neutral": "neutral", "male": "m", "female": "f"}
# as the SMPL and SMPLify sites name them, and as smplx wants them named
_FILE_NAMES = (
    "SMPL_{GENDER}.pkl",
    "SMPL_{GENDER}.npz",
    "basicmodel_{letter}_lbs_10_207_0_v1.1.0.pkl",
    "basicModel_{letter}_lbs_10_207_0_v1.0.0.pkl",
)
_KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table")
_OPTIONAL = ("posedirs",)


def find(path: Path, gender: str) -> Path:
    """``path`` if it is a file; in a folder, that gender's file under a published name."""
    if path.is_dir():
        names = [n.format(GENDER=gender.upper(), letter=_LETTER[gender]) for n in _FILE_NAMES]
        for folder in (path, path / "smpl"):
            for name in names:
                if (folder / name).is_file():
                    return folder / name
        raise MissingAsset(f"{path} has no {' or '.join(names)}; SMPL: https://smpl.is.tue.mpg.de")
    if not path.is_file():
        raise MissingAsset(
            f"there is no body file {path}; give a .pkl or .npz, or none for the embedded body"
        )
    if path.suffix not in (".pkl", ".npz"):
        raise UserError(f"{path} is neither .pkl nor .npz, the two forms SMPL's files have")
    return path


def gender_of(path: Path) -> str | None:
    """The gender a published file name tells, else None."""
    name = path.stem.lower()
    if re.match(r"smpl_(neutral|male|female)$", name):
        return name.split("_")[1]
    if match := re.match(r"basicmodel_(neutral|m|f)_lbs", name):
        return {letter: gender for gender, letter in _LETTER.items()}[match[1]]
    return None


def open_npz(path: Path) -> np.lib.npyio.NpzFile:
    """The npz at ``path``, without leave to unpickle; UserError if it is none."""
    try:
        # from memory: numpy leaves the file open when it is no zip
        arrays = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a whole .npz ({error}); get the file again") from error
    if not isinstance(arrays, np.lib.npyio.NpzFile):
        raise UserError(f"{path} is a single array, not an .npz of a body's arrays")
    return arrays


def read(
    path: Path, num_betas: int, J19_path: str | Path | None, uv_path: str | Path | None
) -> dict[str, Any]:
    """Arrays of an SMPL-format file by the names of `ajahr.body.data.BodyData`, and its sidecars."""
    raw = _raw_arrays(path)
    v_template = checked(path, raw, "v_template", (None, 3))
    num_vertices = len(v_template)
    shapedirs = checked(path, raw, "shapedirs", (num_vertices, 3, None))
    weights = checked(path, raw, "weights", (num_vertices, NUM_JOINTS))
    J_regressor = checked(path, raw, "J_regressor", (NUM_JOINTS, num_vertices))
    faces = checked(path, raw, "f", (None, 3)).astype(np.int64)
    if faces.min() < 0 or faces.max() >= num_vertices:
        raise UserError(f"{path}: f names vertex {faces.max()} of {num_vertices}; the file is damaged")
    tree = checked(path, raw, "kintree_table", (2, NUM_JOINTS))[0]
    if tuple(int(p) for p in tree[1:]) != PARENTS[1:]:  # the root's parent is written in several ways
        raise UserError(f"{path}: kintree_table is not SMPL's tree of {NUM_JOINTS} joints")
    posedirs = None
    if "posedirs" in raw:
        found = checked(path, raw, "posedirs", (num_vertices, 3, NUM_POSE_FEATURES)).astype(np.float32)
        if found.any():  # all zero costs as much as real ones and does nothing
            posedirs = np.ascontiguousarray(found.reshape(-1, NUM_POSE_FEATURES).T)

    weights = weights.astype(np.float32)
    named = vertex_ids(path, num_vertices)
    J19_file = _beside(path, J19_path, ("SMPL_to_J19.pkl", "SMPL_to_J19.npy"))
    if J19_file is None:
        J19, source = own_j19(J_regressor, v_template, part_labels_of(weights), named), "own"
    else:
        J19, source = read_j19(J19_file, num_vertices), "SMPL_to_J19"
    uv_file = _beside(path, uv_path, ("smpl_uv.obj",))
    uv, uv_faces = (None, None) if uv_file is None else read_uv(uv_file, faces)
    return {
        "v_template": v_template.astype(np.float32),
        "shapedirs": np.ascontiguousarray(shapedirs[..., :num_betas], dtype=np.float32),
        "posedirs": posedirs,
        "J_regressor": J_regressor.astype(np.float32),
        "weights": weights,
        "faces": faces.astype(np.int32),
        "vertex_ids": named,
        "J19_regressor": J19,
        "J19_source": source,
        "uv": uv,
        "uv_faces": uv_faces,
    }


def _raw_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays SMPL's format names, unchecked."""
    return raw_arrays(path, _KEYS, _OPTIONAL)


def raw_arrays(path: Path, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The named arrays of a model file, unchecked; nothing else in it is touched.

    Raises:
        UserError: an array that is not optional is missing, or one cannot be read.
    """
    if path.suffix == ".npz":
        with open_npz(path) as stored:
            return _collect(path, stored.files, stored.__getitem__, keys, optional)
    content = read_pickle(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not the dictionary of an SMPL model")
    return _collect(path, content, lambda key: resolve(content[key]), keys, optional)


def _collect(
    path: Path, present: Any, get: Callable[[str], Any], keys: Sequence[str], optional: Sequence[str]
) -> dict[str, np.ndarray]:
    arrays = {}
    for key in keys:
        if key in present:
            try:
                arrays[key] = np.asarray(get(key))
            except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
                raise UserError(f"{path}: {key} cannot be read ({error}); get the file again") from error
        elif key not in optional:
            needed = ", ".join(k for k in keys if k not in optional)
            raise UserError(f"{path} has no {key}; an SMPL model file has {needed}")
    return arrays


def checked(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    key: str,
    expected: tuple,
    what: str = "SMPL model of 24 joints",
) -> np.ndarray:
    """The array if its shape is as expected (None: any length above zero) and its numbers are finite."""
    array = arrays[key]
    fits = array.ndim == len(expected) and all(
        n > 0 and want in (None, n) for n, want in zip(array.shape, expected, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in expected) + ")"
        raise UserError(f"{path}: {key} has shape {array.shape}, an {what} has {wanted}")
    if array.dtype.kind not in "iuf":
        raise UserError(f"{path}: {key} holds {array.dtype}, not numbers")
    if not np.isfinite(array).all():
        raise UserError(f"{path}: {key} holds NaN or infinity; get the file again")
    return array


def vertex_ids(
    path: Path, num_vertices: int, known: Mapping[str, int] = SMPL_VERTEX_IDS, of: int = NUM_SMPL_VERTICES
) -> dict[str, int]:
    """Named vertices of a published topology (``of`` vertices); on another, of ``vertex_ids.json`` beside it."""
    beside = path.parent / "vertex_ids.json"
    if num_vertices == of and not beside.is_file():
        return dict(known)
    if not beside.is_file():
        raise UserError(
            f"{path} has {num_vertices} vertices, the published one has {of}; name those of face, feet "
            f"and finger tips in {beside.name} beside it, by the keys {', '.join(VERTEX_KEYS)}"
        )
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
        ids = {key: int(found[key]) for key in VERTEX_KEYS}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{beside} does not map the 21 keys to vertex numbers ({error!r})") from error
    if not all(0 <= i < num_vertices for i in ids.values()):
        raise UserError(f"{beside} names a vertex outside 0..{num_vertices - 1}")
    return ids


def _beside(path: Path, given: str | Path | None, names: tuple[str, ...]) -> Path | None:
    """The sidecar the user named, or the first found beside the model or one folder up."""
    if given is not None:
        if not Path(given).is_file():
            raise MissingAsset(f"there is no file {given}")
        return Path(given)
    candidates = (folder / name for folder in (path.parent, path.parent.parent) for name in names)
    return next((c for c in candidates if c.is_file()), None)


def read_j19(path: Path, num_vertices: int) -> np.ndarray:
    """``SMPL_to_J19.pkl`` (a pickled array) or the same as ``.npy``: float32 (19, vertices)."""
    try:
        array = np.load(path, allow_pickle=False) if path.suffix == ".npy" else resolve(read_pickle(path))
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not a plain array ({error}); get the file again") from error
    found = checked(path, {"the regressor": np.asarray(array)}, "the regressor", (NUM_EXTRA, num_vertices))
    return found.astype(np.float32)


def read_uv(path: Path, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``smpl_uv.obj``: float32 (T, 2), v down, and int32 (F, 3) that goes with ``faces`` row by row.

    The file may list the faces in another order or start them at another corner.
    """
    texels: list[list[float]] = []
    corners: list[list[list[int]]] = []
    try:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("vt "):
                texels.append([float(x) for x in line.split()[1:3]])
            elif line.startswith("f "):
                corners.append([[int(n) for n in corner.split("/")[:2]] for corner in line.split()[1:]])
        table = np.array(corners, np.int64) - 1
        uv = np.array(texels, np.float32)
        if table.shape != (len(faces), 3, 2) or uv.shape[1:] != (2,):
            raise ValueError(
                f"{len(corners)} faces for a body of {len(faces)}, {len(texels)} texture vertices"
            )
        if table[..., 1].min() < 0 or table[..., 1].max() >= len(uv):
            raise ValueError("a face names a texture vertex that is not there")
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is not the UV map of this body: {error}") from error
    theirs, ours = _smallest_first(table), _smallest_first(np.stack([faces, faces], axis=-1))
    order_theirs, order_ours = (np.lexsort(f[..., 0].T[::-1]) for f in (theirs, ours))
    if not np.array_equal(theirs[order_theirs, :, 0], ours[order_ours, :, 0]):
        raise UserError(f"{path} is not the UV map of this body: its triangles are not the body's")
    found = np.empty_like(faces)
    found[order_ours] = theirs[order_theirs, :, 1]
    shift = np.argmin(faces, axis=1)  # turn each face back to the corner the body starts it at
    found = np.take_along_axis(found, (np.arange(3) - shift[:, None]) % 3, axis=1)
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1), found.astype(np.int32)


def _smallest_first(corners: np.ndarray) -> np.ndarray:
    """Faces (F, 3, 2) turned, not reflected, so that the smallest vertex comes first."""
    turn = (np.arange(3) + np.argmin(corners[..., 0], axis=1)[:, None]) % 3
    return np.take_along_axis(corners, turn[..., None], axis=1)
