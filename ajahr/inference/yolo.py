"""People by an ultralytics YOLO model."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from ajahr.errors import UserError
from ajahr.inference.external import WeightsFile, require

YOLO_WEIGHTS = WeightsFile(
    "people",
    "an ultralytics detection checkpoint (yolo11x.pt)",
    "github.com/ultralytics/assets/releases",
)
_PERSON_NAMES = ("person", "human", "pedestrian", "people", "person body", "full body", "fbody")
_MAX_PEOPLE = 300


class YoloDetector:
    """Boxes of people by a YOLO detection model of any size and any list of classes.

    Args:
        weights: A ``.pt`` file of ultralytics.
        confidence: Least score of a box.
        size: Longer side of the picture as the network sees it, px.
        person_class: Name of the class; empty takes the class called person (or human, pedestrian), or the
            only one there is, as CrowdHuman models have.
        device: ``cpu`` or ``cuda``.
        file: How errors call the weights.
        class_key: How errors call the option of ``person_class``.

    Raises:
        MissingAsset: no weights, or ultralytics is not installed.
        UserError: the file is no detection model, or which class is a person cannot be told.
    """

    def __init__(
        self,
        weights: Path | None,
        *,
        confidence: float = 0.5,
        size: int = 640,
        person_class: str = "",
        device: str = "cpu",
        file: WeightsFile = YOLO_WEIGHTS,
        class_key: str = "person_class",
    ) -> None:
        self._model = load_yolo(file, weights, ("detect", "segment", "pose"))
        assert weights is not None
        self._class = person_index(self._model.names, person_class, weights, class_key)
        self._options = yolo_options(confidence, size, device) | {"classes": [self._class]}

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "people xyxys=5"]:
        """Boxes (px) and scores, the surest first."""
        (result,) = self._model.predict(to_bgr(image), **self._options)
        found = result.boxes.data[:, :5].float().cpu().numpy()
        return np.ascontiguousarray(found[np.argsort(-found[:, 4], kind="stable")], np.float32)


def person_index(names: dict[int, str], wanted: str, weights: Path, class_key: str = "person_class") -> int:
    """Number of the class of people among a model's classes.

    Raises:
        UserError: there is no such class, or several could be meant.
    """
    plain = {name.strip().lower(): index for index, name in names.items()}
    for name in [wanted.strip().lower()] if wanted else _PERSON_NAMES:
        if name in plain:
            return plain[name]
    if not wanted and len(names) == 1:
        return next(iter(names))
    known = ", ".join(list(names.values())[:12])
    problem = f"no class {wanted!r}" if wanted else "which class is a person cannot be told"
    raise UserError(f"{weights}: {problem}; set {class_key} to one of {known}")


def load_yolo(file: WeightsFile, path: Path | None, tasks: tuple[str, ...]) -> Any:
    """The model of a checkpoint.

    Ultralytics checkpoints pickle whole model objects. They are read through ultralytics' restricted loader
    (``weights_only`` with an allow-list of its own classes). A version of ultralytics without it unpickles
    without restriction, which can run code from the file: give it only files you trust.
    """
    path = file.find(path)
    # before the import: no look at the network, no usage reports, no packages installed on the side
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "1")
    ultralytics = require("ultralytics", file.key)
    loader: Any = require("ultralytics.nn.tasks", file.key)
    before = getattr(loader, "SAFE_LOAD", None)
    if before is not None:
        loader.SAFE_LOAD = True  # also where somebody imported ultralytics before us
    try:
        model = ultralytics.YOLO(str(path))
        task, _ = model.task, model.names  # names of a file that is no checkpoint are looked for in vain
    except UserError:
        raise
    except Exception as error:  # ultralytics raises TypeError, KeyError, AttributeError, ...
        raise file.refuse(path, f"{type(error).__name__}: {error}") from None
    finally:
        if before is not None:
            loader.SAFE_LOAD = before
        _pil_as_it_was()
    if task not in tasks:
        raise file.refuse(path, f"it is a model for the task {task!r}")
    return model


def _pil_as_it_was() -> None:
    """Take back what ultralytics does to ``PIL.Image.open``.

    Its own one fails for want of a package, and not as PIL does, on a file that is no picture.
    """
    original = getattr(sys.modules.get("ultralytics.utils.patches"), "_image_open", None)
    if original is not None:
        Image.open = original


def yolo_options(confidence: float, size: int, device: str) -> dict[str, Any]:
    """What every call of ``predict`` gets."""
    return {
        "conf": confidence,
        "imgsz": size,
        "device": device,
        "max_det": _MAX_PEOPLE,
        "verbose": False,
        "save": False,
    }


def to_bgr(image: UInt8[np.ndarray, "height width 3"]) -> np.ndarray:
    """Ultralytics takes arrays as OpenCV reads them."""
    return np.ascontiguousarray(image[..., ::-1])
