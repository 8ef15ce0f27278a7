"""The backends a configuration names, and one look at them before the first photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ajahr.data.files import sha256_of
from ajahr.data.readers.people import PersonAnnotation
from ajahr.inference.external import WeightsFile, pick_device
from synth.config import BackgroundConfig
from synth.photos.backends.keypoints import (
    VITPOSE_KEYPOINTS,
    YOLO_KEYPOINTS,
    VitPoseKeypoints,
    YoloPoseKeypoints,
)
from synth.photos.backends.lama import LAMA_WEIGHTS, LamaInpainter
from synth.photos.backends.lpips import Lpips, trunk_weights
from synth.photos.backends.pose_check import VITPOSE_WEIGHTS, VitPoseCheck
from synth.photos.backends.sam import SAM_WEIGHTS, SamSegmenter
from synth.photos.backends.yolo import DETECTOR_WEIGHTS, POSE_WEIGHTS, YoloDetector, YoloPoseCheck
from synth.photos.detect import Detector, KeypointDetector, PersonCheck
from synth.photos.inpaint import Inpainter, make_inpainter
from synth.photos.segment import AnnotationSegmenter, GrabCutSegmenter, Segmenter

Distance = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Backends:
    """What turns a photograph into a clean background; None for steps that are left out."""

    segmenter: Segmenter
    inpainter: Inpainter
    detector: Detector | None = None
    checker: PersonCheck | None = None
    distance: Distance | None = None
    keypoints: KeypointDetector | None = None


def weights_of(options: BackgroundConfig) -> list[tuple[WeightsFile, Path | None]]:
    """The weights that the chosen backends read; empty where none needs any."""
    checker = VITPOSE_WEIGHTS if options.checker == "vitpose" else POSE_WEIGHTS
    found: list[tuple[WeightsFile, Path | None]] = []
    if options.detector == "yolo":
        found.append((DETECTOR_WEIGHTS, options.detector_weights))
    if options.segmenter == "sam":
        found.append((SAM_WEIGHTS, options.segmenter_weights))
    if options.inpainter == "lama":
        found.append((LAMA_WEIGHTS, options.inpainter_weights))
    if options.checker != "none":
        found.append((checker, options.checker_weights))
    if options.fit and options.keypoints != "annotated":
        file = VITPOSE_KEYPOINTS if options.keypoints == "vitpose" else YOLO_KEYPOINTS
        found.append((file, options.keypoints_weights))
    if options.lpips != "none":
        found.append((trunk_weights(options.lpips), options.lpips_weights))
    return found


def weights_sha256(options: BackgroundConfig) -> dict[str, str]:
    """SHA-256 of each weights file, or of every file of a model folder, by key.

    Raises:
        MissingAsset: one is not there.
    """
    found = {}
    for file, given in weights_of(options):
        path = file.find(given)
        parts = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found[file.key] = " ".join(sha256_of(part) for part in parts)
    return found


def device_for(options: BackgroundConfig, device: str) -> str:
    """Where the models run: the CPU where there are none.

    Raises:
        UserError: a GPU is asked for and there is none.
    """
    return pick_device(device, "run.device") if weights_of(options) else "cpu"


def make_backends(options: BackgroundConfig, device: str = "cpu") -> Backends:
    """Load everything.

    Raises:
        MissingAsset: a package or weights are missing; the message says where they come from.
        UserError: weights are not what they should be.
    """
    detector: Detector | None = None
    checker: PersonCheck | None = None
    distance: Distance | None = None
    if options.detector == "yolo":
        detector = YoloDetector(
            options.detector_weights,
            confidence=options.detector_confidence,
            size=options.detector_size,
            person_class=options.detector_class,
            device=device,
        )
    if options.segmenter == "sam":
        segmenter: Segmenter = SamSegmenter(options.segmenter_weights, device=device)
    else:
        segmenter = AnnotationSegmenter() if options.segmenter == "annotations" else GrabCutSegmenter()
    if options.inpainter == "lama":
        inpainter: Inpainter = LamaInpainter(options.inpainter_weights, device=device)
    else:
        inpainter = make_inpainter(options.inpainter)
    look = {
        "confidence": options.checker_confidence,
        "keypoints": options.checker_keypoints,
        "device": device,
    }
    if options.checker == "vitpose":
        checker = VitPoseCheck(options.checker_weights, **look)
    elif options.checker == "yolo_pose":
        checker = YoloPoseCheck(options.checker_weights, size=options.detector_size, **look)
    if options.lpips != "none":
        distance = Lpips(options.lpips, options.lpips_weights, device=device)
    keypoints: KeypointDetector | None = None
    if options.fit and options.keypoints == "vitpose":
        keypoints = VitPoseKeypoints(options.keypoints_weights, device=device)
    elif options.fit and options.keypoints == "yolo_pose":
        keypoints = YoloPoseKeypoints(
            options.keypoints_weights,
            size=options.detector_size,
            confidence=options.detector_confidence,
            device=device,
        )
    return Backends(segmenter, inpainter, detector, checker, distance, keypoints)


def check_backends(options: BackgroundConfig, device: str, tick: Callable[[], None]) -> None:
    """Load every backend and run each once on a small grey picture, so that a fault shows before the work.

    Raises:
        MissingAsset, UserError: as `make_backends`.
    """
    backends = make_backends(options, device)
    image = np.full((96, 128, 3), 128, np.uint8)
    box = np.array([40, 10, 80, 90], np.float32)
    if backends.detector is not None:
        backends.detector(image)
    backends.segmenter(image, PersonAnnotation(box))
    hole = np.zeros((96, 128), bool)
    hole[10:90, 40:80] = True
    clean = backends.inpainter(image, hole)
    if backends.checker is not None:
        backends.checker(clean, box[None])
    if backends.distance is not None:
        backends.distance(image, clean)
    if backends.keypoints is not None:
        backends.keypoints(image, box[None])
    tick()


_made: dict[str, Backends] = {}


def backends_of_this_process(options: BackgroundConfig, device: str) -> Backends:
    """The backends, loaded once per process and configuration."""
    key = f"{options} {device}"
    if key not in _made:
        _made.clear()
        _made[key] = make_backends(options, device)
    return _made[key]
