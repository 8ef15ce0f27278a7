from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import scipy.sparse

from ajahr.body.data import load_body
from ajahr.body.regressors import SMPL_VERTEX_IDS
from ajahr.errors import MissingAsset, UserError


def dense(arrays):
    return {k: v.toarray() if scipy.sparse.issparse(v) else v for k, v in arrays.items()}


# --- law: every published form gives the same body


def v10_with_chumpy(files, arrays):
    wrapped = {k: files.Chumpy(arrays[k]) for k in ("v_template", "posedirs", "weights")}
    wide = np.concatenate([arrays["shapedirs"], np.ones((*arrays["shapedirs"].shape[:2], 3))], axis=2)
    indices = np.arange(wide.size).reshape(wide.shape)[..., :10]
    wrapped["shapedirs"] = files.ChumpySelect(files.Chumpy(wide), indices.ravel(), indices.shape)
    return files.python2_pickle(arrays | wrapped)


def v11_with_300_betas(files, arrays):
    wide = np.concatenate([arrays["shapedirs"], np.ones((*arrays["shapedirs"].shape[:2], 290))], axis=2)
    return files.python2_pickle(arrays | {"shapedirs": wide})


def python3_dense(files, arrays):
    return pickle.dumps(dense(arrays))


@pytest.mark.parametrize("form", [v10_with_chumpy, v11_with_300_betas, python3_dense])
def test_every_form_gives_the_same_body(small, files, form):
    plain = load_body(small())
    arrays = files.random_arrays(60)
    path = small("other.pkl")
    path.write_bytes(form(files, arrays))
    found = load_body(path)
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces", "J19_regressor"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name), err_msg=name)
    np.testing.assert_array_equal(found.v_template, arrays["v_template"].astype(np.float32))
    np.testing.assert_array_equal(found.J_regressor, arrays["J_regressor"].toarray().astype(np.float32))


def test_npz_gives_the_same_body(small):
    plain, found = load_body(small()), load_body(small("body.npz"))
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name), err_msg=name)


def test_posedirs_go_by_feature_then_vertex_then_coordinate(small, files):
    raw = files.random_arrays(60)["posedirs"]
    found = load_body(small()).posedirs
    assert found.shape == (207, 180)
    for feature, vertex, coordinate in ((0, 0, 0), (5, 7, 2), (206, 59, 1)):
        assert found[feature, 3 * vertex + coordinate] == np.float32(raw[vertex, coordinate, feature])


def test_fewer_betas_on_request_and_absent_posedirs(small):
    assert load_body(small(), num_betas=4).num_betas == 4
    assert load_body(small(without=("posedirs",))).posedirs is None
    assert load_body(small(posedirs=np.zeros((60, 3, 207)))).posedirs is None, "all zero is none"


def test_an_smpl_file_knows_its_own_vertices(smpl_sized):
    body = load_body(smpl_sized)
    assert dict(body.vertex_ids) == SMPL_VERTEX_IDS
    assert body.gender == "neutral" and body.J19_source == "own" and body.uv is None
    betas = body.draw_betas(np.random.default_rng(0), "male")
    np.testing.assert_array_equal(
        betas,
        np.random.default_rng(0).standard_normal(10).astype(np.float32),
        "unknown sexes: standard normal",
    )


@pytest.mark.parametrize(
    ("name", "gender"),
    [
        ("SMPL_FEMALE.pkl", "female"),
        ("SMPL_NEUTRAL.npz", "neutral"),
        ("basicmodel_m_lbs_10_207_0_v1.1.0.pkl", "male"),
        ("basicModel_f_lbs_10_207_0_v1.0.0.pkl", "female"),
        ("basicModel_neutral_lbs_10_207_0_v1.0.0.pkl", "neutral"),
    ],
)
def test_published_names_are_found_in_a_folder(small, tmp_path, name, gender):
    small(name)
    body = load_body(tmp_path, gender=gender)
    assert (body.name, body.gender) == (name, gender)
    other = "male" if gender != "male" else "female"
    with pytest.raises(MissingAsset, match="SMPL"):
        load_body(tmp_path, gender=other)
    assert load_body(tmp_path / name, gender=other).gender == gender, "the name tells the gender"


# --- sidecars


@pytest.mark.parametrize("suffix", [".pkl", ".npy"])
@pytest.mark.parametrize("given", [True, False])
def test_j19_file_is_used(small, tmp_path, suffix, given):
    path = small()
    regressor = np.random.default_rng(1).random((19, 60))
    beside = tmp_path / ("elsewhere" if given else ".") / f"SMPL_to_J19{suffix}"
    beside.parent.mkdir(exist_ok=True)
    if suffix == ".npy":
        np.save(beside, regressor)
    else:
        beside.write_bytes(pickle.dumps(regressor, protocol=2))
    body = load_body(path, J19_path=beside if given else None)
    assert body.J19_source == "SMPL_to_J19"
    np.testing.assert_array_equal(body.J19_regressor, regressor.astype(np.float32))


def test_j19_of_another_body_is_refused(small, tmp_path):
    path = small()
    np.save(tmp_path / "SMPL_to_J19.npy", np.zeros((19, 6890)))
    with pytest.raises(UserError, match=r"\(19, 6890\).*\(19, 60\)"):
        load_body(path)
    with pytest.raises(MissingAsset):
        load_body(path, J19_path=tmp_path / "none.pkl")


