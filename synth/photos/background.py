"""A photograph with people becomes a clean background with places where people stood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from ajahr.data.images import ImageError, LoadedImage, load_image
from ajahr.data.readers.people import PersonAnnotation, Photo, check_box, keep_inside
from synth.photos.detect import Detector, KeypointDetector, PersonCheck, add_detected
from synth.photos.inpaint import ExemplarInpainter, Inpainter
from synth.photos.light import Probe, probe_person
from synth.photos.quality import ssim
from synth.photos.segment import AnnotationSegmenter, Segmenter, widen
from synth.realism.blur import estimate_blur
from synth.realism.jpeg import jpeg_quality
from synth.record import Drop

MIN_SIDE_PX = 64
"""Smaller pictures are dropped."""
MAX_HOLE_SHARE = 0.75
"""A hole over more of the picture leaves too little of it to be called a photograph."""


@dataclass(frozen=True, eq=False)
class PersonSlot:
    """Where a removed person was, in px of the clean picture.

    Attributes:
        bbox_xyxy: Their box.
        keypoints_coco17: (x, y, visibility) or None.
        head_neck: Top of the head and neck, or None.
        mask: Their pixels within ``mask_box``, before widening.
        mask_box: (x0, y0, x1, y1), whole px.
        source_id: The annotation's own number.
        scores: Of keypoints that were detected, 0..1; None for annotated ones.
        probe: What they tell of the light on them, or None.
        blur_px: How unsharp they were (`estimate_blur`), or None.
    """

    bbox_xyxy: Float32[np.ndarray, "xyxy=4"]
    keypoints_coco17: Float32[np.ndarray, "17 3"] | None
    head_neck: Float32[np.ndarray, "2 3"] | None
    mask: Bool[np.ndarray, "h w"]
    mask_box: tuple[int, int, int, int]
    source_id: str
    scores: Float32[np.ndarray, "keypoints=17"] | None = None
    probe: Probe | None = None
    blur_px: float | None = None

    @property
    def confidence(self) -> Float32[np.ndarray, "keypoints=17"]:
        """A detector's scores, else as `PersonAnnotation.keypoint_confidence`."""
        if self.scores is not None:
            return self.scores
        return PersonAnnotation(self.bbox_xyxy, keypoints_coco17=self.keypoints_coco17).keypoint_confidence


@dataclass(frozen=True, eq=False)
class CleanBackground:
    """A picture nobody is in, as far as the annotations know.

    Attributes:
        image: RGB.
        slots: Where people large enough to be replaced were; empty for a photograph without people.
        hole: What was filled.
        ssim: Of the filled picture against the photograph, both at this size.
        scale: Size of ``image`` relative to the photograph.
        photo: The file.
        source: Name of its dataset.
        licence: One line.
        skipped_people: Reason to number of people removed or ignored without becoming a slot.
        lpips: Perceptual distance to the photograph, where it was measured.
        jpeg_quality: Of the photograph's file; None for no JPEG.
    """

    image: UInt8[np.ndarray, "height width 3"]
    slots: tuple[PersonSlot, ...]
    hole: Bool[np.ndarray, "height width"]
    ssim: float
    scale: float
    photo: Path
    source: str
    licence: str
    skipped_people: Counter[str] = field(default_factory=Counter)
    lpips: float | None = None
    jpeg_quality: int | None = None


