"""People as arrays in HMR2.0's and A3D's keys."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from fake_dataset import changed, make_person, make_record

from ajahr.anatomy import J44, LDPOSE25, LIMBS, to_ajahr_index
from ajahr.data.npz import npz_bytes, people_arrays, read_npz
from ajahr.data.record import decode_record, encode_record
from ajahr.errors import UserError

LEVELS = [(0, 0, 0, 0), (0, 2, 0, 0), (1, 0, 3, 0), (3, 3, 3, 3)]


def as_read(record):
    return decode_record(encode_record(record), "k.json")


def records(*levels):
    return [
        as_read(make_record(f"k{i}", make_person(one, seed=i, weak=bool(i % 2))))
        for i, one in enumerate(levels)
    ]


# law


def test_shapes_are_those_of_the_released_files():
    arrays = people_arrays(
        [*records(*LEVELS), as_read(make_record("two", make_person(), make_person()))], "000007"
    )
    n = 6
    expected = {
        "imgname": (n,), "center": (n, 2), "scale": (n, 2), "body_pose": (n, 72), "has_body_pose": (n,),
        "betas": (n, 10), "has_betas": (n,), "global_orient": (n, 1, 3, 3), "gender": (n,),
        "body_keypoints_2d": (n, 25, 3), "extra_keypoints_2d": (n, 19, 3),
        "body_keypoints_3d": (n, 25, 4), "extra_keypoints_3d": (n, 19, 4),
        "ajahr_conf": (n, 12), "labels": (n, 4), "keypoints_ldpose25": (n, 25, 3), "limb_levels": (n, 4),
        "img_size": (n, 2), "transl": (n, 3), "joints_3d": (n, 24, 3),
    }  # fmt: skip
    assert {name: arrays[name].shape for name in expected} == expected
    assert list(arrays["imgname"][-2:]) == ["000007/two.jpg"] * 2
    assert list(arrays["person"]) == [0, 0, 0, 0, 0, 1]
    assert arrays["ajahr_conf"].dtype == np.int64


def test_every_array_loads_without_pickle_and_unchanged(tmp_path):
    arrays = people_arrays(records(*LEVELS), "000000")
    (tmp_path / "a.npz").write_bytes(npz_bytes(arrays))
    found = read_npz(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].dtype != object
        np.testing.assert_array_equal(found[name], array)


def test_bytes_depend_on_the_people_only(monkeypatch):
    people = records(*LEVELS)
    first = npz_bytes(people_arrays(people, "000000"))
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert npz_bytes(people_arrays(people, "000000")) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_ends_of_limbs_by_bone():
    person = make_person((1, 3, 2, 0), fractions=(0.4, 0, 0, 0))
    arrays = people_arrays([as_read(make_record("k", person, make_person()))], "000000")
    names = LDPOSE25.names[17:]
    below, above = names.index("left_below_elbow_res"), names.index("left_above_knee_res")
    lost = arrays["residual_lambda"][0]
    assert (lost[below], lost[above]) == (np.float32(0.4), 0) and np.isnan(lost).sum() == 6
    ends = arrays["residual_3d"][0]
    assert ends[below] == pytest.approx([*person.residual_limbs[0].end_3d, 1], abs=1e-5)
    assert ends[above] == pytest.approx([*person.joints_3d[4], 1], abs=1e-5)  # at the knee
    assert not np.delete(ends, [below, above], 0).any() and not arrays["residual_3d"][1].any()
    length = arrays["residual_length_mm"][0]
    assert length[below] == pytest.approx(person.residual_limbs[0].length_mm, abs=0.01)
    assert np.isnan(length).sum() == 7 and np.isnan(arrays["residual_length_mm"][1]).all()
    assert arrays["residual_volume_ml"][0, below] == np.float32(812.5)


@pytest.mark.parametrize("levels", LEVELS)
def test_labels_follow_from_the_levels(levels):
    arrays = people_arrays(records(levels), "000000")
    lost = sorted(to_ajahr_index(limb, levels[limb]) for limb in LIMBS if levels[limb])
    assert np.flatnonzero(arrays["ajahr_conf"][0]).tolist() == lost
    assert arrays["labels"][0].tolist() == [*lost, 12, 12, 12, 12][:4]


@pytest.mark.parametrize("levels", LEVELS)
def test_absent_and_hidden_keypoints_are_zero_and_their_3d_stays(levels):
    person = make_person(levels)
    hidden = person.keypoints_2d.copy()
    hidden[J44.index["left_eye"], 2] = 1
    record = as_read(make_record("k", changed(person, keypoints_2d=hidden)))
    arrays = people_arrays([record], "000000")
    both = np.concatenate([arrays["body_keypoints_2d"], arrays["extra_keypoints_2d"]], 1)[0]
    zero = J44.absent(levels)
    zero[J44.index["left_eye"]] = True
    assert (both[zero] == 0).all()
    np.testing.assert_array_equal(both[~zero, 2], 1)
    np.testing.assert_allclose(both[~zero, :2], person.keypoints_2d[~zero, :2], atol=1e-3)
    points = np.concatenate([arrays["body_keypoints_3d"], arrays["extra_keypoints_3d"]], 1)[0]
    np.testing.assert_allclose(points[:, :3], person.keypoints_3d, atol=1e-6)
    np.testing.assert_array_equal(points[:, 3], 1)
    assert arrays["keypoints_j44"][0, J44.index["left_eye"], 2] == 1  # and here it keeps its place
    assert arrays["keypoints_j44"][0, J44.index["left_eye"], 0] > 0


def test_the_two_root_orientations_agree():
    person = changed(make_person(), pose_rotvec=np.concatenate([[[0.3, -0.2, 0.5]], np.zeros((23, 3))]))
    arrays = people_arrays([as_read(make_record("k", person))], "000000")
    np.testing.assert_allclose(arrays["body_pose"][0, :3], [0.3, -0.2, 0.5], atol=1e-7)
    golden = [
        [0.859534, -0.497992, -0.114917],
        [0.439868, 0.835316, -0.329794],
        [0.260227, 0.232921, 0.937032],
    ]
    np.testing.assert_allclose(arrays["global_orient"][0, 0], golden, atol=1e-5)


def test_box_is_its_centre_and_a_fifth_more_than_its_size():
    person = changed(make_person(), bbox_xyxy=np.array([10.0, 20.0, 60.0, 120.0]))
    arrays = people_arrays([as_read(make_record("k", person))], "000000")
    np.testing.assert_allclose(arrays["center"][0], [35, 70])
    np.testing.assert_allclose(arrays["scale"][0], [60, 120])


def test_what_does_not_exist_is_nan():
    arrays = people_arrays(records((0, 2, 0, 0), (0, 0, 0, 0)), "000000")
    assert np.isnan(arrays["residual_length"]).tolist() == [[True, False, True, True], [True] * 4]
    assert np.isnan(arrays["weak_depth"]).tolist() == [True, False]  # every other person is weak perspective


# edge


def test_a_shard_without_people(tmp_path):
    arrays = people_arrays([], "000000")
    (tmp_path / "a.npz").write_bytes(npz_bytes(arrays))
    found = read_npz(tmp_path / "a.npz")
    assert found["body_keypoints_2d"].shape == (0, 25, 3)
    assert {len(array) for array in found.values()} == {0}


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_a_truncated_file_is_named(tmp_path, keep):
    path = tmp_path / "000000.npz"
    path.write_bytes(npz_bytes(people_arrays(records(*LEVELS), "000000"))[:keep])
    with pytest.raises(UserError, match=r"000000\.npz: damaged") as error:
        read_npz(path)
    assert "\n" not in str(error.value)


def test_a_flipped_bit_is_found(tmp_path):
    data = bytearray(npz_bytes(people_arrays(records(*LEVELS), "000000")))
    data[len(data) // 2] ^= 4
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        read_npz(tmp_path / "a.npz")


def test_python_objects_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", imgname=np.array([None, {}], object))
    with pytest.raises(UserError, match="damaged"):
        read_npz(tmp_path / "a.npz")


def test_a_missing_file_and_a_bare_array(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_npz(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.zeros(3))
    with pytest.raises(UserError, match="single array"):
        read_npz(tmp_path / "b.npy")
