"""The people of a shard as arrays, in the keys of HMR2.0's and A3D's npz files: upstream code reads them.

Loads with ``allow_pickle=False``; bytes are a pure function of the arrays (stored, fixed zip times).

Read by upstream loaders, N people:

    imgname              (N,) str      SHARD/KEY.jpg: unpack shards/SHARD.tar into IMG_DIR/SHARD
    center, scale        (N, 2)        centre of the box, px; 1.2 x its width and height, px
    body_pose            (N, 72)       rotation vectors, global_orient first; absent joints keep theirs
    betas                (N, 10)
    has_body_pose, has_betas (N,)      1
    body_keypoints_2d    (N, 25, 3)    px and confidence; (0, 0, 0) where absent or not in sight
    extra_keypoints_2d   (N, 19, 3)
    body_keypoints_3d    (N, 25, 4)    camera frame, m, confidence 1; absent ones on their amputation joint
    extra_keypoints_3d   (N, 19, 4)
    global_orient        (N, 1, 3, 3)  rotation matrix
    gender               (N,) str      of the body file: n, m, f
    ajahr_conf           (N, 12)       multi-hot over AJAHR-Indices 0..11
    labels               (N, 4)        AJAHR-Indices ascending, filled up with 12

and of this project: `keypoints_j44` and `keypoints_ldpose25` with visibility 0/1/2 instead of a confidence,
so that occluded keypoints keep their place; joints_3d, transl, camera (NaN weak_depth: full perspective),
limb levels, status, occlusion, prosthesis ("": none), residual length (NaN: none), hard cases (names joined by
commas), appearance, and which sample and person it is. By LDPose's eight residual-limb ends (`ajahr.anatomy.LDPOSE25`):

    residual_lambda      (N, 8)        lambda of the end in its bone; 0 for a loss at the joint below, NaN where none
    residual_3d          (N, 8, 4)     the end, camera frame, m, confidence 1; 0 where none
    residual_length_mm   (N, 8)        NaN where the limb does not end inside that bone; so the next
    residual_volume_ml   (N, 8)
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ajahr.anatomy import BODY25, INTACT_INDEX, LDPOSE25, NUM_CLASSES, NUM_LIMBS
from ajahr.data.record import VISIBLE, ImageRecord, PersonRecord
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat

BOX_SCALE = 1.2
"""HMR's usual enlargement of a person's box."""
_GENDER = {"neutral": "n", "male": "m", "female": "f"}
SINCE_VERSION = {
    "prosthesis": 2, "hard_cases": 2,
    "residual_lambda": 3, "residual_3d": 3, "residual_length_mm": 3, "residual_volume_ml": 3,
}  # fmt: skip
"""Arrays that datasets of an older schema version do not have."""
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
NpzArrays = dict[str, np.ndarray]


def _floats(rows: list, *shape: int) -> np.ndarray:
    return np.array(rows, np.float32).reshape(len(rows), *shape)


def _strings(rows: list[str]) -> np.ndarray:
    return np.array(rows, dtype=np.str_) if rows else np.zeros(0, "<U1")


def _labels(person: PersonRecord) -> list[int]:
    return [*person.ajahr_index, *[INTACT_INDEX] * NUM_LIMBS][:NUM_LIMBS]


def _nan_if_none(value: float | None) -> float:
    return float("nan") if value is None else value


def residual_arrays(people: Sequence[PersonRecord]) -> NpzArrays:
    """``residual_lambda`` and ``residual_3d`` of these people."""
    ends = _floats(
        [person.ldpose_3d[list(LDPOSE25.residual)] for person in people], len(LDPOSE25.residual), 3
    )
    known = np.isfinite(ends).all(-1, keepdims=True)
    return {
        "residual_lambda": _floats([person.residual_lambda for person in people], len(LDPOSE25.residual)),
        "residual_3d": np.concatenate([np.where(known, ends, 0), known], -1).astype(np.float32),
    }


def _by_end(people: Sequence[PersonRecord], name: str) -> np.ndarray:
    found = np.full((len(people), len(LDPOSE25.residual)), np.nan, np.float32)
    for row, person in enumerate(people):
        for one in person.residual_limbs:
            if one is not None:
                found[row, one.point - LDPOSE25.residual[0]] = getattr(one, name)
    return found


def people_arrays(records: Sequence[ImageRecord], shard: str) -> NpzArrays:
    """The arrays of every person in ``records``, picture by picture; ``shard`` is the shard's name."""
    pairs = [(record, n, person) for record in records for n, person in enumerate(record.people)]
    people = [person for _, _, person in pairs]
    sizes = [(record.width, record.height) for record, _, _ in pairs]
    statuses = [str(status) for person in people for status in person.limb_status]
    worn = [kind or "" for person in people for kind in person.prosthesis]
    residuals = [[_nan_if_none(length) for length in person.residual_length] for person in people]
    boxes = _floats([person.bbox_xyxy for person in people], 4)
    pose = _floats([person.pose_rotvec for person in people], 72)
    keypoints = _floats([person.keypoints_2d for person in people], 44, 3)
    in_sight = keypoints[..., 2:] == VISIBLE
    confident = np.where(in_sight, np.concatenate([keypoints[..., :2], in_sight], -1), 0).astype(np.float32)
    points_3d = _floats([person.keypoints_3d for person in people], 44, 3)
    points_3d = np.concatenate([points_3d, np.ones_like(points_3d[..., :1])], -1)
    labels = np.array([_labels(person) for person in people], np.int64).reshape(-1, NUM_LIMBS)
    multi_hot = (labels[..., None] == np.arange(NUM_CLASSES)).any(1).astype(np.int64)
    cameras = [person.camera for person in people]
    split = len(BODY25)
    return {
        "imgname": _strings([f"{shard}/{record.key}.jpg" for record, _, _ in pairs]),
        "center": (boxes[:, :2] + boxes[:, 2:]) / 2,
        "scale": (boxes[:, 2:] - boxes[:, :2]) * np.float32(BOX_SCALE),
        "body_pose": pose,
        "has_body_pose": np.ones(len(people), np.float32),
        "betas": _floats([person.betas for person in people], 10),
        "has_betas": np.ones(len(people), np.float32),
        "body_keypoints_2d": confident[:, :split],
        "extra_keypoints_2d": confident[:, split:],
        "body_keypoints_3d": points_3d[:, :split],
        "extra_keypoints_3d": points_3d[:, split:],
        "global_orient": rotvec_to_rotmat(pose[:, None, :3].astype(np.float64)).astype(np.float32),
        "gender": _strings([_GENDER[person.body_gender] for person in people]),
        "ajahr_conf": multi_hot,
        "labels": labels,
        "keypoints_j44": keypoints,
        "keypoints_ldpose25": _floats([person.ldpose_2d for person in people], 25, 3),
        "joints_3d": _floats([person.joints_3d for person in people], 24, 3),
        "transl": _floats([person.transl for person in people], 3),
        "bbox_xyxy": boxes,
        "img_size": np.array(sizes, np.int64).reshape(-1, 2),
        "focal_length": _floats([camera.focal_length for camera in cameras]),
        "principal_point": _floats([camera.principal_point for camera in cameras], 2),
        "weak_depth": _floats([_nan_if_none(camera.weak_depth) for camera in cameras]),
        "limb_levels": np.array([person.limb_levels for person in people], np.int64).reshape(-1, NUM_LIMBS),
        "limb_status": _strings(statuses).reshape(-1, NUM_LIMBS),
        "limb_occluded": np.array([person.occluded for person in people], bool).reshape(-1, NUM_LIMBS),
        "residual_length": _floats(residuals, NUM_LIMBS),
        "prosthesis": _strings(worn).reshape(-1, NUM_LIMBS),
        **residual_arrays(people),
        "residual_length_mm": _by_end(people, "length_mm"),
        "residual_volume_ml": _by_end(people, "volume_ml"),
        "hard_cases": _strings([",".join(person.hard_cases) for person in people]),
        "group": _strings([person.appearance.group for person in people]),
        "appearance_gender": _strings([person.appearance.gender for person in people]),
        "texture_id": _strings([person.appearance.texture_id for person in people]),
        "pose_source": _strings([f"{p.pose_source.kind}/{p.pose_source.name}" for p in people]),
        "key": _strings([record.key for record, _, _ in pairs]),
        "person": np.array([n for _, n, _ in pairs], np.int64),
        "scene_id": _strings([record.scene_id for record, _, _ in pairs]),
        "intact_twin": _strings([record.intact_twin or "" for record, _, _ in pairs]),
        "split": _strings([record.split for record, _, _ in pairs]),
        "source_photo": _strings([record.photo.id for record, _, _ in pairs]),
        "licence": _strings([record.photo.licence for record, _, _ in pairs]),
    }


def npz_bytes(arrays: NpzArrays) -> bytes:
    """The arrays as an npz file. Nothing is compressed: compressed bytes depend on zlib's version."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME)
            member.external_attr = 0o644 << 16
            member.create_system = 3  # Unix, on Windows too
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue())
    return buffer.getvalue()


def read_npz(path: Path) -> NpzArrays:
    """Every array of an npz file. UserError if it is missing, truncated, damaged or holds Python objects."""
    try:
        with path.open("rb") as file:  # np.load leaves a damaged file open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the command that made the dataset again") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: damaged ({reason}); delete its shard and run generate again") from None