def prepare_photo(
    photo: Photo,
    *,
    segmenter: Segmenter | None = None,
    inpainter: Inpainter | None = None,
    detector: Detector | None = None,
    checker: PersonCheck | None = None,
    distance: Callable[[np.ndarray, np.ndarray], float] | None = None,
    keypoints: KeypointDetector | None = None,
    max_side: int = 640,
    ssim_min: float = 0.5,
    max_people: int = 12,
    min_person_px: float = 60,
) -> CleanBackground:
    """Remove everybody annotated or detected in a photograph.

    Args:
        photo: The file and its people.
        segmenter: Finds a person's pixels; the annotated mask, else GrabCut, when None.
        inpainter: Fills the hole; patches of the same picture when None.
        detector: Finds people the annotations leave out.
        checker: Looks for people left in the result.
        distance: Perceptual distance of photograph and result, recorded with it.
        keypoints: Finds the keypoints of people whose annotation has none.
        max_side: The photograph is scaled down so that its longer side is at most this, px.
        ssim_min: Least similarity of the result to the photograph (paper, supplementary A: 0.5).
        max_people: Most people, crowd regions not counted.
        min_person_px: People lower than this in the scaled picture are removed but leave no slot.

    Raises:
        Drop: ``unreadable`` (its cause is the `ImageError`), ``too_small``, ``size_mismatch`` (annotations of
            a picture of another size), ``no_usable_person``, ``too_many_people``, ``hole_too_large``,
            ``ssim`` or ``person_left``.
    """
    segmenter, inpainter = segmenter or AnnotationSegmenter(), inpainter or ExemplarInpainter()
    loaded = _load(photo.path)
    annotated = photo.people_in(loaded)
    if annotated is None:
        raise Drop("size_mismatch")
    image, scale = _scaled(loaded, max_side)
    height, width = image.shape[:2]
    skipped: Counter[str] = Counter()
    people: list[PersonAnnotation] = []
    scaled = [person.scaled(width / loaded.size[0], height / loaded.size[1]) for person in annotated]
    if detector is not None:
        scaled = add_detected(scaled, detector(image))
    for person in scaled:
        fitted = _fit(person, (width, height))
        if fitted is None:
            skipped["outside_image"] += 1
        else:
            people.append(fitted)
    singles = sum(not person.crowd for person in people)
    if not singles:
        raise Drop("no_usable_person")
    if singles > max_people:
        raise Drop("too_many_people")

    hole = np.zeros((height, width), bool)
    slots: list[PersonSlot] = []
    for person in people:
        mask = segmenter(image, person)
        if not mask.any():
            skipped["no_mask"] += 1
            continue
        hole |= widen(mask)
        if person.crowd:
            skipped["crowd"] += 1
        elif person.bbox_xyxy[3] - person.bbox_xyxy[1] < min_person_px:
            skipped["too_small"] += 1
        else:
            slots.append(_slot(person, mask, image))
    if not hole.any():
        raise Drop("no_usable_person")
    if hole.mean() > MAX_HOLE_SHARE:
        raise Drop("hole_too_large")
    clean = inpainter(image, hole)
    similarity = ssim(image, clean)
    if similarity < ssim_min:
        raise Drop("ssim")
    if checker is not None:
        places = [person.bbox_xyxy for person in people if not person.crowd]
        if detector is not None:
            places.extend(detector(clean)[:, :4])
        if checker(clean, np.stack(places)):
            raise Drop("person_left")
    if keypoints is not None:
        slots = _with_keypoints(slots, image, keypoints)
    lpips = None if distance is None else distance(image, clean)
    return CleanBackground(
        clean,
        tuple(slots),
        hole,
        similarity,
        scale,
        photo.path,
        photo.source,
        photo.licence,
        skipped,
        lpips,
        jpeg_quality(photo.path.read_bytes()),
    )


def _with_keypoints(
    slots: list[PersonSlot], image: UInt8[np.ndarray, "height width 3"], detector: KeypointDetector
) -> list[PersonSlot]:
    """The slots, those without annotated keypoints with the detected ones."""
    bare = [i for i, slot in enumerate(slots) if slot.keypoints_coco17 is None]
    if bare:
        found = detector(image, np.stack([slots[i].bbox_xyxy for i in bare]))
        for i, points in zip(bare, found, strict=True):
            visible = np.where(points[:, 2:] > 0, np.float32(2), np.float32(0))
            keypoints = np.concatenate([points[:, :2], visible], axis=1)
            slots[i] = replace(slots[i], keypoints_coco17=keypoints, scores=points[:, 2].copy())
    return slots


def prepare_clean(
    path: str | Path, *, max_side: int = 640, source: str = "clean", licence: str = ""
) -> CleanBackground:
    """A photograph nobody is in, scaled as `prepare_photo` does.

    Raises:
        Drop: ``unreadable`` or ``too_small``.
    """
    image, scale = _scaled(_load(Path(path)), max_side)
    hole = np.zeros(image.shape[:2], bool)
    quality = jpeg_quality(Path(path).read_bytes())
    return CleanBackground(image, (), hole, 1.0, scale, Path(path), source, licence, jpeg_quality=quality)


def _load(path: Path) -> LoadedImage:
    try:
        loaded = load_image(path)
    except ImageError as error:
        raise Drop("unreadable") from error
    if min(loaded.size) < MIN_SIDE_PX:
        raise Drop("too_small")
    return loaded


def _scaled(loaded: LoadedImage, max_side: int) -> tuple[UInt8[np.ndarray, "height width 3"], float]:
    width, height = loaded.size
    factor = max_side / max(width, height)
    if factor >= 1:
        return loaded.pixels, 1.0
    # a long strip must not vanish
    size = (max(MIN_SIDE_PX, round(width * factor)), max(MIN_SIDE_PX, round(height * factor)))
    return cv2.resize(loaded.pixels, size, interpolation=cv2.INTER_AREA), factor


def _fit(person: PersonAnnotation, size: tuple[int, int]) -> PersonAnnotation | None:
    """The person with box and keypoints cut at the border, which the reader may not have known."""
    bbox, _ = check_box(person.bbox_xyxy, size)
    if bbox is None:
        return None
    keypoints, head_neck = (
        None if array is None else keep_inside(array, size)
        for array in (person.keypoints_coco17, person.head_neck)
    )
    return PersonAnnotation(
        bbox, person.polygons, person.rle, keypoints, head_neck, person.crowd, person.source_id
    )


def _slot(
    person: PersonAnnotation,
    mask: Bool[np.ndarray, "height width"],
    image: UInt8[np.ndarray, "height width 3"],
) -> PersonSlot:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, y0, x1, y1 = (int(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return PersonSlot(
        person.bbox_xyxy,
        person.keypoints_coco17,
        person.head_neck,
        mask[y0:y1, x0:x1].copy(),
        (x0, y0, x1, y1),
        person.source_id,
        probe=probe_person(image, mask),
        blur_px=estimate_blur(image, cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0),
    )
