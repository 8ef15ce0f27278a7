"""ITW-amputee."""

from __future__ import annotations

import numpy as np
import pytest

from ajahr.data.readers.itw_amputee import read_itw_amputee
from ajahr.errors import UserError


def test_all_labels_count_not_only_the_first(tmp_path):
    labels = np.empty(3, object)
    labels[:] = [[8], [8, 11], [12]]
    columns = {
        "imgname": np.array(["a.jpg", "b.jpg", "c.jpg"]), "center": np.full((3, 2), 100.0),
        "scale": np.full((3, 1), 90.0), "labels": labels, "gender": np.array(["n", "ntr", "n"]),
        "body_pose": np.full((3, 72), 0.1), "betas": np.zeros((3, 10)),
    }  # fmt: skip
    np.savez(tmp_path / "itw.npz", **columns)
    table = read_itw_amputee(tmp_path / "itw.npz", tmp_path)
    assert table.rows["levels"].tolist() == [[0, 0, 3, 0], [0, 0, 3, 3], [0, 0, 0, 0]]
    assert table.name == "ITW-amputee" and table.rows["trusted_3d"].all() and not table.rows["gender"].any()


def test_needs_its_labels(tmp_path):
    np.savez(tmp_path / "a.npz", imgname=np.array(["a"]), center=np.ones((1, 2)), scale=np.ones(1))
    with pytest.raises(UserError, match="no key 'labels'"):
        read_itw_amputee(tmp_path / "a.npz", tmp_path)
