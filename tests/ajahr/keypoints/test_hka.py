"""Hip-knee-ankle angles: sign, invariance, uncertainty, and every refusal."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ajahr.anatomy import LDPOSE25
from ajahr.body.data import load_body
from ajahr.body.fast import FastBody
from ajahr.body.standing import standing_pose
from ajahr.geometry.cameras import Camera
from ajahr.keypoints.calibration import HkaCalibration
from ajahr.keypoints.hka import Gates, LegAngle, Reason, measure_legs
from ajahr.keypoints.hka_geometry import facing, frontal_width, turn_sd_deg

SIZE = (1200, 1600)
SHARP = np.full(25, 1.0)
SURE = np.where(np.arange(25) < 17, 0.95, 0.02)
INDEX = LDPOSE25.index


def stand(left: float = 0.0, right: float = 0.0) -> np.ndarray:
    """A person who faces the camera, upright, with these deviations (degrees, varus negative)."""
    points = np.zeros((25, 2))
    for side, sign in (("left", 1), ("right", -1)):
        points[INDEX[f"{side}_ear"]] = (600 + 30 * sign, 200)
        points[INDEX[f"{side}_shoulder"]] = (600 + 130 * sign, 330)
        points[INDEX[f"{side}_hip"]] = (600 + 60 * sign, 700)
        points[INDEX[f"{side}_knee"]] = (600 + 65 * sign, 1000)
    points[INDEX["nose"]] = (600, 210)
    for side, deviation, sign in (("left", left, 1), ("right", right, -1)):
        hip, knee = points[INDEX[f"{side}_hip"]], points[INDEX[f"{side}_knee"]]
        along = math.atan2(*(knee - hip)) + sign * math.radians(deviation)  # valgus: the shank turns outward
        points[INDEX[f"{side}_ankle"]] = knee + 320 * np.array([math.sin(along), math.cos(along)])
    return points


def measure(points: np.ndarray, **changes: Any) -> tuple[LegAngle, LegAngle]:
    arguments = {"scores": SURE, "sd_px": SHARP, "image_size": SIZE, **changes}
    return measure_legs(points, **arguments)


def values(points: np.ndarray, **changes: Any) -> tuple[float, float]:
    left, right = measure(points, **changes)
    assert left.deviation_deg is not None and right.deviation_deg is not None, (left.reason, right.reason)
    return left.deviation_deg, right.deviation_deg


@pytest.mark.parametrize(("left", "right"), [(0, 0), (5, 5), (-5, -5), (-10, 10), (2.5, 0)])
def test_sign_and_size(left: float, right: float) -> None:
    assert values(stand(left, right)) == pytest.approx((left, right), abs=1e-9)


def test_varus_is_a_medial_ankle_on_either_side() -> None:
    points = stand()
    points[INDEX["left_ankle"], 0] -= 20
    points[INDEX["right_ankle"], 0] += 20
    left, right = values(points)
    assert left == pytest.approx(right) and left < -3


def test_seen_from_behind() -> None:
    behind = stand(-4, 6)
    behind[:, 0] = 1200 - behind[:, 0]
    assert facing(behind) == -facing(stand())
    assert values(behind) == pytest.approx((-4, 6), abs=1e-9)


def test_a_mirrored_photograph_swaps_sides() -> None:
    mirrored = stand(-4, 6)
    mirrored[:, 0] = 1200 - mirrored[:, 0]
    assert values(mirrored[list(LDPOSE25.flip)]) == pytest.approx((6, -4), abs=1e-9)


@pytest.mark.parametrize("turn", [-9.0, 5.0, 9.9])
def test_tilt_scale_and_place_of_the_camera_change_nothing(turn: float) -> None:
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    moved = 0.7 * (stand(3, -7) - 600) @ np.array([[cosine, sine], [-sine, cosine]]) + [560, 620]
    assert values(moved) == pytest.approx((3, -7), abs=1e-9)


def test_the_interval_and_calibration() -> None:
    left, _ = measure(stand(-5, 0), calibration=HkaCalibration(2.0, 1.0))
    plain, _ = measure(stand(-5, 0))
    assert left.deviation_deg == pytest.approx(-9) and left.sd_deg == pytest.approx(2 * (plain.sd_deg or 0))
    assert left.interval_deg is not None and sum(left.interval_deg) / 2 == pytest.approx(-9)
    assert plain.angle("medial") == pytest.approx(175) and plain.angle("lateral") == pytest.approx(185)
    assert (
        plain.words == "varus"
        and measure(stand(4, 0))[0].words == "valgus"
        and measure(stand(2, 0))[0].words == "neutral"
    )


def test_the_floor_and_scale_of_the_spread() -> None:
    plain, _ = measure(stand(0, 0))
    wide, _ = measure(stand(0, 0), calibration=HkaCalibration(sd_scale=3.0, sd_floor_deg=4.0))
    of_points = turn_sd_deg(*(stand()[INDEX[f"left_{n}"]] for n in ("hip", "knee", "ankle")), np.ones(3))
    of_view = (plain.sd_deg or 0) ** 2 - of_points**2
    assert of_view > 0 and wide.sd_deg == pytest.approx(math.sqrt(9 * of_points**2 + 16 + of_view))


@pytest.fixture(scope="module")
def body() -> FastBody:
    return FastBody(load_body())


CAMERA = Camera.centred(1200, 1600, 2400.0)


def exact(body: FastBody, deviation: tuple[float, float], flexion: float, yaw: float) -> np.ndarray:
    """The 25 points of a standing body, 3.5 m away, as the camera sees them."""
    betas = np.zeros(10, np.float32)
    pose = standing_pose(body, betas, deviation, (flexion, flexion), yaw)
    posed = body(betas, pose, np.zeros(24, bool), np.array([0.0, -0.1, 3.5]))
    return np.asarray(CAMERA.project(posed.ldpose25), np.float64)


@pytest.mark.parametrize("flexion", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("yaw", [-10.0, -4.0, 0.0, 10.0])
def test_under_three_tenths_of_a_degree_from_exact_points(body: FastBody, yaw: float, flexion: float) -> None:
    for deviation in (-10.0, -3.0, 0.0, 6.0, 10.0):
        found = values(exact(body, (deviation, -deviation), flexion, yaw))
        assert found == pytest.approx((deviation, -deviation), abs=0.3)


def test_yaw_is_read_off_the_face_and_not_off_a_turned_head(body: FastBody) -> None:
    for yaw in (-10.0, 0.0, 7.0):
        left, right = measure(exact(body, (0, 0), 0, yaw))
        assert left.yaw_deg == right.yaw_deg == pytest.approx(yaw, abs=1.0)
    looks_away = stand()
    looks_away[INDEX["nose"], 0] += 30
    assert measure(looks_away)[0].yaw_deg is None
    hidden = SURE.copy()
    hidden[INDEX["left_ear"]] = 0.1
    away, seen = (measure(stand(), scores=scores)[0] for scores in (hidden, SURE))
    assert away.yaw_deg is None and (away.sd_deg or 0) > (seen.sd_deg or 0)


def test_the_view_is_in_the_interval(body: FastBody) -> None:
    """Knees flexed by 0 to 2 degrees, people turned by up to 10, points exact: 95 % intervals must hold the truth."""
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(60):
        truth = tuple(rng.uniform(-10, 10, 2))
        points = exact(body, truth, rng.uniform(0, 2), rng.uniform(-10, 10))
        for leg, value in zip(measure(points, sd_px=np.zeros(25)), truth, strict=True):
            assert leg.interval_deg is not None
            inside.append(leg.interval_deg[0] <= value <= leg.interval_deg[1])
    assert np.mean(inside) > 0.9


class TestRefusals:
    def reasons(self, points: np.ndarray, **changes: Any) -> tuple[Reason | None, Reason | None]:
        left, right = measure(points, **changes)
        for leg in (left, right):
            assert (leg.deviation_deg is None) == (leg.reason is not None) == (leg.interval_deg is None)
        return left.reason, right.reason

    @pytest.mark.parametrize("end", ["left_above_knee_res", "left_below_knee_res"])
    def test_an_absent_limb_by_the_model(self, end: str) -> None:
        scores = SURE.copy()
        scores[INDEX[end]], scores[INDEX["left_ankle"]] = 0.8, 0.1
        assert self.reasons(stand(), scores=scores) == (Reason.LIMB_ABSENT, None)

    def test_an_absent_limb_by_what_is_known_whatever_the_model_says(self) -> None:
        presence = np.full(25, -1)
        presence[[INDEX["right_knee"], INDEX["right_ankle"]]] = 0
        assert self.reasons(stand(), presence=presence) == (None, Reason.LIMB_ABSENT)
        presence[:] = -1
        presence[INDEX["right_ankle"]] = 1
        scores = SURE.copy()
        scores[INDEX["right_below_knee_res"]] = 0.4
        assert self.reasons(stand(), presence=presence, scores=scores) == (None, None)

    def test_a_below_knee_residual_has_an_axis_and_no_angle(self) -> None:
        points, scores = stand(-6, 0), SURE.copy()
        points[INDEX["left_below_knee_res"]] = points[[INDEX["left_knee"], INDEX["left_ankle"]]].mean(0)
        scores[INDEX["left_below_knee_res"]], scores[INDEX["left_ankle"]] = 0.9, 0.0
        left, _ = measure(points, scores=scores)
        assert left.deviation_deg is None and left.reason == Reason.LIMB_ABSENT
        assert left.residual_axis_deviation_deg == pytest.approx(-6)

    def test_an_ankle_and_an_end_at_once(self) -> None:
        scores = SURE.copy()
        scores[INDEX["left_below_knee_res"]] = 0.6
        assert self.reasons(stand(), scores=scores) == (Reason.LIMB_UNCLEAR, None)

    def test_low_scores_and_the_border(self) -> None:
        scores = SURE.copy()
        scores[INDEX["right_knee"]] = 0.49
        assert self.reasons(stand(), scores=scores) == (None, Reason.LOW_SCORE)
        assert self.reasons(stand(), image_size=(1200, 1322)) == (Reason.OUTSIDE_IMAGE, Reason.OUTSIDE_IMAGE)

    def test_coinciding_points(self) -> None:
        points = stand()
        points[INDEX["left_ankle"]] = points[INDEX["left_knee"]]
        assert self.reasons(points)[0] == Reason.COINCIDENT_POINTS

    def test_hips_behind_one_another(self) -> None:
        points = stand()
        points[INDEX["right_hip"]] = points[INDEX["left_hip"]] = (600, 700)
        assert facing(points) == 0
        assert self.reasons(points) == (Reason.FACING_UNDEFINED, Reason.FACING_UNDEFINED)

    def test_leaning_sitting_and_turning(self) -> None:
        cosine, sine = math.cos(math.radians(12)), math.sin(math.radians(12))
        leaning = (stand() - 600) @ np.array([[cosine, sine], [-sine, cosine]]) + [600, 650]
        assert self.reasons(leaning)[0] == Reason.NOT_STANDING
        sitting = stand()
        sitting[INDEX["left_knee"]], sitting[INDEX["left_ankle"]] = (760, 780), (765, 1050)
        assert self.reasons(sitting) == (Reason.NOT_STANDING, None)
        turned = stand()
        turned[:, 0] = 600 + (turned[:, 0] - 600) * math.cos(math.radians(60))
        assert self.reasons(turned) == (Reason.NOT_FRONTAL, Reason.NOT_FRONTAL)
        assert frontal_width(turned) == pytest.approx(frontal_width(stand()) / 2)

    def test_few_pixels_and_wide_intervals(self) -> None:
        assert self.reasons(0.19 * stand(), gates=Gates(border=0.0))[0] == Reason.TOO_SMALL
        assert self.reasons(stand(), sd_px=20 * SHARP)[0] == Reason.TOO_UNCERTAIN
        for unknown in (np.nan, np.inf):
            assert self.reasons(stand(), sd_px=unknown * SHARP)[0] == Reason.TOO_UNCERTAIN

    def test_coco_s_17_points_do(self) -> None:
        left, right = measure_legs(stand(-2, 2)[:17], SURE[:17], SHARP[:17], SIZE)
        assert (left.deviation_deg, right.deviation_deg) == pytest.approx((-2, 2))


def from_the_side(flexion: float, heading: int) -> np.ndarray:
    points = stand()
    points[:, 0] = 600 + 0.05 * (points[:, 0] - 600)
    points[INDEX["nose"], 0] = 600 + 40 * heading
    for side in ("left", "right"):
        knee = points[INDEX[f"{side}_knee"]] = points[INDEX[f"{side}_hip"]] + [0, 300]
        angle = math.radians(flexion)
        points[INDEX[f"{side}_ankle"]] = knee + 320 * np.array([-heading * math.sin(angle), math.cos(angle)])
    return points


@pytest.mark.parametrize("heading", [1, -1])
@pytest.mark.parametrize("flexion", [0.0, 30.0, -5.0])
def test_flexion_is_of_a_side_view_only(flexion: float, heading: int) -> None:
    left, right = measure(from_the_side(flexion, heading))
    assert left.flexion_deg == pytest.approx(flexion, abs=1e-9) == right.flexion_deg
    assert left.reason == Reason.NOT_FRONTAL
    frontal, _ = measure(stand())
    assert frontal.flexion_deg is None and frontal.flexion_reason == Reason.NOT_SAGITTAL
    scores = SURE.copy()
    scores[INDEX["nose"]] = 0
    blind, _ = measure(from_the_side(flexion, heading), scores=scores)
    assert blind.flexion_deg is None and blind.flexion_reason == Reason.FACING_UNDEFINED


@pytest.mark.parametrize("deviation", [-10.0, -4.0, 0.0, 7.0, 10.0])
@pytest.mark.parametrize("yaw", [-10.0, 0.0, 10.0])
@pytest.mark.parametrize("flexion", [0.0, 2.0])
def test_exact_points_of_a_leg_in_space_within_what_the_view_costs(
    deviation: float, yaw: float, flexion: float
) -> None:
    """Legs of known alignment in 3D, seen turned by up to 10 degrees from 4 m: the formula's own error."""
    limits = {(0.0, 0.0): 1e-6, (0.0, 2.0): 0.05, (10.0, 0.0): 0.25, (10.0, 2.0): 0.6}
    shank = np.array([math.tan(math.radians(deviation)), 1.0, 0.0])
    shank = shank / np.linalg.norm(shank) * 0.42
    shank += np.array([0, 0, 0.42 * math.sin(math.radians(flexion))])  # away from the camera: flexed
    points = np.zeros((25, 3))
    for side, sign in (("left", 1), ("right", -1)):
        points[INDEX[f"{side}_shoulder"]] = (0.18 * sign, -1.4, 0)
        points[INDEX[f"{side}_hip"]] = (0.09 * sign, -0.9, 0)
        points[INDEX[f"{side}_knee"]] = (0.09 * sign, -0.45, 0)
        points[INDEX[f"{side}_ankle"]] = points[INDEX[f"{side}_knee"]] + shank * [sign, 1, 1]
    cosine, sine = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    turned = points @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    far = turned + np.array([0, 0.7, 400])  # a far camera: no perspective
    pixels = 4e5 * far[:, :2] / far[:, 2:] + [600, 800]
    left, right = values(pixels, gates=replace(Gates(), max_half_width_deg=90.0))
    limit = limits[abs(yaw), flexion]
    assert left == pytest.approx(deviation, abs=limit) and right == pytest.approx(deviation, abs=limit)
