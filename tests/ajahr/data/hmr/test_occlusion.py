"""Occluders and early ends: what they cover, and that they touch nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from fake_people import photo

from ajahr.data.hmr.occlusion import OcclusionConfig, occlude
from ajahr.errors import UserError
from ajahr.geometry.crops import crop_affine

IDENTITY = crop_affine((128, 128), 256)
PATCH, OBJECT, END = np.eye(3, dtype=bool)


def grid(confidence: float = 1.0) -> np.ndarray:
    """Keypoints over the whole crop and a little beyond."""
    places = np.stack(np.meshgrid(np.arange(-8, 272, 8), np.arange(-8, 272, 8)), -1).reshape(-1, 2) + 0.5
    return np.concatenate([places, np.full((len(places), 1), confidence)], 1)


@pytest.mark.parametrize("seed", range(12))
def test_patches_change_what_they_say_they_cover(seed):
    before = photo(256, 256, seed)
    after = before.copy()
    keypoints = grid()
    covered = occlude(np.random.default_rng(seed), OcclusionConfig(), after, keypoints, IDENTITY, PATCH)
    changed = (before != after).any(2)
    assert 0 < changed.mean() < 0.45
    inside = ((keypoints[:, :2] >= 0) & (keypoints[:, :2] < 256)).all(1)
    assert not covered[~inside].any()
    columns, rows = np.floor(keypoints[:, :2]).astype(int).T
    seen_change = np.zeros(len(keypoints), bool)
    seen_change[inside] = changed[rows[inside], columns[inside]]
    assert (covered >= seen_change).all(), "nothing changes that is not said to be covered"
    assert covered.sum() <= 1.3 * seen_change.sum() + 3, "a texture may repeat a pixel's colour, seldom"


def test_occluders_prefer_the_person():
    config = OcclusionConfig(patches=(1, 1), patch_size=(0.1, 0.1), on_person=1.0)
    person = np.array([[60.0, 200.0, 1.0], [200.0, 40.0, 0.0]])
    hits = [
        occlude(np.random.default_rng(seed), config, photo(256, 256), person, IDENTITY, PATCH)
        for seed in range(30)
    ]
    assert np.mean(hits, 0)[0] > 0.9 and not np.any(hits, 0)[1], "never around a keypoint without a label"


@pytest.mark.parametrize("rotation", [0.0, 0.6])
def test_pictures_end_parallel_to_their_edges(rotation):
    affine = crop_affine((128, 128), 256, rotation=rotation)
    for seed in range(8):
        crop = np.full((256, 256, 3), 200, np.uint8)
        config = OcclusionConfig(truncation_depth=0.35)
        keypoints = np.array([[128.0, 128.0, 1.0]])
        covered = occlude(np.random.default_rng(seed), config, crop, keypoints, affine, END)
        assert not covered.any(), "the middle always stays"
        black = np.argwhere((crop == 0).all(2))[:, ::-1] + 0.5
        if len(black) < 50:
            continue
        assert len(black) < 0.55 * 256**2
        local = (black - 128) @ affine[:, :2]  # rotation undone
        edge = np.array([local[:, 0].min(), -local[:, 0].max(), local[:, 1].min(), -local[:, 1].max()]).max()
        kept = (np.argwhere((crop > 0).all(2))[:, ::-1] + 0.5 - 128) @ affine[:, :2]
        reach = np.array([kept[:, 0].max(), -kept[:, 0].min(), kept[:, 1].max(), -kept[:, 1].min()]).min()
        assert reach == pytest.approx(edge, abs=2.0), "one straight line between picture and black"


def test_objects_are_blended_in(tmp_path):
    import cv2

    cutout = np.zeros((40, 20, 4), np.uint8)
    cutout[..., 2], cutout[..., 3] = 250, 255  # red in OpenCV's order
    cutout[:20, :, 3] = 0
    cv2.imwrite(str(tmp_path / "object.png"), cutout)
    config = OcclusionConfig(object_probability=1, objects=str(tmp_path), object_size=(0.5, 0.5), on_person=1)
    crop = np.full((256, 256, 3), 90, np.uint8)
    person = np.array([[128.0, 128.0, 1.0], [128.0, 150.0, 1.0], [128.0, 90.0, 1.0]])[:1]
    points = np.concatenate([person, [[128.0, 160.0, 1.0], [128.0, 96.0, 1.0]]])
    covered = occlude(
        np.random.default_rng(0), config, crop, points * ((1, 1, 1), (1, 1, 0), (1, 1, 0)), IDENTITY, OBJECT
    )
    red = (crop[..., 0] > 200) & (crop[..., 1] < 30)
    rows, columns = np.nonzero(red)
    assert len(rows) == pytest.approx(64 * 64, rel=0.05), "half of 64 x 128 is opaque"
    assert rows.min() == pytest.approx(128, abs=1) and columns.min() == pytest.approx(96, abs=1)
    assert (crop[~red] == 90).mean() > 0.97 and not covered[1:].any()


def test_objects_that_cannot_be_used(tmp_path):
    with pytest.raises(UserError, match="needs a folder"):
        OcclusionConfig(object_probability=0.5)
    config = OcclusionConfig(object_probability=1, objects=str(tmp_path / "none"))
    with pytest.raises(UserError, match="no PNG in it"):
        occlude(np.random.default_rng(0), config, photo(256, 256), grid(), IDENTITY, OBJECT)


@pytest.mark.parametrize(
    "wrong", [{"patch_probability": 2.0}, {"patch_size": (0.5, 0.1)}, {"patches": (0, 1)}]
)
def test_settings_out_of_range(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        OcclusionConfig(**wrong)
