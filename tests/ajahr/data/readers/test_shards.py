"""Our own shards as people."""

from __future__ import annotations

import numpy as np
import pytest
from fake_dataset import write_dataset

from ajahr.anatomy import J44, LIMBS
from ajahr.data.dataset import open_dataset
from ajahr.data.hmr.collate import to_batch
from ajahr.data.hmr.dataset import CropConfig, HmrDataset
from ajahr.data.hmr.samples import BPAC_J44
from ajahr.data.npz import npz_bytes, read_npz
from ajahr.data.readers.shards import read_shards
from ajahr.errors import UserError
from ajahr.residual_limb.segments import SEGMENT, SEGMENTS, of_level


@pytest.fixture
def folder(tmp_path):
    write_dataset(tmp_path / "set")
    return tmp_path / "set"


def test_rows_are_the_records(folder):
    table = read_shards(folder)
    records = [
        (sample, n, person)
        for sample in open_dataset(folder)
        for n, person in enumerate(sample.record.people)
    ]
    assert len(table) == len(records) > 8 and table.name == "set"
    for number, (sample, n, person) in enumerate(records):
        row = table.rows[number]
        assert table.key(number) == f"set/{sample.key}/{n}" and table.sample(number).picture == sample.jpg
        np.testing.assert_allclose(row["keypoints_2d"][:, :2], person.keypoints_2d[:, :2], atol=0.01)
        np.testing.assert_array_equal(row["keypoints_2d"][:, 2] > 0, person.keypoints_2d[:, 2] > 0)
        np.testing.assert_allclose(row["keypoints_3d"][:, :3], person.keypoints_3d, atol=1e-5)
        np.testing.assert_allclose(row["pose"], person.pose_rotvec, atol=1e-5)
        np.testing.assert_allclose(row["transl"], person.transl, atol=1e-5)
        assert row["levels"].tolist() == list(person.limb_levels)
        assert row["focal_length"] == 240 and row["image_size"].tolist() == [
            sample.record.width,
            sample.record.height,
        ]
        assert row["trusted_3d"] and row["has_betas"] and row["has_pose"].all()


def test_lost_limbs_are_placed_by_the_intact_twin(folder):
    table = read_shards(folder)
    rows = {table.rows["key"][n].decode(): table.rows[n] for n in range(len(table))}
    one, twin = rows["000000000/0"], rows["000000001/0"]
    assert one["levels"].tolist() == [0, 2, 0, 0] and not twin["levels"].any()
    np.testing.assert_array_equal(one["intact_2d"], twin["keypoints_2d"][list(BPAC_J44), :2])
    keys = [key.decode() for key in table.rows["key"]]
    assert table.twins is not None
    pairs = {keys[i]: keys[twin] for i, twin in enumerate(table.twins) if twin >= 0}
    assert pairs["000000000/0"] == "000000001/0" and "000000001/0" not in pairs
    backwards = table.subset(np.arange(len(table))[::-1])
    assert backwards.twins is not None
    names = [key.decode() for key in backwards.rows["key"]]
    assert {names[i]: names[twin] for i, twin in enumerate(backwards.twins) if twin >= 0} == pairs
    alone = table.subset(np.array([keys.index("000000000/0")]))
    assert alone.twins is not None and alone.twins.tolist() == [-1], "a twin that is left out is none"
    assert not one["keypoints_2d"][J44.absent(np.array([0, 2, 0, 0]))].any()


def test_twins_are_known_by_row_and_stay_so_in_a_part(folder):
    table = read_shards(folder)
    assert table.twins is not None
    mine = np.flatnonzero(table.twins >= 0)
    assert len(mine) and not table.rows["levels"][table.twins[mine]].any()
    np.testing.assert_allclose(table.rows["pose"][mine], table.rows["pose"][table.twins[mine]])
    first = int(mine[-1])
    part = table.subset(np.array([first, int(table.twins[first]), int(mine[0])]))
    assert part.twins is not None and part.twins.tolist() == [1, -1, -1]


