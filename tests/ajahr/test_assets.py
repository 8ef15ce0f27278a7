"""The table of assets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ajahr.assets import ASSETS, Asset, data_root


def example(pattern: str) -> str:
    """A path that the pattern is meant for."""
    return pattern.replace("**/", "deep/er/").replace("[Ii]mages", "Images").replace("*", "x")


# law


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.key)
def test_each_pattern_finds_what_it_is_meant_for(asset, tmp_path):
    assert asset.find(tmp_path) == []
    for pattern in asset.patterns:
        root = tmp_path / str(asset.patterns.index(pattern))
        path = root / example(pattern)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        assert path in asset.find(root)


def test_names_are_unique_and_patterns_stay_below_the_root():
    assert len({asset.key for asset in ASSETS}) == len(ASSETS)
    for asset in ASSETS:
        assert asset.kind in ("body", "data", "weights")
        assert asset.patterns and not any(Path(p).is_absolute() or ".." in p for p in asset.patterns)


def test_everything_of_the_design_is_in_the_table():
    wanted = {
        "smpl", "smplx", "amass", "moyo", "a3d", "itw-amputee", "3dpw", "emdb", "bedlam", "h36m", "coco",
        "ldpose", "yolo11", "sam", "lama", "vitpose", "tokenhmr", "hmr2", "ajahr", "mean-params", "j19",
    }  # fmt: skip
    assert wanted <= {asset.key for asset in ASSETS}


def test_no_more_than_the_limit_is_looked_at(tmp_path):
    for i in range(9):
        (tmp_path / f"{i}.npz").write_bytes(b"")
    asset = Asset("a", "data", ("*.npz", "*"), "", "", "")
    assert len(asset.find(tmp_path, limit=4)) == 4


# edge


def test_the_root(monkeypatch):
    monkeypatch.delenv("AJAHR_DATA", raising=False)
    assert data_root() == Path("data")
    monkeypatch.setenv("AJAHR_DATA", "/somewhere")
    assert data_root() == Path("/somewhere")
    assert data_root("here") == Path("here")
    monkeypatch.setenv("AJAHR_DATA", "")
    assert data_root() == Path("data")


def test_a_root_that_is_not_there(tmp_path):
    assert ASSETS[0].find(tmp_path / "none") == []
