from __future__ import annotations

import cv2
import numpy as np
import pytest

from ajahr.anatomy import COCO17
from ajahr.data.readers.people import PersonAnnotation
from ajahr.data.readers.rle import Rle
from synth.photos.segment import (
    AnnotationSegmenter,
    GrabCutSegmenter,
    draw_figure,
    draw_polygons,
    widen,
)

ONE = np.array([1.0, 1.0])
ZERO = np.zeros(2)
JOINTS = {
    "nose": (100, 45), "left_shoulder": (118, 75), "right_shoulder": (82, 75), "left_elbow": (128, 105),
    "right_elbow": (72, 105), "left_wrist": (130, 135), "right_wrist": (70, 135), "left_hip": (112, 135),
    "right_hip": (88, 135), "left_knee": (113, 180), "right_knee": (87, 180), "left_ankle": (114, 225),
    "right_ankle": (86, 225),
}  # fmt: skip


def keypoints() -> np.ndarray:
    points = np.zeros((17, 3), np.float32)
    for name, place in JOINTS.items():
        points[COCO17.index[name]] = (*place, 2)
    return points


def person(**changes) -> PersonAnnotation:
    return PersonAnnotation(np.array([60, 25, 140, 240], np.float32), **changes)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Somebody in two colours before a wall that has neither; and their true mask."""
    body = np.zeros((260, 220), np.uint8)
    cv2.circle(body, (100, 45), 16, 1, -1)
    cv2.rectangle(body, (78, 65), (122, 140), 1, -1)
    for a, b in (
        ((118, 75), (130, 135)),
        ((82, 75), (70, 135)),
        ((112, 138), (114, 232)),
        ((88, 138), (86, 232)),
    ):
        cv2.line(body, a, b, 1, 16)
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal((120, 160, 120), 12, (260, 220, 3)), 0, 255)
    y = np.arange(260)[:, None, None]
    clothes = np.where(y < 62, (205, 160, 140), np.where(y < 140, (180, 30, 30), (30, 30, 90)))
    image = np.where(body[..., None] > 0, clothes + rng.normal(0, 6, image.shape), image)
    return np.clip(image, 0, 255).astype(np.uint8), body > 0


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


# annotated masks


def test_polygon_covers_the_pixels_whose_centres_it_holds():
    square = np.array([[10, 20], [30, 20], [30, 50], [10, 50]], np.float32)
    mask = draw_polygons((square,), (60, 40))
    assert mask[20:50, 10:30].all()
    mask[19:51, 9:31] = False  # cv2 draws the outline, half a pixel more
    assert not mask.any()


def test_overlapping_outlines_are_joined_not_cut_out():
    a = np.array([[5, 5], [25, 5], [25, 25], [5, 25]], np.float32)
    assert draw_polygons((a, a + 8), (40, 40))[15, 15]


def test_outlines_far_outside_do_not_fail():
    far = np.array([[-1e9, -50], [1e9, -50], [20, 1e9]], np.float32)
    assert draw_polygons((far,), (40, 40)).any()
    assert not draw_polygons((far[:, ::-1] * 0 - 100,), (40, 40)).any()


def test_annotation_wins_over_the_fallback():
    def never(image, person):
        raise AssertionError("not needed")

    segment = AnnotationSegmenter(fallback=never)
    image = np.zeros((60, 40, 3), np.uint8)
    mask = np.zeros((60, 40), bool)
    mask[10:50, 5:20] = True
    assert (segment(image, person(rle=Rle.encode(mask))) == mask).all()
    square = np.array([[10, 20], [30, 20], [30, 50]], np.float32)
    assert segment(image, person(polygons=(square,))).any()


def test_a_run_length_mask_is_scaled_to_the_picture():
    mask = np.zeros((120, 80), bool)
    mask[20:100, 10:40] = True
    found = AnnotationSegmenter()(np.zeros((60, 40, 3), np.uint8), person(rle=Rle.encode(mask)))
    assert found[10:50, 5:20].all() and found.sum() == 40 * 15


def test_an_outline_outside_the_picture_falls_back():
    calls = []

    def fallback(image, person):
        calls.append(person)
        return np.ones(image.shape[:2], bool)

    outside = np.array([[500, 500], [600, 500], [600, 600]], np.float32)
    found = AnnotationSegmenter(fallback)(np.zeros((60, 40, 3), np.uint8), person(polygons=(outside,)))
    assert len(calls) == 1 and found.all()


# GrabCut


@pytest.mark.parametrize("with_keypoints", [False, True])
def test_grab_cut_finds_somebody(with_keypoints):
    image, truth = scene()
    found = GrabCutSegmenter()(image, person(keypoints_coco17=keypoints() if with_keypoints else None))
    assert iou(found, truth) > (0.7 if with_keypoints else 0.55)
    assert (widen(found) & truth).sum() > 0.99 * truth.sum(), "what is missed stays in the picture as a ghost"
    assert not found[:, :40].any() and not found[:, 165:].any()


def test_same_picture_gives_the_same_mask_whatever_ran_before():
    image, _ = scene()
    first = GrabCutSegmenter()(image, person())
    cv2.setRNGSeed(99)
    cv2.randu(np.zeros(10, np.uint8), 0, 255)
    assert (GrabCutSegmenter()(image, person()) == first).all()


def test_somebody_without_contrast_is_at_least_their_figure():
    image = np.full((260, 220, 3), 128, np.uint8)
    points = keypoints()
    found = GrabCutSegmenter()(image, person(keypoints_coco17=points))
    seen = points[points[:, 2] > 0, :2].astype(int)
    assert found[seen[:, 1], seen[:, 0]].all()
    plain = GrabCutSegmenter()(image, person())
    share = plain[25:240, 60:140].mean()
    assert 0.7 < share < 0.95 and plain[130, 100], "the box without its corners"


@pytest.mark.parametrize(
    "box", [[0, 0, 220, 260], [-50, -50, 500, 500], [100, 100, 103, 103], [218, 0, 220, 260], [0, 0, 220, 4]]
)
def test_any_box_gives_a_mask_inside_it(box):
    image, _ = scene()
    found = GrabCutSegmenter()(image, PersonAnnotation(np.array(box, np.float32)))
    assert found.shape == (260, 220) and found.any()
    x0, y0, x1, y1 = np.clip(box, 0, [220, 260, 220, 260])
    outside = found.copy()
    outside[max(y0 - 3, 0) : y1 + 3, max(x0 - 3, 0) : x1 + 3] = False
    assert not outside.any()


def test_a_box_outside_the_picture_has_no_mask():
    image, _ = scene()
    assert not GrabCutSegmenter()(image, PersonAnnotation(np.array([300, 300, 400, 400], np.float32))).any()


# the figure


def test_figure_covers_the_keypoints_and_grows_with_thickness():
    points = keypoints()
    thin, thick = (draw_figure(person(keypoints_coco17=points), (260, 220), ZERO, ONE, t) for t in (0.4, 1.0))
    seen = points[points[:, 2] > 0, :2].astype(int)
    assert thin[seen[:, 1], seen[:, 0]].all() and thin.sum() < 0.7 * thick.sum() and (thin <= thick).all()


def test_figure_follows_origin_and_scale():
    points = keypoints()
    whole = draw_figure(person(keypoints_coco17=points), (260, 220), ZERO, ONE, 1.0)
    part = draw_figure(person(keypoints_coco17=points), (100, 60), np.array([60.0, 40.0]), ONE / 2, 1.0)
    shrunk = cv2.resize(whole[40:240, 60:180].astype(np.uint8), (60, 100), interpolation=cv2.INTER_AREA) > 0
    assert iou(part, shrunk) > 0.85


@pytest.mark.parametrize(
    "names", [["left_knee", "left_ankle"], ["nose"], ["left_shoulder", "right_shoulder"]]
)
def test_a_few_keypoints_give_a_modest_figure(names):
    points = np.zeros((17, 3), np.float32)
    for name in names:
        points[COCO17.index[name]] = (*JOINTS[name], 2)
    figure = draw_figure(person(keypoints_coco17=points), (260, 220), ZERO, ONE, 1.0)
    assert 0 < figure.mean() < 0.2


def test_no_keypoints_no_figure():
    assert not draw_figure(person(), (260, 220), ZERO, ONE, 1.0).any()


# widening


def test_widening_is_proportional_with_a_floor():
    def growth(side: int) -> int:
        mask = np.zeros((900, 900), bool)
        mask[300 : 300 + side, 300 : 300 + side] = True
        return int(300 - np.flatnonzero(widen(mask).any(axis=1))[0])

    assert growth(400) == 2 * growth(200) == 10
    assert growth(10) == growth(40) == 3
    assert not widen(np.zeros((5, 5), bool)).any()
