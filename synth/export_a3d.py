"""A dataset in A3D's released layout, for code that reads A3D (`ajahr.data.readers.a3d`).

One row a person. A picture's name carries one AJAHR-Index, so a picture of several people is there once for each
of them, under the index of the person whose row names it; who has lost several limbs has the lowest index in the
name and all of them in ``ajahr_conf``, which both annotation styles get.

A3D's classes end at joints: a limb cut inside a bone has that of the joint below. Where it ends is kept aside, in
two arrays that readers of A3D pass over: ``residual_lambda`` (N, 8) and ``residual_3d`` (N, 8, 4), as in
`ajahr.data.npz`, of datasets with ``residual.share``.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ajahr.anatomy import BODY25, NUM_CLASSES
from ajahr.data.dataset import Dataset, open_dataset
from ajahr.data.files import make_folder, remove_stale, sha256_of, write_atomic
from ajahr.data.npz import BOX_SCALE, npz_bytes, read_npz, residual_arrays
from ajahr.data.readers.a3d import ANNOTATION, COCO_PARTS, H36M, IMAGES, PARTS, SUBJECTS, picture_name
from ajahr.data.record import VISIBLE, ImageRecord, PersonRecord
from ajahr.data.shards import Sample, iter_shard
from ajahr.errors import UserError
from ajahr.geometry.rotations_np import rotvec_to_rotmat
from synth.engine.local import map_processes
from synth.progress import Progress

A3D_FOCAL_PX = 5000.0
"""Focal length over the whole picture under which ``cam_t`` holds, ScoreHMR's."""
CLAIM_NAME = "export.json"
_PARTS = ".parts"
_SUBJECT = re.compile(r"(?<![A-Za-z0-9])S(\d+)(?![0-9])")
_NAME_WIDTH = 44


def export_a3d(
    folder: str | Path, output: Path, parts: Mapping[str, str], *, workers: int = 1, progress: Progress
) -> Counter[str]:
    """Write the dataset in ``folder`` as A3D. A killed export goes on where it stopped.

    Args:
        folder: a finished dataset.
        output: the A3D folder to make.
        parts: sources' names to `PARTS`, besides those that are known by their names (`part_of`).
        workers: processes.
        progress: bar.

    Returns:
        Rows per part.

    Raises:
        UserError: a source whose part is not known, a damaged shard, or an output folder of other things.
    """
    dataset = open_dataset(folder)
    for source, part in parts.items():
        if part not in PARTS:
            raise UserError(f"--parts: {source}: {part!r} is no part of A3D; there are {', '.join(PARTS)}")
    _check_sources(dataset, parts)
    _claim(output, dataset, parts)
    shards = [number for number, entry in enumerate(dataset.manifest.shards) if entry.samples]
    todo = [(dataset.folder, output, number, dict(parts)) for number in shards if not _done(output, number)]
    with progress.bar("shards", len(todo)) as tick:
        map_processes(_export_shard, todo, workers, tick)
    rows: Counter[str] = Counter()
    for part in PARTS:
        found = [_part_file(output, number, part) for number in shards]
        arrays = [read_npz(path) for path in found if path.exists()]
        if arrays:
            joined = {key: np.concatenate([one[key] for one in arrays]) for key in arrays[0]}
            rows[part] = len(joined["imgname"])
            write_atomic(_annotation(output, part), annotation_bytes(joined, part))
    shutil.rmtree(output / _PARTS, ignore_errors=True)
    _write_claim(output, dataset, parts, rows)
    return rows


def part_of(record: ImageRecord, parts: Mapping[str, str]) -> str | None:
    """The part a picture belongs to; None where that is not known.

    ``parts`` decides; else source ``coco`` is COCO_train in split ``train`` and COCO_val in others, ``mpii`` is
    MPII, ``h36m`` goes to the subject that its photograph's name tells.
    """
    source, _, photo = record.photo.id.partition("/")
    if source in parts:
        return parts[source]
    if source == "coco":
        return "COCO_train" if record.split == "train" else "COCO_val"
    if source == "mpii":
        return "MPII"
    if source == "h36m":
        found = _SUBJECT.search(photo.replace("_", " "))
        if found and f"S{found[1]}" in SUBJECTS:
            return f"{H36M}/S{found[1]}"
    return None


