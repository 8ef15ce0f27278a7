"""What `ajahr predict` is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ajahr.inference.estimator import Precision
from ajahr.inference.predictor import Refine
from ajahr.keypoints.limb_status import FusionWeights


@dataclass(frozen=True)
class PredictConfig:
    """What to predict, with what, and what to write.

    Attributes:
        output: Folder of the results.
        weights: Name of weights that come with the package, or a folder of trained or imported ones.
        people: Where people are: an ultralytics YOLO checkpoint (.pt), a JSON file of boxes or COCO
            annotations, ``whole`` for one person a picture, or ``auto``: a YOLO checkpoint of the data root,
            else ``whole``.
        keypoints: 2D keypoints for BPAC-Net: a folder of a 25-point model of this project, which also judges the
            limbs and finds their ends, a ViTPose folder, a JSON file, ``none``, or ``auto``: those of the people's
            JSON, else a folder keypoints* or vitpose* among the data root's checkpoints, else the model that comes
            with the package's weights, else none.
        fusion: How much BPAC-Net and the 25 points are believed about limbs: weights on their log odds.
        body: The SMPL file that the weights were trained with; the embedded body when left out.
        mesh: Format of the meshes, or ``none``.
        picture: Draw the overlay (and, of a picture, the side view).
        viewer: Of a picture, write a page to turn its people on (STEM.html).
        recursive: Go into the folder's folders.
        overwrite: Predict again what is there already.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...
        precision: ``fp32`` or ``bf16``.
        batch_size: People at a time.
        threads: CPU threads of the network; as many as cores when left out.
        min_score: Detections below it are left out.
        person_class: Name of the detector's class of people, where it cannot be told.
        focal_length: Of the whole picture, px; HMR's guess when left out.
        refine: ``rafo`` fits residual limbs to their ends as the 25-point model sees them, or as they are given;
            ``fit``, before that, whole bodies to their keypoints (a quarter of a second a person).
        stature: Of the people, m: scales lengths of residual limbs. Without it they are marked unscaled.
        max_frames: Of a video or camera.
        max_gap: Frames a person of a video may be out of sight.
        sheet: Pictures on the contact sheet of a folder; 0 for no sheet.
    """

    output: Path = Path("predictions")
    weights: str = "tiny"
    people: str = "auto"
    keypoints: str = "auto"
    fusion: FusionWeights = field(default_factory=FusionWeights)
    body: Path | None = None
    mesh: Literal["glb", "obj", "ply", "none"] = "glb"
    picture: bool = True
    viewer: bool = False
    recursive: bool = False
    overwrite: bool = False
    device: str = "auto"
    precision: Precision = "fp32"
    batch_size: int = 16
    threads: int | None = None
    min_score: float = 0.5
    person_class: str = ""
    focal_length: float | None = None
    refine: Refine = "none"
    stature: float | None = None
    max_frames: int | None = None
    max_gap: int = 15
    sheet: int = 24
