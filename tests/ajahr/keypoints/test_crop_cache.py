"""Crops kept as pixels show and say what crops out of the pictures do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_dataset import write_dataset

from ajahr.errors import UserError
from ajahr.keypoints.crop_cache import CROPS, PEOPLE, build_cache, is_cache, open_cache
from ajahr.keypoints.samples import KeypointAugmentation, KeypointTable, make_sample, table_of_shards
from ajahr.training.keypoints_data import KeypointDataset

MILD = KeypointAugmentation(half_body_probability=0.0, scale=0.15, rotation_deg=10.0, shift=0.05, colour=0.2)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> KeypointTable:
    folder = tmp_path_factory.mktemp("shards") / "data"
    write_dataset(folder)
    return table_of_shards(folder)


@pytest.fixture(scope="module")
def cache(table: KeypointTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cache(table, tmp_path_factory.mktemp("cache") / "crops")


@pytest.mark.parametrize("augmentation", [None, MILD])
def test_a_sample_is_the_same_from_the_cache_and_from_the_picture(table, cache, augmentation) -> None:
    kept = open_cache(cache)
    for row in range(len(table)):
        a = make_sample(table, row, np.random.default_rng(row), augmentation)
        b = make_sample(kept, row, np.random.default_rng(row), augmentation)
        assert np.array_equal(a.visibility, b.visibility) and np.array_equal(a.presence, b.presence)
        assert a.points == pytest.approx(b.points, abs=0.02)
        # resampled twice: softer, but in the same place
        assert np.abs(a.pixels.astype(int) - b.pixels.astype(int)).mean() < 6


def test_a_config_takes_the_folder(table, cache) -> None:
    assert len(KeypointDataset(cache).open()) == len(table) and is_cache(cache)


def test_the_first_so_many(table, tmp_path: Path) -> None:
    ticks: list[int] = []
    build_cache(table, tmp_path / "two", people=2, tick=lambda: ticks.append(1))
    assert len(open_cache(tmp_path / "two")) == 2 == len(ticks)


def test_no_cache_and_a_broken_one(table, cache, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no cache"):
        open_cache(tmp_path)
    (tmp_path / PEOPLE).write_bytes(b"nothing")
    (tmp_path / CROPS).write_bytes(b"nothing")
    with pytest.raises(UserError, match="make it again"):
        open_cache(tmp_path)
    build = build_cache(table, tmp_path / "one", people=1)
    (build / PEOPLE).write_bytes((cache / PEOPLE).read_bytes())
    with pytest.raises(UserError, match="do not belong together"):
        open_cache(build)
