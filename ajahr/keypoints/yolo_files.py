"""People with 25 points as an ultralytics pose data set: pictures, label files, and the YAML with our 25 tolerances.

    FOLDER/pose25.yaml
    FOLDER/images/train/KEY.jpg   FOLDER/labels/train/KEY.txt      one line a person
    FOLDER/images/val/...         FOLDER/labels/val/...

A line is ``0 x y width height`` and 25 times ``x y visibility``, in shares of the picture (visibility 0, 1, 2). Making
these files needs nothing of ultralytics; training with it does, and ultralytics is AGPL-3.0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import yaml
from jaxtyping import Float32, Num

from ajahr.anatomy import LDPOSE25
from ajahr.data.files import make_folder, write_atomic
from ajahr.data.images import ImageError
from ajahr.data.ldpose import NUM_POINTS, SIGMAS
from ajahr.keypoints.samples import KeypointTable

YAML = "pose25.yaml"


def dataset_yaml() -> str:
    """The YAML beside the pictures; paths are relative to its own folder."""
    tree = {
        "train": "images/train",
        "val": "images/val",
        "nc": 1,
        "names": {0: "person"},
        "kpt_shape": [NUM_POINTS, 3],
        "flip_idx": list(LDPOSE25.flip),
        # without them ultralytics takes one tolerance, 1/25, for all points
        "kpt_oks_sigmas": [round(float(sigma), 4) for sigma in SIGMAS],
        "kpt_names": {0: list(LDPOSE25.names)},
    }
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=100)


def label_line(
    box_xyxy: Num[np.ndarray, "xyxy=4"], keypoints: Float32[np.ndarray, "25 xyv=3"], size: tuple[int, int]
) -> str | None:
    """A person of a picture of (width, height); None for one whose box has nothing inside it.

    Boxes are cut at the border, and points beyond it count as not labelled: ultralytics refuses other files.
    """
    scale = np.array(size, np.float64)
    corners = np.clip(np.asarray(box_xyxy, np.float64).reshape(2, 2), 0, scale) / scale
    extent = corners[1] - corners[0]
    if (extent <= 0).any():
        return None
    points = keypoints[:, :2].astype(np.float64) / scale
    seen = (keypoints[:, 2] > 0) & (points >= 0).all(1) & (points <= 1).all(1)
    values = [*(corners.mean(0)), *extent]
    for point, visible, labelled in zip(points, keypoints[:, 2], seen, strict=True):
        values += [*point, float(visible)] if labelled else [0.0, 0.0, 0.0]
    return "0 " + " ".join(f"{value:.6g}" for value in values)


def write_yolo(
    table: KeypointTable,
    folder: str | Path,
    split: str,
    *,
    pictures: int | None = None,
    tick: Callable[[], None] = lambda: None,
) -> int:
    """Pictures and labels of a table as one split (``train`` or ``val``), and the YAML; returns how many pictures.

    Args:
        pictures: the first so many; all where None.
        tick: called once a picture.

    Raises:
        UserError: the folder cannot be written.
        ImageError: a picture cannot be read.
    """
    folder = Path(folder)
    images, labels = folder / "images" / split, folder / "labels" / split
    for place in (images, labels):
        make_folder(place)
    people: defaultdict[bytes, list[int]] = defaultdict(list)
    for row in range(len(table)):
        people[table.where[row]["image"]].append(row)
    chosen = list(people.items())[:pictures]
    for name, rows in chosen:
        where = table.where[rows[0]]
        data = table.pictures.read(where)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ImageError(f"{table.pictures.where(where)}: not an image; replace it")
        size = (image.shape[1], image.shape[0])
        lines = [label_line(table.boxes_xyxy[row], table.keypoints[row], size) for row in rows]
        file = Path(name.decode())
        stem = "_".join(file.with_suffix("").parts)
        suffix = file.suffix or ".jpg"
        write_atomic(images / f"{stem}{suffix}", data)
        write_atomic(labels / f"{stem}.txt", "".join(f"{line}\n" for line in lines if line).encode())
        tick()
    write_atomic(folder / YAML, dataset_yaml().encode())
    return len(chosen)
