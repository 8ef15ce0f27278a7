"""HMR2's training tars: rows, filters, damage, and the way to a batch."""

from __future__ import annotations

import numpy as np
import pytest
from fake_people import hmr2_person, hmr2_sample, photo, write_tar

from ajahr.data.hmr.collate import to_batch
from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.data.readers.hmr2_tars import KNOWN_BAD, Hmr2Filters, read_hmr2_tars
from ajahr.errors import UserError


def lost(keypoints: int) -> np.ndarray:
    """2D with so many labelled keypoints."""
    points = hmr2_person()["keypoints_2d"].copy()
    points[keypoints:, 2] = 0.2
    return points


def read(folder, **arguments):
    return read_hmr2_tars("*.tar", root=folder, name="SET", **arguments)


def test_rows_of_two_tars(tmp_path):
    write_tar(tmp_path / "0.tar", {**hmr2_sample("set/a", hmr2_person(1), hmr2_person(2), seed=4)})
    write_tar(tmp_path / "1.tar", {**hmr2_sample("set/b", hmr2_person(3), seed=5)})
    table = read(tmp_path, trusted_3d=True, limbs="intact")
    rows = table.rows
    assert [table.key(n) for n in range(3)] == ["SET/set/a/0", "SET/set/a/1", "SET/set/b/0"]
    np.testing.assert_allclose(rows["pose"][1].reshape(-1), hmr2_person(2)["body_pose"])
    np.testing.assert_allclose(rows["keypoints_3d"][2], hmr2_person(3)["keypoints_3d"])
    np.testing.assert_allclose(rows["side"], 0.8 * 200, rtol=1e-6)  # sizes in the tars are divided by 200
    assert rows["trusted_3d"].all() and not rows["levels"].any() and rows["has_pose"].all()
    batch = to_batch(HmrDataset([table], CropConfig(None)).__getitems__([2, 0]))
    assert batch.keys == ["SET/set/b/0", "SET/set/a/0"] and batch.image_size.tolist() == [[256, 240]] * 2
    assert not np.allclose(batch.image[0], batch.image[1])


def test_limbs_are_unknown_unless_said(tmp_path):
    write_tar(tmp_path / "0.tar", hmr2_sample("a", hmr2_person()))
    assert (read(tmp_path).rows["levels"] == -1).all()


@pytest.mark.parametrize(
    ("changes", "filters", "has_pose", "has_betas"),
    [
        ({}, {}, True, True),
        ({"betas": np.full(10, 3.1)}, {}, False, False),
        ({"betas": np.full(10, 3.1)}, {"pose_with_betas": False}, True, False),
        ({"has_betas": np.array(0.0)}, {}, False, False),
        ({"has_body_pose": False}, {}, False, False),
        ({"has_body_pose": False}, {"zero_betas": True}, False, True),
    ],
)
def test_pose_and_betas(tmp_path, changes, filters, has_pose, has_betas):
    write_tar(tmp_path / "0.tar", hmr2_sample("a", hmr2_person(**changes)))
    row = read(tmp_path, filters=Hmr2Filters(**filters)).rows[0]
    assert row["has_pose"].tolist() == [has_pose] * 24 and bool(row["has_betas"]) == has_betas
    if filters.get("zero_betas"):
        assert not row["betas"].any()


def fit(loss: float | None) -> dict:
    return (
        {}
        if loss is None
        else {"fitting_loss": np.array({"reprojection_loss": np.float64(loss)}, dtype=object)}
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"keypoints_2d": lost(5)}, None),
        ({"keypoints_2d": lost(4)}, "few_keypoints"),
        ({"extra_info": fit(30999.0)}, None),
        ({"extra_info": fit(31000.0)}, "bad_fit"),
        ({"extra_info": fit(None)}, None),
        ({"scale": np.zeros(2)}, "empty_box"),
        ({"scale": np.array([np.nan, 1.0])}, "bad_annotation"),
        ({"keypoints_2d": np.ones((43, 3))}, "bad_annotation"),
        ({"body_pose": np.full(72, np.inf)}, "bad_annotation"),
    ],
)
def test_who_is_left_out_is_counted_and_named(tmp_path, changes, reason):
    write_tar(tmp_path / "0.tar", hmr2_sample("a", hmr2_person(1), hmr2_person(2, **changes)))
    table = read(tmp_path)
    assert [table.key(n) for n in range(len(table))] == ["SET/a/0", *(["SET/a/1"] if reason is None else [])]
    assert table.dropped == ({reason: 1} if reason else {})
    if reason:
        assert "0.tar: a/1" in table.examples[reason]