def _check_sources(dataset: Dataset, parts: Mapping[str, str]) -> None:
    """Before anything is written. Photographs' names are in the counts of dataset.json."""
    for path in sorted(dataset.manifest.counts):
        if path[0] != "photo":
            continue
        source = path[1].partition("/")[0]
        if source in parts or source in ("coco", "mpii"):
            continue
        if source == "h36m" and _SUBJECT.search(path[1].replace("_", " ")):
            continue
        raise UserError(
            f"{dataset.folder}: {path[1]}: which part of A3D source {source!r} belongs to is not known; say it "
            f"with --parts '{{{source}: COCO_train}}'"
        )


# ------------------------------------------------------------------------------------------------- one shard


def _done(output: Path, number: int) -> bool:
    return (output / _PARTS / f"{number:06d}.done").exists()


def _part_file(output: Path, number: int, part: str) -> Path:
    return output / _PARTS / f"{number:06d}_{part.replace('/', '_')}.npz"


def _annotation(output: Path, part: str) -> Path:
    top = part.partition("/")[0]
    make_folder(output / top / ANNOTATION)
    return output / top / ANNOTATION / f"{part.replace('/', '_')}.npz"


def _export_shard(
    folder: Path, output: Path, number: int, parts: dict[str, str], tick: Callable[[], None]
) -> None:
    dataset = open_dataset(folder)
    rows: dict[str, list[tuple[str, PersonRecord]]] = {}
    ends = bool(dataset.manifest.run.config.get("residual", {}).get("share"))
    for sample in iter_shard(dataset.shard_path(dataset.manifest.shards[number])):
        part = part_of(sample.record, parts)
        if part is None:
            raise UserError(
                f"{sample.where}: no part of A3D for {sample.record.photo.id}; name it with --parts"
            )
        rows.setdefault(part, []).extend(_pictures(sample, output, part))
    for part, found in rows.items():
        make_folder(output / _PARTS)
        write_atomic(_part_file(output, number, part), npz_bytes(person_arrays(found, part, ends=ends)))
    make_folder(output / _PARTS)
    write_atomic(output / _PARTS / f"{number:06d}.done", b"")
    tick()


def _pictures(sample: Sample, output: Path, part: str) -> list[tuple[str, PersonRecord]]:
    """Write a sample's picture under everybody's name; the names are relative to the part's Images."""
    top, _, subject = part.partition("/")
    done, png = cv2.imencode(".png", cv2.cvtColor(sample.image(), cv2.COLOR_RGB2BGR))
    assert done
    people = sample.record.people
    found = []
    for n, person in enumerate(people):
        rest = sample.key if len(people) == 1 else f"{sample.key}_{n}"
        name = "/".join(filter(None, (subject, picture_name(person.ajahr_index[0], rest))))
        path = output / top / IMAGES / name
        make_folder(path.parent)
        write_atomic(path, png.tobytes())
        found.append((name, person))
    return found


