"""Weights by name or by folder."""

import pytest

from ajahr.errors import UserError
from ajahr.inference import shipped
from ajahr.inference.shipped import companion, find_weights


def test_weights_that_are_not_there(tmp_path):
    with pytest.raises(UserError, match=r"no weights 'small' come with this version; train them"):
        find_weights("small")
    with pytest.raises(UserError, match="no such weights"):
        find_weights(tmp_path / "gone")
    assert find_weights(tmp_path) == tmp_path


def test_shipped_weights_are_found_by_name(tmp_path, monkeypatch):
    (tmp_path / "small").mkdir()
    monkeypatch.setattr(shipped, "SHIPPED_WEIGHTS", tmp_path)
    assert find_weights("small") == tmp_path / "small"
    with pytest.raises(UserError):
        find_weights("../" + tmp_path.name)


def test_the_25_points_that_come_with_weights(tmp_path, monkeypatch):
    weights, own = tmp_path / "weights", tmp_path / "own"
    for folder in (
        weights / "small",
        weights / "small-keypoints",
        weights / "bare",
        own,
        tmp_path / "own-keypoints",
    ):
        folder.mkdir(parents=True)
    monkeypatch.setattr(shipped, "SHIPPED_WEIGHTS", weights)
    assert companion("small") == weights / "small-keypoints"
    assert companion("bare") is None and companion(own) is None, "only what comes along has one"
