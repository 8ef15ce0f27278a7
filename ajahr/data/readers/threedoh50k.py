"""3DOH50K: people behind objects; ``annots.json`` of ``trainset`` or ``testset``.

Per picture: ``img_path`` (with backslashes), ``bbox`` as two corners, ``pose`` (72), ``betas`` (10), ``trans``,
``smpl_joints_2d`` (24, 2), ``lsp_joints_2d`` (14, 2), camera ``intri`` (3, 3) and ``extri`` (4, 4). Its 3D joints
are in units of the fit's own scale and are not read: they follow from the pose.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ajahr.anatomy import BODY25
from ajahr.data.hmr.pictures import PictureStore
from ajahr.data.hmr.samples import PeopleTable, empty_rows, set_box
from ajahr.data.readers.people import load_json
from ajahr.data.readers.posed import keypoints_from_smpl24, pose_keypoints, to_camera
from ajahr.errors import UserError

BOX_SCALE = 1.2
_LSP = slice(len(BODY25), len(BODY25) + 14)
"""LSP's 14 in its order are the first 14 of J44's extra block."""


def read_3doh50k(
    path: str | Path,
    images: str | Path | None = None,
    *,
    bodies: str | Path | None = None,
    name: str = "3DOH50K",
) -> PeopleTable:
    """Everybody in an annotation file; entries that do not add up are dropped and counted.

    Args:
        path: ``testset/annots.json``.
        images: what ``img_path`` is relative to; the file's folder when None.
        bodies: SMPL's folder, for 3D keypoints from the neutral body. None: the parameters only.
        name: of the dataset in keys.

    Raises:
        UserError: no JSON of that kind, or nobody in it.
    """
    path = Path(path)
    document = load_json(path, "3DOH50K's annots.json")
    if not isinstance(document, dict):
        raise UserError(f"{path}: no dict of pictures in it; give 3DOH50K's annots.json")
    dropped: Counter[str] = Counter()
    examples: dict[str, str] = {}
    people: list[tuple[str, dict[str, Any]]] = []
    for key, entry in document.items():
        try:
            people.append((str(key), _labels(entry)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            dropped["bad_annotation"] += 1
            examples.setdefault("bad_annotation", f"{path}: {key}: {error}")
    if not people:
        raise UserError(
            f"{path}: nobody in it can be used ({len(document)} entries); is this 3DOH50K's file?"
        )
    rows = empty_rows(len(people), [name for key, labels in people for name in (key, labels["image"])])
    for row, (key, labels) in zip(rows, people, strict=True):
        row["key"], row["image"] = key.encode(), labels["image"].encode()
        for field in ("pose", "betas", "keypoints_2d", "focal_length"):
            row[field] = labels[field]
    boxes = np.array([labels["box"] for _, labels in people])
    side = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) * BOX_SCALE
    set_box(rows, (boxes[:, :2] + boxes[:, 2:]) / 2, np.repeat(side, 2, 1))
    rows["has_pose"] = True
    rows["has_betas"] = True
    rows["trusted_3d"] = True
    rows["levels"] = 0  # occluded, but whole: the paper's false-positive test (Table 5)
    pose_keypoints(rows, bodies)
    return PeopleTable(name, rows, PictureStore(images or path.parent), dict(dropped), examples)


def _labels(entry: dict[str, Any]) -> dict[str, Any]:
    pose = _numbers(entry, "pose", 24, 3)
    pose[0] = to_camera(pose[0], _numbers(entry, "extri", 4, 4))
    box = _numbers(entry, "bbox", 4)
    if not (box[2:] > box[:2]).all():
        raise ValueError(f"bbox is {box.tolist()}")
    points = keypoints_from_smpl24(_numbers(entry, "smpl_joints_2d", 24, 2))
    points[_LSP, :2] = _numbers(entry, "lsp_joints_2d", 14, 2)
    points[_LSP, 2] = 1
    return {
        "image": str(entry["img_path"]).replace("\\", "/"),
        "pose": pose,
        "betas": _numbers(entry, "betas", 10),
        "keypoints_2d": points,
        "box": box,
        "focal_length": _numbers(entry, "intri", 3, 3)[0, 0],
    }


def _numbers(entry: dict[str, Any], name: str, *shape: int) -> np.ndarray:
    array = np.asarray(entry[name], np.float64)
    if array.size != int(np.prod(shape)) or not np.isfinite(array).all():
        raise ValueError(f"{name} is {array.shape}, expected finite numbers {shape}")
    return array.reshape(shape)
