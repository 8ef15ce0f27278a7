"""`AJAHR`: photographs in, people out.

from ajahr import AJAHR

model = AJAHR.from_pretrained("tiny")
result = model.predict("photo.jpg", boxes=[[40, 20, 300, 460]])
print(result.people[0].limbs_in_words)
result.save("predictions")
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Num, UInt8
from PIL import Image

from ajahr.anatomy import NUM_LEVELS
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.images import LoadedImage, load_image
from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.inference.ahead import in_order
from ajahr.inference.estimator import (
    Crops,
    Estimates,
    Estimator,
    KeypointFrame,
    Precision,
    cut_people,
)
from ajahr.inference.external import pick_device
from ajahr.inference.fitted import PeopleFitter
from ajahr.inference.limb_points import LimbPointFinder, LimbPoints
from ajahr.inference.people import Detector, KeypointFinder, People
from ajahr.inference.person import LimbEvidence, gather_people
from ajahr.inference.pictures import Painter
from ajahr.inference.residual import check_stature, with_residual_limbs
from ajahr.inference.results import ImageResult
from ajahr.inference.shipped import companion, find_keypoints, find_weights
from ajahr.keypoints.limb_status import FusionWeights, fuse_status
from ajahr.models.decision import decide_levels
from ajahr.models.pretrained import load_pretrained
from ajahr.residual_limb.cutter import LimbCutter

MAX_PIXELS = 16_000_000
"""Larger photographs are read at a half, a quarter ... of their size; coordinates stay those of the file."""

_MOST_HELD = 128_000_000
"""Pixels (bytes) of pictures that wait for a batch to fill."""

Refine = Literal["none", "rafo", "fit"]
ImageLike = str | Path | Image.Image | np.ndarray | LoadedImage


@dataclass(frozen=True, eq=False)
class Request:
    """A picture to predict; ``people`` None, or a function that returns it, asks the detector."""

    image: ImageLike
    people: People | Callable[[LoadedImage], People | None] | None = None
    name: str = ""
    residual_limbs: bool = True
    """Whether to tell where limbs end and cut the body there; a video does so once for each person."""


@dataclass(frozen=True, eq=False)
class Failure:
    """A picture that could not be read, and why."""

    name: str
    error: UserError


@dataclass(frozen=True, eq=False)
class _Prepared:
    name: str
    image: LoadedImage
    people: People
    crops: Crops | None
    points: LimbPoints | None = None
    """Of a 25-point model, in px of the full picture."""
    residual_limbs: bool = True


class AJAHR:
    """A regressor and what finds people for it.

    Args:
        regressor: a `ajahr.models.regressor.Regressor`; it carries its body.
        detector: finds people where none are given. None: the whole picture is one person.
        keypoints: finds 2D keypoints of people who come without any. None: BPAC-Net sees none. A finder of LDPose's
            25 points is asked about everybody, and has a say in limb status.
        fusion: how much BPAC-Net and the 25 points are believed.
        device: ``cpu``, ``cuda``, or ``auto``.
        precision: ``fp32`` or ``bf16``.
        batch_size: people at a time.
        focal_length: of the whole picture, px; HMR's guess (5000 / 256 times the longer side) when None.
        min_score: detections below it are left out.
        refine: ``rafo`` fits residual limbs to the ends that a 25-point model sees, or that are given; ``fit``, before
            that, whole bodies to the keypoints (`ajahr.inference.fitted`).
        stature: of the people, m: scales lengths of residual limbs, nothing else.
    """

    def __init__(
        self,
        regressor: torch.nn.Module,
        *,
        detector: Detector | None = None,
        keypoints: KeypointFinder | LimbPointFinder | None = None,
        fusion: FusionWeights | None = None,
        device: str = "auto",
        precision: Precision = "fp32",
        batch_size: int = 16,
        focal_length: float | None = None,
        min_score: float = 0.0,
        max_pixels: int = MAX_PIXELS,
        refine: Refine = "none",
        stature: float | None = None,
    ) -> None:
        if focal_length is not None and not focal_length > 0:
            raise UserError(f"focal_length is {focal_length}; give a positive number of pixels")
        self.device = pick_device(device)
        self.estimator = Estimator(regressor, device=self.device, precision=precision, batch_size=batch_size)
        body: Body = regressor.body  # type: ignore[assignment]
        self.painter = Painter(body.data)
        self.limb_cutter = LimbCutter(body.data)
        self._fitter = PeopleFitter(body.data)
        config = getattr(regressor, "config", None)
        self.keypoint_frame: KeypointFrame = getattr(config, "keypoint_frame", "crop")
        check_stature(stature)
        self.refine: Refine = refine
        self.stature = stature
        self.detector, self.keypoints, self.fusion = detector, keypoints, fusion or FusionWeights()
        self.focal_length, self.min_score, self.max_pixels = focal_length, min_score, max_pixels

    @classmethod
    def from_pretrained(
        cls,
        weights: str | Path = "tiny",
        *,
        people: str | Path | Detector | None = None,
        keypoints: str | Path | KeypointFinder | LimbPointFinder | None = "auto",
        body: str | Path | None = None,
        device: str = "auto",
        precision: Precision = "fp32",
        batch_size: int = 16,
        focal_length: float | None = None,
        refine: Refine = "none",
        stature: float | None = None,
    ) -> AJAHR:
        """From saved weights.

        Args:
            weights: name of weights that come with the package, or a folder of
                `ajahr.models.pretrained.save_pretrained`.
            people: an ultralytics YOLO checkpoint, or any detector.
            keypoints: a folder of this project's 25-point model, a ViTPose folder as transformers saves it, or any
                finder; ``auto``, the 25-point model that comes with weights of the package; None for none.
            body: the SMPL file the weights were trained with; the embedded body when None.

        Raises:
            UserError: weights, checkpoint, folder or body are missing or of another kind.
        """
        device = pick_device(device)
        regressor = load_pretrained(find_weights(weights), Body(load_body(body)))
        if isinstance(people, str | Path):
            from ajahr.inference.yolo import YoloDetector

            people = YoloDetector(Path(people), device=device)
        if keypoints == "auto":
            keypoints = companion(weights)
        if isinstance(keypoints, str | Path):
            keypoints = find_keypoints(keypoints, device=device)
        return cls(
            regressor,
            detector=people,
            keypoints=keypoints,
            device=device,
            precision=precision,
            batch_size=batch_size,
            focal_length=focal_length,
            refine=refine,
            stature=stature,
        )

    def predict(
        self,
        image: ImageLike,
        boxes: Num[np.ndarray, "people 4"] | Sequence[Sequence[float | int]] | None = None,
        keypoints: Num[np.ndarray, "people _ 3"] | Sequence[Sequence[Sequence[float | int]]] | None = None,
    ) -> ImageResult:
        """The people of one picture.

        Args:
            image: a file, a Pillow image, or a uint8 RGB array.
            boxes: people as (x0, y0, x1, y1), px; None asks the detector.
            keypoints: COCO's 17 of each box, or LDPose's 25: x, y (px), confidence.

        Raises:
            UserError: the picture cannot be read.
            ValueError: boxes and keypoints that do not fit each other.
        """
        given = None if boxes is None else People.of(boxes, None, keypoints)
        return self.predict_one(Request(image, given))

    def predict_one(self, request: Request) -> ImageResult:
        """The people of one picture.

        Raises:
            UserError: the picture cannot be read.
        """
        waiting: deque[tuple[_Prepared | Failure, int]] = deque()
        prepared = self.prepare(request)
        waiting.append((prepared, len(prepared.people)))
        result = next(self._flush(waiting))
        assert isinstance(result, ImageResult)
        return result

    def predict_many(
        self, requests: Iterable[Request | ImageLike], *, ahead: int = 4
    ) -> Iterator[ImageResult | Failure]:
        """Results in the order asked for. People of several pictures share a batch.

        Pictures are read and cropped in a thread while the regressor works. One that cannot be read gives a
        `Failure` and no error.

        Args:
            ahead: pictures read before they are needed.
        """
        waiting: deque[tuple[_Prepared | Failure, int]] = deque()
        count = held = 0
        for prepared in self._read_ahead(requests, ahead):
            people = 0
            if isinstance(prepared, _Prepared):
                people = len(prepared.people)
                held += prepared.image.pixels.nbytes
            waiting.append((prepared, people))
            count += people
            if count >= self.estimator.batch_size or held > _MOST_HELD:
                yield from self._flush(waiting)
                count = held = 0
        yield from self._flush(waiting)

    def prepare(self, request: Request) -> _Prepared:
        """Read a picture, find its people and cut them out.

        Raises:
            UserError: the picture cannot be read.
        """
        image = self._load(request.image)
        name = request.name or (
            Path(request.image).name if isinstance(request.image, str | Path) else "picture.jpg"
        )
        asked = request.people
        people = asked if asked is None or isinstance(asked, People) else asked(image)
        if people is None:
            people = self._detect(image)
        people = people.usable(image.full_size)
        points = None
        if self.keypoints is not None and len(people):
            people, points = self._find_keypoints(image, people)
        crops = cut_people(image, people, self.keypoint_frame) if len(people) else None
        return _Prepared(name, image, people, crops, points, request.residual_limbs)

    def camera(self, size: tuple[int, int]) -> Camera:
        """Of a whole picture of (width, height)."""
        if self.focal_length is None:
            return Camera.hmr(*size)
        return Camera.centred(*size, self.focal_length)

    # ------------------------------------------------------------------------------------- steps

    def _load(self, image: ImageLike) -> LoadedImage:
        if isinstance(image, LoadedImage):
            return image
        if isinstance(image, str | Path):
            return load_image(image, max_pixels=self.max_pixels)
        array = np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
            raise UserError(f"a picture is uint8 RGB (h, w, 3), got {array.dtype} {array.shape}")
        return as_loaded(array)

    def _detect(self, image: LoadedImage) -> People:
        if self.detector is None:
            return People.whole(image.full_size)
        found = self.detector(image.pixels)
        found = found[found[:, 4] >= self.min_score]
        return People.of(found[:, :4] * image.reduction, found[:, 4])

    def _find_keypoints(self, image: LoadedImage, people: People) -> tuple[People, LimbPoints | None]:
        """People with keypoints, those who came with some keeping theirs; and the 25 points of a finder of these."""
        assert self.keypoints is not None
        without = np.flatnonzero(people.keypoints[..., 2].max(1) <= 0)
        factor = np.float32(image.reduction)
        keypoints = people.keypoints.copy()
        if isinstance(self.keypoints, LimbPointFinder):
            points = self.keypoints.limb_points(image.pixels, people.boxes_xyxy / factor)
            points = points.scaled(image.reduction)
            keypoints[without] = points.coco[without]
            return people.with_keypoints(keypoints), points
        if not len(without):
            return people, None
        found = self.keypoints(image.pixels, people.boxes_xyxy[without] / factor)
        keypoints[without] = found * np.array([factor, factor, 1], np.float32)
        return people.with_keypoints(keypoints), None

    def _estimate(self, prepared: list[_Prepared]) -> tuple[Estimates, LimbEvidence]:
        """Of the people of all pictures together. Whom the 25 points judge otherwise is regressed again.

        Given ends of residual limbs are the last word on their limbs.
        """
        crops = Crops.joined([one.crops for one in prepared if one.crops is not None])
        given = np.concatenate([one.people.told_levels for one in prepared])
        estimates = self.estimator(crops, given if (given >= 0).any() else None)
        told = [None if one.points is None else one.points.limb_probabilities for one in prepared]
        if any(one is None for one in told):
            fused = certain(estimates.limb_probabilities, given)
            return estimates, LimbEvidence(estimates.limb_probabilities, None, fused)
        keypoints = np.concatenate([one for one in told if one is not None])
        fused = certain(fuse_status(estimates.limb_probabilities, keypoints, self.fusion), given)
        assert fused is not None
        levels = decide_levels(fused, self.estimator.loss_threshold)
        changed = np.flatnonzero((levels != estimates.limb_levels).any(1))
        if len(changed):
            again = self.estimator(crops.take(changed), levels[changed])
            estimates = estimates.replaced(changed, again)
        return estimates, LimbEvidence(estimates.limb_probabilities, keypoints, fused.astype(np.float32))

    def _result(
        self, prepared: _Prepared, estimates: Estimates | None, evidence: LimbEvidence | None
    ) -> ImageResult:
        camera = self.camera(prepared.image.full_size)
        people = ()
        if estimates is not None and evidence is not None and prepared.crops is not None:
            people = gather_people(
                prepared.people, prepared.crops, estimates, camera, evidence=evidence, points=prepared.points
            )
            if self.refine == "fit":
                people = self._fitter(people)
            if prepared.residual_limbs:
                refine = self.refine != "none"
                people = tuple(
                    with_residual_limbs(one, self.limb_cutter, refine=refine, stature=self.stature)
                    for one in people
                )
        return ImageResult(prepared.name, people, camera, prepared.image, self.painter)

    def _flush(self, waiting: deque[tuple[_Prepared | Failure, int]]) -> Iterator[ImageResult | Failure]:
        seen = [one for one, _ in waiting if isinstance(one, _Prepared) and one.crops is not None]
        estimates, evidence = self._estimate(seen) if seen else (None, None)
        start = 0
        while waiting:
            one, people = waiting.popleft()
            if isinstance(one, Failure):
                yield one
                continue
            rows = told = None
            if estimates is not None and evidence is not None and people:
                rows = estimates.rows(start, start + people)
                told = evidence.rows(start, start + people)
            start += people
            yield self._result(one, rows, told)

    def _read_ahead(
        self, requests: Iterable[Request | ImageLike], ahead: int
    ) -> Iterator[_Prepared | Failure]:
        def attempt(request: Request) -> _Prepared | Failure:
            try:
                return self.prepare(request)
            except UserError as error:
                return Failure(request.name or str(request.image), error)

        wanted = (one if isinstance(one, Request) else Request(one) for one in requests)
        yield from in_order(attempt, wanted, ahead=ahead)


def certain(
    probabilities: Float[np.ndarray, "people limbs=4 levels=4"] | None,
    given: Int[np.ndarray, "people limbs=4"],
) -> Float[np.ndarray, "people limbs=4 levels=4"] | None:
    """Probabilities in which given levels (-1: none) are sure."""
    if probabilities is None or not (given >= 0).any():
        return probabilities
    sure = np.eye(NUM_LEVELS, dtype=np.float32)[given.clip(min=0)]
    return np.where((given >= 0)[..., None], sure, probabilities).astype(probabilities.dtype)


def as_loaded(pixels: UInt8[np.ndarray, "height width 3"]) -> LoadedImage:
    """An array as if it had been read from a file."""
    return LoadedImage(pixels, 1, (pixels.shape[1], pixels.shape[0]))