def test_low_confidences_are_no_labels(tmp_path):
    points = hmr2_person()["keypoints_2d"].copy()
    points[:10, 2] = 0.29
    points[10:20, 2] = 0.3
    write_tar(tmp_path / "0.tar", hmr2_sample("a", hmr2_person(keypoints_2d=points)))
    confidence = read(tmp_path).rows[0]["keypoints_2d"][:, 2]
    assert not confidence[:10].any() and (confidence[10:20] > 0).all()


def test_implausible_poses_do_not_count(tmp_path):
    histogram = np.zeros((21, 40, 40, 40), np.float32)
    histogram[:, 20, 20, 20] = 1
    np.save(tmp_path / "histogram.npy", histogram)
    twisted = np.zeros(72, np.float32)
    twisted[3 * 18] = 3.0
    write_tar(
        tmp_path / "0.tar",
        hmr2_sample("a", hmr2_person(body_pose=np.full(72, 0.05)), hmr2_person(body_pose=twisted)),
    )
    rows = read(tmp_path, filters=Hmr2Filters(pose_histogram=str(tmp_path / "histogram.npy"))).rows
    assert rows["has_pose"].all(1).tolist() == [True, False] and rows["has_betas"].tolist() == [True, False]


def test_a_broken_member_costs_its_sample_only(tmp_path):
    path = tmp_path / "0.tar"
    write_tar(
        path,
        {
            **hmr2_sample("a", hmr2_person(1)),
            **hmr2_sample("b", hmr2_person(2)),
            **hmr2_sample("c", hmr2_person(3)),
        },
    )
    data = bytearray(path.read_bytes())
    start = data.index(b"b.jpg\0")
    data[start : start + 300] = b"\x55" * 300
    path.write_bytes(data)
    table = read(tmp_path)
    assert [table.key(n) for n in range(len(table))] == ["SET/a/0", "SET/c/0"]
    assert table.dropped == {"damaged_header": 1, "no_picture": 1}
    assert "after a.data.pyd" in table.examples["damaged_header"]
    batch = to_batch(HmrDataset([table], CropConfig(None)).__getitems__([1]))
    assert batch.keys == ["SET/c/0"]


def test_upstreams_known_bad_samples(tmp_path):
    bad = sorted(KNOWN_BAD)[0]
    assert len(KNOWN_BAD) == 18
    write_tar(
        tmp_path / "0.tar",
        {**hmr2_sample(bad, hmr2_person()), **hmr2_sample("aic-train/good", hmr2_person())},
    )
    table = read(tmp_path)
    assert len(table) == 1 and table.dropped == {"known_bad": 1}


def test_upstreams_known_bad_tars(tmp_path):
    for number in (2993, 2994, 3000, 3001):
        write_tar(
            tmp_path / "insta-train-vitpose-replicate" / f"{number:06d}.tar",
            hmr2_sample(f"k{number}", hmr2_person()),
        )
    table = read_hmr2_tars("insta-train-vitpose-replicate/*.tar", root=tmp_path, name="SET")
    assert table.rows["key"].tolist() == [b"k2993/0", b"k3001/0"] and not table.known_amputee().any()


def test_the_index_is_used_again_and_needs_no_pickles(tmp_path, monkeypatch):
    write_tar(tmp_path / "0.tar", hmr2_sample("a", hmr2_person(), image=None))
    first = read(tmp_path)
    monkeypatch.setattr("ajahr.data.readers.hmr2_tars.scan_tar", lambda path: pytest.fail("read again"))
    again = read(tmp_path)
    assert again.rows.tobytes() == first.rows.tobytes()
    assert again.sample(0).picture[:2] == b"\xff\xd8" and photo(4, 4).any()


def test_no_tars(tmp_path):
    with pytest.raises(UserError, match="no tar matches"):
        read(tmp_path)
