"""What any method of human mesh recovery says of people, as it is saved: npz, plain pickle or JSON.

Read are the keys of HMR2.0 / 4D-Humans, TokenHMR, CameraHMR, WHAM, SMPLer-X and SMPLify-X, and of this project's
``ajahr predict``: pose as rotation vectors or matrices, split into root and body or as one row; betas; a
translation of the whole image's camera, or HMR's crop camera with its box; a focal length or a matrix K. Nothing
pickled is run: dictionaries inside an npz are refused with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ajahr.anatomy import NUM_JOINTS
from ajahr.body.smpl_file import open_npz
from ajahr.body.unpickle import read_pickle, resolve
from ajahr.data.readers.people import load_json
from ajahr.errors import MissingAsset, UserError
from ajahr.geometry.cameras import Camera, crop_to_full_translation, hmr_focal_length
from ajahr.geometry.rotations_np import rotmat_to_rotvec, rotvec_to_rotmat

_KEYS: dict[str, tuple[str, ...]] = {
    "whole": ("pose", "poses", "full_pose", "smpl_pose", "pred_rotmat", "smpl_thetas"),
    "root": ("global_orient", "root_orient", "pred_global_orient", "smplx_root_pose", "root_pose"),
    "body": ("body_pose", "pose_body", "pred_body_pose", "smplx_body_pose"),
    "betas": ("betas", "pred_betas", "shape", "pred_shape", "smpl_betas", "smplx_shape"),
    "expression": ("expression", "smplx_expr", "expr"),
    "jaw": ("jaw_pose", "smplx_jaw_pose"),
    "left_hand": ("left_hand_pose", "smplx_lhand_pose"),
    "right_hand": ("right_hand_pose", "smplx_rhand_pose"),
    "translation": ("pred_cam_t_full", "cam_t_full", "camera_translation", "cam_trans", "transl", "trans",
                    "translation", "cam_t"),
    "crop_camera": ("pred_cam",),
    "crop_translation": ("pred_cam_t",),
    "box_centre": ("box_center", "bbox_center", "center"),
    "box_size": ("box_size", "bbox_size"),
    "focal": ("scaled_focal_length", "img_focal", "focal_length", "focal"),
    "matrix": ("cam_int", "K", "intrinsics", "cam_k"),
    "principal": ("princpt", "principal_point", "camera_center", "cam_center"),
    "size_wh": ("img_size", "image_size"),
    "size_hw": ("img_shape",),
    "boxes": ("bbox_xyxy", "boxes_xyxy", "bboxes", "bbox"),
    "vertices": ("vertices", "pred_vertices", "verts"),
    "names": ("imgname", "img_name", "image_name", "img_path", "imgnames"),
}  # fmt: skip
"""What is looked for, the first that is there."""
_WHAT = "SMPL or SMPL-X parameters: global_orient, body_pose, betas, a translation, a focal length"


@dataclass(frozen=True, eq=False)
class BodyParams:
    """People of one picture. Camera frame (x right, y down, z forward), m, rad, px of the whole picture."""

    source: str
    global_orient_rotmat: Float64[np.ndarray, "people 3 3"]
    body_pose_rotvec: Float64[np.ndarray, "people 23 3"]
    """Joints 1..23; the hands of methods that have none are at rest."""
    betas: Float64[np.ndarray, "people betas"]
    translation: Float64[np.ndarray, "people 3"]
    cameras: tuple[Camera, ...]
    face_and_hands: dict[str, Float64[np.ndarray, "people joints 3"]]
    """SMPL-X's ``jaw``, ``left_hand``, ``right_hand`` as rotation vectors, where they are given."""
    expression: Float64[np.ndarray, "people expressions"] | None = None
    boxes_xyxy: Float64[np.ndarray, "people 4"] | None = None
    limb_levels: Int64[np.ndarray, "people 4"] | None = None
    num_vertices: int | None = None
    """Of the method's own mesh, where one was saved."""
    body: str | None = None
    """Name of the body the betas belong to; None is SMPL or SMPL-X."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.betas)


def read_params(
    path: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    focal_length: float | None = None,
    image_name: str | None = None,
) -> BodyParams:
    """People of a file.

    Args:
        path: .npz, .pkl (plain arrays only) or .json.
        image_size: (width, height), px; wins over the file's.
        focal_length: px; wins over the file's. HMR's own guess where nobody says.
        image_name: of several pictures in the file, the one meant.

    Raises:
        UserError: missing, pickled objects, no pose, no translation, arrays that do not fit each other.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingAsset(f"there is no file {path}; give {_WHAT}")
    if path.suffix == ".json":
        document = load_json(path, _WHAT)
        if (
            isinstance(document, dict)
            and isinstance(document.get("people"), list)
            and "joint_names" in document
        ):
            return _own(path, document, focal_length)
        arrays = _json_arrays(path, document)
    else:
        arrays = _npz_arrays(path) if path.suffix == ".npz" else _pickle_arrays(path)
    return _params(path, arrays, image_size, focal_length, image_name)


