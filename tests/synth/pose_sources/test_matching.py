"""A fit finds the person it is of, wherever its camera comes from, and nobody else."""

from dataclasses import replace

import numpy as np
import pytest
from pose_files import PHOTO_SIZE, SCALE, background, body, prediction, stander, write_hmr2, write_predictions

from synth.pose_sources.fits import read_hmr2
from synth.pose_sources.matching import ANYWHERE, Matcher, Placement, solve_weak
from synth.pose_sources.predictions import read_predictions

LEFT, RIGHT = stander(150, 240, 140, seed=1), stander(450, 260, 170, seed=2)


@pytest.fixture
def shown(tmp_path):
    return background("a", [LEFT, RIGHT], tmp_path / "bank", ids=["11", "12"])


def by_json(tmp_path, someone, **changes):
    return read_predictions(write_predictions(tmp_path / "p.json", [prediction(someone, "a.jpg", **changes)]))


def by_npz(tmp_path, person, **columns):
    return read_hmr2(write_hmr2(tmp_path / "fits.npz", [person], ["a.jpg"], **columns))


def check(placed, person, slot, near=0.5):
    assert isinstance(placed, Placement) and placed.slot == slot
    assert placed.px_per_m == pytest.approx(SCALE * person.px_per_m, rel=0.01)
    assert placed.pelvis_px == pytest.approx(tuple(SCALE * np.array(person.pelvis_px)), abs=near)
    assert placed.ground_y == pytest.approx(SCALE * person.box[3], abs=2 * near)


NO_KEYPOINTS = {"body_keypoints_2d": np.zeros((1, 25, 3)), "extra_keypoints_2d": np.zeros((1, 19, 3))}


@pytest.mark.parametrize(("person", "slot"), [(LEFT, 0), (RIGHT, 1)])
def test_from_any_camera(tmp_path, shown, person, slot):
    matcher = Matcher(body(), own_shape=False)
    crop = {
        "kind": "crop",
        "cam": person.crop_camera((300.0, 200.0), 320.0),
        "center": [300, 200],
        "size": 320,
    }
    check(matcher.place(by_json(tmp_path, person), 0, shown, False), person, slot)
    check(matcher.place(by_json(tmp_path, person, camera=crop), 0, shown, False), person, slot)
    check(matcher.place(by_json(tmp_path, person, camera=None), 0, shown, False), person, slot)
    check(matcher.place(by_npz(tmp_path, person), 0, shown, False), person, slot)
    check(matcher.place(by_npz(tmp_path, person, **NO_KEYPOINTS), 0, shown, False), person, slot)


def test_another_frame_of_the_same_camera_goes_where_it_was(tmp_path, shown):
    moved = replace(LEFT, pelvis_px=(300.0, 250.0))
    assert Matcher(body(), False).place(by_npz(tmp_path, moved), 0, shown, False) == "nobody_there"
    check(Matcher(body(), False).place(by_npz(tmp_path, moved), 0, shown, True), moved, ANYWHERE)


def test_why_a_fit_is_of_nobody_here(tmp_path, shown):
    matcher = Matcher(body(), own_shape=False)

    def place(fit):
        return matcher.place(fit, 0, shown, False)

    # the row's pose and keypoints are one person's, its box another's
    other = {"center": (RIGHT.box[None, :2] + RIGHT.box[None, 2:]) / 2}
    assert place(by_npz(tmp_path, LEFT, **other)) == "off_its_box"
    assert place(by_json(tmp_path, LEFT, bbox_xyxy=RIGHT.box.tolist())) == "off_its_box"
    assert place(by_json(tmp_path, LEFT, person="12")) == "another_person"
    assert place(by_json(tmp_path, LEFT, person="13")) == "no_such_place"
    check(place(by_json(tmp_path, LEFT, person="11")), LEFT, 0)
    # keypoints no body in this pose can have
    points = LEFT.keypoints[None].copy()
    points[..., :2] = np.random.default_rng(0).uniform(0, PHOTO_SIZE, (1, 44, 2))
    wild = by_npz(tmp_path, LEFT, body_keypoints_2d=points[:, :25], extra_keypoints_2d=points[:, 25:])
    assert place(wild) == "off_its_keypoints"
    nowhere = by_npz(tmp_path, LEFT, **NO_KEYPOINTS)
    assert place(replace(nowhere, box_xyxy=np.full((1, 4), np.nan, np.float32))) == "no_camera"


def test_weak_perspective_by_least_squares():
    rng = np.random.default_rng(0)
    points, weights = rng.normal(size=(12, 2)), rng.uniform(0.3, 1, 12)
    found = solve_weak(points, 80 * points + (30, 40), weights)
    assert found is not None and found[0] == pytest.approx(80) and found[1] == pytest.approx([30, 40])
    assert solve_weak(points, -80 * points, weights) is None
    assert solve_weak(np.zeros((6, 2)), points[:6], weights[:6]) is None
