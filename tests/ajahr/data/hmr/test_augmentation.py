"""What chance does to a crop: distributions, order, and each effect alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ajahr.data.hmr.augmentation import NUMBERS, AugmentationConfig, Placements, draw
from ajahr.data.hmr.chance import uniform
from ajahr.data.hmr.occlusion import OcclusionConfig
from ajahr.errors import UserError
from ajahr.geometry.crops import apply_affine, crop_affine

NONE = AugmentationConfig(
    scale=0, rotation_probability=0, shift=0, flip_probability=0, colour=0, extreme_crop_probability=0,
    occlusion=OcclusionConfig(patch_probability=0, truncation_probability=0),
)  # fmt: skip
COUNT = 3000


def drawn(config: AugmentationConfig, keypoints: np.ndarray | None = None, count: int = COUNT):
    return draw(
        uniform([(0, n) for n in range(count)], NUMBERS),
        config,
        np.tile([100.0, 80.0], (count, 1)),
        np.full(count, 200.0),
        np.zeros((count, 44, 3)) if keypoints is None else np.tile(keypoints, (count, 1, 1)),
        np.zeros((count, 4), np.int64),
    )


def test_nothing_where_all_is_off():
    found = drawn(NONE)
    place = found.placements
    assert (place.center == (100, 80)).all() and (place.side == 200).all()
    assert not place.rotation.any() and not place.flip.any() and (found.colour == 1).all()
    assert not found.occluded.any()


def test_scale():
    side = drawn(replace(NONE, scale=0.3)).placements.side / 200
    assert side.min() == pytest.approx(0.7) and side.max() == pytest.approx(1.3)
    assert np.isclose(side, 0.7).mean() == pytest.approx(0.1587, abs=0.03), "N(0, 1) cut, not drawn again"


def test_rotation():
    rotation = np.rad2deg(drawn(replace(NONE, rotation_probability=0.6)).placements.rotation)
    assert (rotation != 0).mean() == pytest.approx(0.6, abs=0.03)
    assert np.abs(rotation).max() == pytest.approx(60) and rotation[rotation != 0].std() == pytest.approx(
        29, abs=1.5
    )


def test_shift_is_a_share_of_the_box_before_its_scale():
    place = drawn(replace(NONE, shift=0.02, scale=0.3)).placements
    moved = place.center - (100, 80)
    assert np.abs(moved).max() == pytest.approx(0.02 * 200)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.06


def test_flip_and_colour():
    found = drawn(replace(NONE, flip_probability=0.5, colour=0.2))
    assert found.placements.flip.mean() == pytest.approx(0.5, abs=0.03)
    assert 0.8 <= found.colour.min() < 0.81 and 1.19 < found.colour.max() <= 1.2
    assert np.abs(np.corrcoef(found.colour.T) - np.eye(3)).max() < 0.06, "each channel by itself"


def test_extreme_crop_moves_the_box_only_where_drawn():
    keypoints = np.random.default_rng(0).uniform(400, 600, (44, 3))
    keypoints[:, 2] = 1
    place = drawn(replace(NONE, extreme_crop_probability=0.1), keypoints).placements
    moved = (place.center != (100, 80)).any(1)
    assert moved.mean() == pytest.approx(0.1, abs=0.02)
    assert (place.center[moved] > 400).all() and (place.side[~moved] == 200).all()


def test_occluders_by_kind():
    config = replace(
        NONE,
        occlusion=OcclusionConfig(
            patch_probability=0.2, object_probability=0.5, objects="cut-outs", truncation_probability=0.1
        ),
    )
    np.testing.assert_allclose(drawn(config).occluded.mean(0), (0.2, 0.5, 0.1), atol=0.03)


# the affine map


def test_affine_is_that_of_the_facts():
    place = Placements.plain(np.array([[100.0, 80.0]]), np.array([200.0]))
    np.testing.assert_allclose(place.affine()[0], [[1.28, 0, 0], [0, 1.28, 25.6]], atol=1e-12)
    turned = replace(place, rotation=np.deg2rad([30.0])).affine()[0]
    expected = [[1.10851253, 0.64000001, -34.05125369], [-0.64000001, 1.10851253, 103.31899944]]
    np.testing.assert_allclose(turned, expected, atol=3e-4)
    np.testing.assert_allclose(turned, crop_affine((100, 80), 200, rotation=np.deg2rad(30)), atol=1e-9)


def test_flip_mirrors_the_picture_and_the_box_then_crops():
    """Upstream's order, by hand: mirror points and the shifted centre about the picture, then the affine."""
    width = 640
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 400, (20, 2))
    place = Placements(rng.uniform(100, 300, (1, 2)), np.array([220.0]), np.array([0.4]), np.array([True]))
    x, y = place.center[0]
    by_hand = apply_affine(
        crop_affine((width - x, y), 220.0, rotation=0.4), np.stack([width - points[:, 0], points[:, 1]], 1)
    )
    np.testing.assert_allclose(apply_affine(place.affine()[0], points), by_hand, atol=1e-9)


@pytest.mark.parametrize(
    "wrong", [{"scale": 1.0}, {"flip_probability": 1.2}, {"colour": -0.1}, {"extreme_crop_probability": -1}]
)
def test_settings_out_of_range(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        AugmentationConfig(**wrong)