def _npz_arrays(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with open_npz(path) as stored:
        wanted = {key for keys in _KEYS.values() for key in keys}
        for key in wanted & set(stored.files):
            try:
                found[key] = stored[key]
            except ValueError:
                raise UserError(
                    f"{path}: {key} is a pickled object, which is never run; save its arrays by their own names"
                ) from None
        if not found and (nested := [k for k in stored.files if "param" in k]):
            raise UserError(
                f"{path}: {nested[0]} holds the parameters as a pickled dictionary; save its arrays by their own names"
            )
    return found


def _pickle_arrays(path: Path) -> dict[str, np.ndarray]:
    content = read_pickle(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not a dictionary of arrays; save an npz")
    if len(content) == 1 and isinstance(next(iter(content.values())), dict):  # WHAM: by the person's number
        content = next(iter(content.values()))
    wanted = {key for keys in _KEYS.values() for key in keys}
    try:
        return {key: np.asarray(resolve(content[key])) for key in wanted & content.keys()}
    except ValueError as error:
        raise UserError(f"{path}: {error} where numbers should be; save an npz") from error


def _json_arrays(path: Path, document: Any) -> dict[str, np.ndarray]:
    if isinstance(document, list) and document and all(isinstance(d, dict) for d in document):
        shared = set.intersection(*(set(d) for d in document))
        document = {key: [d[key] for d in document] for key in shared}
    if not isinstance(document, dict):
        raise UserError(f"{path}: no object of arrays and no list of people; give {_WHAT}")
    wanted = {key for keys in _KEYS.values() for key in keys}
    try:
        return {key: np.asarray(document[key]) for key in wanted & document.keys()}
    except ValueError as error:
        raise UserError(f"{path}: people with arrays of different lengths ({error})") from None


def _params(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    image_size: tuple[int, int] | None,
    focal_length: float | None,
    image_name: str | None,
) -> BodyParams:
    def pick(what: str) -> np.ndarray | None:
        name = next((key for key in _KEYS[what] if key in arrays), None)
        if name is None:
            return None
        array = arrays[name]
        if what == "names":
            return array
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise UserError(f"{path}: {name} holds values that are no finite numbers; mend the file")
        return np.asarray(array, np.float64)

    whole, root, body = pick("whole"), pick("root"), pick("body")
    if whole is None and (root is None or body is None):
        raise UserError(f"{path} has no pose; it needs {_WHAT}, under names such as HMR2.0's")
    people = _count(path, whole, root, pick("betas"))
    if whole is not None and (root is None or body is None):
        rows = _rotvecs(path, "the pose", whole, people, (22, 24, 52, 55))
        root_rotvec, body_rotvec = rows[:, :1], rows[:, 1 : 24 if rows.shape[1] == NUM_JOINTS else 22]
        extra = {"jaw": rows[:, 22:23], "left_hand": rows[:, 25:40], "right_hand": rows[:, 40:]}
        extra = extra if rows.shape[1] == 55 else {}
    else:
        assert root is not None and body is not None
        root_rotvec = _rotvecs(path, "the root's rotation", root, people, (1,))
        body_rotvec = _rotvecs(path, "the body's pose", body, people, (21, 23))
        extra = {}
        for what, joints in (("jaw", 1), ("left_hand", 15), ("right_hand", 15)):
            own = pick(what)
            if own is not None and own.size in (3 * joints * people, 9 * joints * people):
                extra[what] = _rotvecs(path, what, own, people, (joints,))
    pose = np.zeros((people, NUM_JOINTS - 1, 3))
    pose[:, : body_rotvec.shape[1]] = body_rotvec
    notes: list[str] = []

    size = _size(image_size, pick("size_wh"), pick("size_hw"), pick("principal"), path)
    focal, centres = _intrinsics(path, people, size, focal_length, pick, notes)
    cameras = tuple(
        Camera(*size, float(f), (float(c[0]), float(c[1]))) for f, c in zip(focal, centres, strict=True)
    )
    betas = pick("betas")
    betas = np.zeros((people, 10)) if betas is None else betas.reshape(people, -1)
    expression, boxes, vertices = pick("expression"), pick("boxes"), pick("vertices")
    names = pick("names")
    params = BodyParams(
        str(path), rotvec_to_rotmat(root_rotvec[:, 0]), pose, betas,
        _translation(path, people, size, focal, pick), cameras, extra,
        None if expression is None else expression.reshape(people, -1),
        boxes.reshape(people, 4) if boxes is not None and boxes.size == 4 * people else None,
        num_vertices=None if vertices is None or vertices.ndim < 2 else vertices.shape[-2], notes=tuple(notes),
    )  # fmt: skip
    return params if names is None else _of_image(path, params, names, image_name)


def _count(path: Path, whole: np.ndarray | None, root: np.ndarray | None, betas: np.ndarray | None) -> int:
    if betas is not None:
        return 1 if betas.ndim == 1 else int(betas.shape[0])
    first = whole if whole is not None else root
    assert first is not None
    if whole is None and first.size in (3, 9):
        return 1
    if first.ndim == 1:
        return 1
    if not len(first):
        raise UserError(f"{path} holds nobody; the arrays are empty")
    return int(first.shape[0])


def _rotvecs(path: Path, what: str, array: np.ndarray, people: int, allowed: Sequence[int]) -> np.ndarray:
    """(people, joints, 3), whether they come as vectors or as matrices."""
    numbers = array.size / max(people, 1)
    if numbers / 3 in allowed:  # no count of vectors is also a count of matrices
        return array.reshape(people, -1, 3)
    if numbers / 9 not in allowed:
        hint = "; a VPoser code must be decoded first" if numbers == 32 else ""
        joints = " or ".join(map(str, allowed))
        raise UserError(
            f"{path}: {what} has shape {array.shape} for {people} people; expected {joints} rotations as vectors or "
            f"matrices{hint}"
        )
    rotmats = array.reshape(people, -1, 3, 3)
    off = np.abs(rotmats @ rotmats.swapaxes(-1, -2) - np.eye(3)).max(initial=0)
    if off > 0.02 or (np.linalg.det(rotmats) < 0).any():
        raise UserError(f"{path}: {what} has matrices that are no rotations; save the orthonormal ones")
    return rotmat_to_rotvec(rotmats)


def _size(given, size_wh, size_hw, principal, path: Path) -> tuple[int, int]:
    if given is not None:
        return given
    if size_wh is not None:
        width, height = size_wh.reshape(-1)[:2]
    elif size_hw is not None:
        height, width = size_hw.reshape(-1)[:2]
    elif principal is not None:  # the middle of the picture, in every method read here
        width, height = 2 * principal.reshape(-1)[:2]
    else:
        raise UserError(f"{path} does not tell the picture's size; give --image or --image_size WIDTH HEIGHT")
    if not (width >= 1 and height >= 1):
        raise UserError(f"{path}: a picture of {width} x {height}; give --image or --image_size WIDTH HEIGHT")
    return round(float(width)), round(float(height))


def _intrinsics(path, people, size, focal_length, pick, notes) -> tuple[np.ndarray, np.ndarray]:
    centres = np.tile(np.array(size, np.float64) / 2, (people, 1))
    focal, matrix, principal = pick("focal"), pick("matrix"), pick("principal")
    if principal is not None and principal.size in (2, 2 * people):
        centres = np.broadcast_to(principal.reshape(-1, 2), (people, 2)).copy()
    if matrix is not None:
        if matrix.size not in (9, 9 * people):
            raise UserError(f"{path}: a camera matrix of shape {matrix.shape} for {people} people")
        rows = np.broadcast_to(matrix.reshape(-1, 3, 3), (people, 3, 3))
        focal, centres = rows[:, 0, 0], rows[:, :2, 2].copy()
    if focal_length is not None:
        focal = np.array(focal_length, np.float64)
    if focal is None:
        focal = np.array(hmr_focal_length(*size))
        notes.append(
            f"no focal length in the file: HMR2.0's guess of {float(focal):.0f} px; --focal_length sets it"
        )
    flat = focal.reshape(-1)
    if len(flat) == 2 * people or (len(flat) == 2 and people > 1):  # x and y
        flat = flat.reshape(-1, 2)[:, 0]
    if len(flat) not in (1, people):
        raise UserError(f"{path}: {len(flat)} focal lengths for {people} people")
    values = np.broadcast_to(flat, (people,))
    if not (values > 0).all():
        raise UserError(f"{path}: a focal length of {values.min()} px; give --focal_length")
    return values, centres


def _translation(path, people, size, focal, pick) -> np.ndarray:
    full, crop, centre, side = (pick(k) for k in ("translation", "crop_camera", "box_centre", "box_size"))
    if full is None and crop is not None and centre is not None and side is not None:
        try:
            return crop_to_full_translation(
                crop.reshape(people, 3), centre.reshape(people, 2), side.reshape(people),
                np.tile(np.array(size, np.float64), (people, 1)), focal,
            )  # fmt: skip
        except ValueError:
            raise UserError(f"{path}: pred_cam, box_center and box_size do not fit {people} people") from None
    if full is None and pick("matrix") is not None:  # CameraHMR's is of the whole image
        full = pick("crop_translation")
    if full is None:
        alone = pick("crop_translation") is not None or crop is not None
        hint = (
            " (pred_cam and pred_cam_t are of the crop: save box_center and box_size with them)"
            if alone
            else ""
        )
        raise UserError(
            f"{path} has no translation before the whole picture's camera{hint}; save it as cam_t_full or transl"
        )
    if full.size != 3 * people:
        raise UserError(f"{path}: a translation of shape {full.shape} for {people} people")
    return full.reshape(people, 3)


def _of_image(path: Path, params: BodyParams, names: np.ndarray, image_name: str | None) -> BodyParams:
    """The people of one picture where the file tells each one's."""
    if names.dtype.kind == "O" or names.size not in (1, len(params)):
        return params
    stems = [PurePath(str(n)).name for n in np.broadcast_to(names.reshape(-1), (len(params),))]
    if len(set(stems)) == 1 and image_name is None:
        return params
    if image_name is None:
        raise UserError(
            f"{path} has people of {len(set(stems))} pictures; name one with --image or --image_name"
        )
    rows = np.flatnonzero([name == PurePath(image_name).name for name in stems])
    if not len(rows):
        raise UserError(f"{path} has nobody of {image_name}; it has {stems[0]} and others")
    return take(params, rows)


def take(params: BodyParams, rows: np.ndarray) -> BodyParams:
    """Some of the people."""
    arrays = {k: v[rows] for k, v in vars(params).items() if isinstance(v, np.ndarray)}
    extra = {k: v[rows] for k, v in params.face_and_hands.items()}
    return replace(params, **arrays, face_and_hands=extra, cameras=tuple(params.cameras[k] for k in rows))


def _own(path: Path, document: dict[str, Any], focal_length: float | None) -> BodyParams:
    """The JSON that ``ajahr predict`` writes."""
    try:
        people = document["people"]
        camera = Camera(
            int(document["width"]),
            int(document["height"]),
            focal_length or float(document["camera"]["focal_length"]),
            tuple(document["camera"]["principal_point"]),
        )

        def rows(get, *shape: int) -> np.ndarray:
            return np.array([get(p) for p in people], np.float64).reshape(len(people), *shape)

        return BodyParams(
            str(path),
            rotvec_to_rotmat(rows(lambda p: p["smpl"]["global_orient"], 3)),
            rows(lambda p: p["smpl"]["body_pose"], NUM_JOINTS - 1, 3),
            rows(lambda p: p["smpl"]["betas"], -1) if people else np.zeros((0, 10)),
            rows(lambda p: p["camera"]["translation"], 3),
            (camera,) * len(people),
            {},
            boxes_xyxy=rows(lambda p: p["bbox_xyxy"], 4),
            limb_levels=np.array(
                [[limb["level"] for limb in p["limbs"].values()] for p in people], np.int64
            ).reshape(len(people), 4),
            body=str(document["body"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a whole result of ajahr predict ({error!r}); predict again") from error