def test_a_detector_may_see_the_limb_of_the_twin(folder):
    from ajahr.data.hmr.detector_noise import DetectorNoise

    table = read_shards(folder).subset(np.array([0]))
    always = DetectorNoise(
        hallucinate_all=1, hallucinate_first=0, short=0, crowded=0, missed=0, end_missed=0, covered_missed=0,
        hallucinated_jitter=0, jitter=0, swap=0,
    )  # fmt: skip
    batch = to_batch(HmrDataset([table], CropConfig(None)).__getitems__([0]), always)
    px = (batch.bpac_keypoints[0, :, :2].numpy() + 0.5) * float(batch.box_size[0])
    found = px + batch.box_center[0].numpy() - float(batch.box_size[0]) / 2
    np.testing.assert_allclose(found, table.rows["intact_2d"][0], atol=0.05)


def test_splits(folder):
    assert len(read_shards(folder, splits=["train"])) == len(read_shards(folder))
    assert len(read_shards(folder, splits=["test"])) == 0


def spoil(folder, **changes) -> None:
    path = folder / "annotations" / "000001.npz"
    arrays = {name: array for name, array in (read_npz(path) | changes).items() if array is not None}
    path.write_bytes(npz_bytes(arrays))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limb_levels": None}, "no key 'limb_levels'"),
        ({"limb_levels": np.full((6, 4), 4)}, r"limb_levels are 0\.\.3, got 4"),
        ({"residual_lambda": np.full((6, 8), 1.5)}, r"residual_lambda is 0\.\.1"),
        ({"key": np.array(["nobody"] * 6)}, "sample nobody is not in the tar"),
    ],
)
def test_what_is_wrong_names_the_shard(folder, change, said):
    spoil(folder, **change)
    with pytest.raises(UserError, match=said) as caught:
        read_shards(folder)
    assert "000001.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_no_dataset(tmp_path):
    with pytest.raises(UserError, match="no dataset here"):
        read_shards(tmp_path)


def test_ends_of_limbs_cut_at_joints_are_those_joints(folder):
    table = read_shards(folder)
    people = [person for sample in open_dataset(folder) for person in sample.record.people]
    ends = 0
    for row, person in zip(table.rows, people, strict=True):
        for limb in LIMBS:
            mine = [n for n, segment in enumerate(SEGMENTS) if segment.limb == limb]
            found = of_level(limb, person.limb_levels[limb])
            if found is None:
                assert np.isnan(row["residual"][mine]).all() and not row["residual_3d"][mine].any()
                continue
            at = SEGMENTS.index(found[0])
            assert row["residual"][at] == found[1] and np.isfinite(row["residual"][mine]).sum() == 1
            if found[1] < 1:
                np.testing.assert_allclose(
                    row["residual_3d"][at, :3], person.joints_3d[found[0].anchor], atol=1e-5
                )
                ends += 1
            assert row["residual_3d"][at, 3] == (found[1] < 1)
    assert ends


def test_a_cut_between_joints_is_its_own(folder):
    at = SEGMENTS.index(SEGMENT["left_below_elbow_res"])
    arrays = read_npz(folder / "annotations" / "000001.npz")
    lost = np.flatnonzero(arrays["limb_levels"][:, LIMBS[0]] == 1)
    own, ends = np.full((6, 8), np.nan, np.float32), np.zeros((6, 8, 4), np.float32)
    own[lost, at], ends[lost, at] = 0.4, (1, 2, 3, 1)
    spoil(folder, residual_lambda=own, residual_3d=None)
    rows = read_shards(folder).rows[-6:]
    np.testing.assert_allclose(rows["residual"][lost, at], 0.4)
    joints = arrays["joints_3d"][lost]
    between = 0.6 * joints[:, SEGMENTS[at].anchor] + 0.4 * joints[:, SEGMENTS[at].upstream]
    np.testing.assert_allclose(rows["residual_3d"][lost, at, :3], between, atol=1e-5)
    spoil(folder, residual_3d=ends)
    np.testing.assert_allclose(
        read_shards(folder).rows[-6:]["residual_3d"][lost, at], [(1, 2, 3, 1)] * len(lost)
    )
    assert len(lost)