def obj(uv, faces, uv_faces, normals=False):
    tail = "/1" if normals else ""
    lines = ["# a map", "v 0 0 0", *(f"vt {u} {1 - v}" for u, v in uv)]
    for face, corners in zip(faces, uv_faces, strict=True):
        lines.append("f " + " ".join(f"{a + 1}/{b + 1}{tail}" for a, b in zip(face, corners, strict=True)))
    return "\n".join(lines)


def test_uv_map_in_another_order_fits_corner_by_corner(small, tmp_path):
    rng = np.random.default_rng(0)
    faces = np.array([[0, 1, 2], [3, 1, 0], [9, 5, 7], [2, 8, 4], [11, 10, 3]])
    path = small(f=faces.astype(np.uint32))
    uv = rng.random((15, 2)).round(4)
    uv_faces = rng.permutation(15).reshape(5, 3)
    shuffled = rng.permutation(5)
    turned = [np.roll(faces[i], i) for i in shuffled], [np.roll(uv_faces[i], i) for i in shuffled]
    (tmp_path / "smpl_uv.obj").write_text(obj(uv, *turned, normals=True))
    body = load_body(path)
    np.testing.assert_allclose(body.uv[body.uv_faces], uv[uv_faces], atol=1e-6)


@pytest.mark.parametrize(
    ("faces", "texel"),
    [([[0, 1, 2]], 0), ([[0, 2, 1], [0, 1, 3]], 0), ([[0, 1, 2], [0, 1, 3]], 7)],
    ids=["too few faces", "mirrored face", "missing texel"],
)
def test_a_uv_map_of_another_body_is_refused(small, tmp_path, faces, texel):
    path = small(f=np.array([[0, 1, 2], [0, 1, 3]], np.uint32))
    beside = tmp_path / "smpl_uv.obj"
    beside.write_text(obj([(0, 0)], [[0, 1, 3], [0, 1, 2]], [[0] * 3] * 2))
    assert load_body(path).uv_faces is not None
    for text in (obj([(0, 0)], faces, [[texel] * 3] * len(faces)), "", "vt 0 x\n"):
        beside.write_text(text)
        with pytest.raises(UserError, match="UV map"):
            load_body(path)


# --- edge: wrong content


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("v_template", np.zeros((60, 2)), "(any, 3)"),
        ("v_template", np.zeros((0, 3)), "(any, 3)"),
        ("shapedirs", np.zeros((59, 3, 10)), "(60, 3, any)"),
        ("posedirs", np.zeros((60, 3, 459)), "(60, 3, 207)"),
        ("J_regressor", np.zeros((52, 60)), "(24, 60)"),
        ("weights", np.zeros((60, 52)), "(60, 24)"),
        ("f", np.zeros((5, 4), int), "(any, 3)"),
        ("kintree_table", np.zeros((2, 52), int), "(2, 24)"),
    ],
)
@pytest.mark.parametrize("name", ["body.pkl", "body.npz"])
def test_wrong_shapes_name_key_found_and_expected(small, name, key, value, expected):
    with pytest.raises(UserError) as error:
        load_body(small(name, **{key: value}))
    message = str(error.value)
    assert f"{key} has shape {value.shape}" in message and expected in message and name in message
    assert "\n" not in message


def test_wrong_numbers(small, files):
    arrays = files.random_arrays(60)
    nan = arrays["v_template"].copy()
    nan[3, 1] = np.nan
    for changes, message in (
        ({"v_template": nan}, "v_template holds NaN"),
        ({"weights": np.full((60, 24), "x")}, "weights"),
        ({"f": np.full((5, 3), 60, np.uint32)}, "names vertex 60 of 60"),
        ({"kintree_table": np.zeros((2, 24), np.int64)}, "tree"),
    ):
        with pytest.raises(UserError, match=message):
            load_body(small(**changes))


@pytest.mark.parametrize("name", ["body.pkl", "body.npz"])
def test_a_missing_array_is_named(small, name):
    with pytest.raises(UserError, match="has no weights"):
        load_body(small(name, without=("weights",)))


def test_an_npz_with_an_object_array_is_not_unpickled(small):
    with pytest.raises(UserError, match="J_regressor cannot be read"):
        load_body(small("body.npz", J_regressor=np.array([{}, None], dtype=object)))


def test_a_bomb_in_a_body_file_does_not_go_off(small, tmp_path, files):
    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'went_off'}",)

    path = small()
    path.write_bytes(pickle.dumps(dense(files.random_arrays(60)) | {"extra": Bomb()}))
    with pytest.raises(UserError, match=r"names (posix|nt)\.system"):
        load_body(path)
    assert not (tmp_path / "went_off").exists()


def test_other_content(tmp_path):
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(UserError, match="holds a list"):
        load_body(path)
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(UserError, match="single array"):
        load_body(tmp_path / "a.npz")


@pytest.mark.parametrize("ids", [None, "{", "[]", json.dumps({"nose": 1}), "out of range"])
def test_another_topology_must_name_its_vertices(small, tmp_path, ids, embedded):
    path = small()
    beside = tmp_path / "vertex_ids.json"
    beside.unlink()
    if ids == "out of range":
        ids = json.dumps(dict.fromkeys(embedded.vertex_ids, 60))
    if ids is not None:
        beside.write_text(ids)
    with pytest.raises(UserError, match=r"vertex_ids\.json"):
        load_body(path)