def person_arrays(
    rows: Sequence[tuple[str, PersonRecord]], part: str, *, ends: bool = False
) -> dict[str, np.ndarray]:
    """The arrays of a part in its style (facts as published with A3D), ``imgname`` as plain strings.

    Args:
        ends: with those that tell where limbs end.
    """
    people = [person for _, person in rows]
    n = len(people)
    boxes = np.array([person.bbox_xyxy for person in people]).reshape(n, 4)
    points = np.array([person.keypoints_2d for person in people]).reshape(n, 44, 3)
    seen = points[..., 2:] == VISIBLE
    keypoints = np.where(seen, np.concatenate([points[..., :2], seen], -1), 0.0)
    joints = np.array([person.keypoints_3d for person in people]).reshape(n, 44, 3)
    joints = np.concatenate([joints, np.ones((n, 44, 1))], -1)
    rotvec = np.array([person.pose_rotvec for person in people]).reshape(n, 24, 3)
    rotmat = rotvec_to_rotmat(rotvec)
    betas = np.array([person.betas for person in people]).reshape(n, 10)
    indices = [person.ajahr_index for person in people]
    common = {
        "imgname": np.array([name for name, _ in rows], np.str_),
        "center": ((boxes[:, None, :2] + boxes[:, None, 2:]) / 2),
        "scale": BOX_SCALE * (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True),
        "ajahr_conf": np.array([[i in row for i in range(NUM_CLASSES)] for row in indices], np.int64),
    }
    if ends:
        common |= residual_arrays(people)
    split = len(BODY25)
    if part in COCO_PARTS:
        one = np.ones((n, 44, 1))  # the "opt" flag, whose meaning is not published
        return {
            **common,
            "global_orient": rotmat[:, :1].astype(np.float32),
            "body_pose": rotvec.reshape(n, 72).astype(np.float32),
            "has_body_pose": np.ones(n, np.float32),
            "betas": betas.astype(np.float32),
            "has_betas": np.ones(n, np.float32),
            "body_keypoints_2d": keypoints[:, :split],
            "extra_keypoints_2d": keypoints[:, split:],
            "body_keypoints_3d": joints[:, :split],
            "extra_keypoints_3d": joints[:, split:],
            "body_opt_3d_joints": one[:, :split],
            "extra_opt_3d_joints": one[:, split:],
        }
    return {
        **common,
        "global_orient": rotmat[:, None, :1],
        "gt_2d_kpts": keypoints[:, None],
        "gt_3d_kpts": np.concatenate([joints, np.ones((n, 44, 1))], -1)[:, None],
        "smpl_pose": rotmat[:, None, 1:],
        "smpl_shape": betas[:, None],
        "cam_t": np.array([camera_translation(person) for person in people]).reshape(n, 1, 3),
    }


def camera_translation(person: PersonRecord) -> np.ndarray:
    """SMPL's translation (3,) before a camera of `A3D_FOCAL_PX` whose picture of the person has the same scale."""
    root = person.joints_3d[0]
    depth = person.camera.weak_depth or root[2]
    # the principal point stays the middle of the picture: x and y keep their pixels when depth and focal
    # length grow together
    return person.transl + np.array([0.0, 0.0, depth * A3D_FOCAL_PX / person.camera.focal_length - root[2]])


def annotation_bytes(arrays: dict[str, np.ndarray], part: str) -> bytes:
    """The .npz of a part: ``imgname`` as Python objects in COCO's style, 44 characters wide in H36M's."""
    names = arrays["imgname"]
    if part not in COCO_PARTS:
        if names.dtype.itemsize // 4 > _NAME_WIDTH:
            raise UserError(f"{max(names.tolist(), key=len)}: longer than A3D's {_NAME_WIDTH} characters")
        return npz_bytes({**arrays, "imgname": names.astype(f"<U{_NAME_WIDTH}")})
    buffer = io.BytesIO(npz_bytes({key: array for key, array in arrays.items() if key != "imgname"}))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        member = io.BytesIO()
        np.lib.format.write_array(member, np.array(names.tolist(), object), (1, 0), allow_pickle=True)
        archive.writestr(zipfile.ZipInfo("imgname.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return buffer.getvalue()


# ----------------------------------------------------------------------------------------------- the folder


def _description(dataset: Dataset, parts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "dataset_sha256": sha256_of(dataset.folder / "dataset.json"),
        "parts": dict(sorted(parts.items())),
    }


def _claim(output: Path, dataset: Dataset, parts: Mapping[str, str]) -> None:
    make_folder(output)
    path = output / CLAIM_NAME
    description = _description(dataset, parts)
    if not path.exists():
        foreign = sorted(entry.name for entry in output.iterdir() if not entry.name.startswith("."))
        if foreign:
            raise UserError(
                f"{output}: holds other things ({foreign[0]}); choose an empty or a new output folder"
            )
        write_atomic(path, (json.dumps(description) + "\n").encode())
    remove_stale(output)
    try:
        found = json.loads(path.read_bytes())
        same = {key: found[key] for key in description} == description
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise UserError(
            f"{output}: an export of another dataset; choose another output folder or delete this one"
        )


def _write_claim(output: Path, dataset: Dataset, parts: Mapping[str, str], rows: Counter[str]) -> None:
    tree = {**_description(dataset, parts), "people": dict(rows)}
    write_atomic(output / CLAIM_NAME, (json.dumps(tree) + "\n").encode())
