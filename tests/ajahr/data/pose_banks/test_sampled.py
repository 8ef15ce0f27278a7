from __future__ import annotations

import numpy as np
import pytest

from ajahr.data.pose_banks import sampled
from ajahr.data.pose_banks.limb_levels import levels_of
from ajahr.data.pose_banks.sampled import SampledPoses, draw_levels, sample_poses
from ajahr.errors import UserError


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "CHUNK", 20)


def _all(count: int, seed: int, split: str, share: float = 0.5) -> SampledPoses:
    parts = list(sample_poses(count, seed, split, share))
    return SampledPoses(
        np.concatenate([p.pose_body for p in parts]), np.concatenate([p.absent_joints for p in parts])
    )


def test_count_seed_and_beginning() -> None:
    poses = _all(50, 3, "val")
    assert poses.pose_body.shape == (50, 63) and poses.absent_joints.shape == (50, 21)
    assert np.array_equal(_all(30, 3, "val").pose_body, poses.pose_body[:30])
    assert not np.array_equal(_all(30, 4, "val").pose_body, poses.pose_body[:30])


def test_splits_share_no_pose() -> None:
    rows = [row.tobytes() for split in sampled.SPLITS for row in _all(40, 0, split).pose_body]
    assert len(set(rows)) == len(rows)


def test_amputee_share() -> None:
    assert not _all(20, 0, "train", 0.0).absent_joints.any()
    assert _all(20, 0, "train", 1.0).absent_joints.any(1).all()
    assert 0.2 < _all(60, 0, "train").absent_joints.any(1).mean() < 0.8


def test_lost_joints_keep_rotations() -> None:
    poses = _all(60, 0, "train", 1.0)
    rotations = np.linalg.norm(poses.pose_body.reshape(-1, 21, 3), axis=-1)
    assert (rotations[poses.absent_joints] > 1e-3).mean() > 0.5
    assert np.isfinite(poses.pose_body).all()


def test_levels_reach_every_class_and_several_limbs() -> None:
    rng = np.random.default_rng(0)
    levels = np.array([draw_levels(rng) for _ in range(400)])
    assert all(set(levels[:, limb]) == {0, 1, 2, 3} for limb in range(4))
    assert set((levels > 0).sum(1)) == {1, 2, 3}
    absent = sampled.absent_joint_mask(levels)[:, 1:22]
    assert np.array_equal(levels_of(absent), levels)


def test_workers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers are asked in order, whoever is ready first."""

    class Pool:
        def __init__(self, *args: object) -> None: ...
        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *args: object) -> None: ...
        def submit(self, function, *args: object):
            class Later:
                def result(self) -> SampledPoses:
                    return function(*args)

            return Later()

    alone = _all(90, 1, "test").pose_body
    monkeypatch.setattr(sampled, "ProcessPoolExecutor", Pool)
    parts = [part.pose_body for part in sample_poses(90, 1, "test", 0.5, workers=2)]
    assert np.array_equal(np.concatenate(parts), alone)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 0, "val"), "0 poses"),
        ((5, 0, "dev"), "train, val, test"),
        ((5, 0, "val", 1.5), "amputee_share is 1.5"),
        ((5, 0, "val", 0.5, 0), "0 workers"),
    ],
)
def test_bad_arguments(arguments: tuple, text: str) -> None:
    with pytest.raises(UserError, match=text):
        list(sample_poses(*arguments))
