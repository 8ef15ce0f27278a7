from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from ajahr.anatomy import JOINT, JOINT_FLIP, JOINT_NAMES
from ajahr.body.data import DEFAULT_BODY, load_body
from ajahr.body.regressors import VERTEX_KEYS
from ajahr.errors import MissingAsset, UserError

MIRROR = np.array([-1, 1, 1])
PIN = Path(__file__).with_name("default_body_pin.npz")


def shaped(body, betas):
    return body.v_template + body.shapedirs @ betas


def stature(vertices):
    return float(np.ptp(vertices[:, 1]))


# --- law: the embedded body


def test_is_small_enough_and_hashes_to_its_file(embedded):
    assert DEFAULT_BODY.stat().st_size < 1_500_000
    assert embedded.sha256 == hashlib.sha256(DEFAULT_BODY.read_bytes()).hexdigest()
    assert (DEFAULT_BODY.parent / "NOTICE").read_text(encoding="utf-8").count("CC0") > 0


def test_mesh_and_skeleton_mirror_exactly(embedded):
    mirror = embedded.mirror_vertices
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    np.testing.assert_allclose(embedded.v_template[mirror] * MIRROR, embedded.v_template, atol=1e-7)
    np.testing.assert_allclose(
        embedded.shapedirs[mirror] * MIRROR[:, None], embedded.shapedirs, atol=1.01e-5
    )  # one step of the fixed point
    np.testing.assert_allclose(embedded.weights[mirror][:, list(JOINT_FLIP)], embedded.weights, atol=1e-6)
    np.testing.assert_allclose(
        embedded.J_regressor[list(JOINT_FLIP)][:, mirror], embedded.J_regressor, atol=1e-7
    )


def test_the_pelvis_is_the_origin_for_every_shape(embedded):
    for betas in np.random.default_rng(0).normal(size=(20, 10)):
        assert np.abs(embedded.J_regressor[0] @ shaped(embedded, betas)).max() < 2e-5


@pytest.mark.parametrize("rows", ["J_regressor", "J19_regressor", "weights"])
def test_rows_are_weighted_means(embedded, rows):
    matrix = getattr(embedded, rows)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(1, dtype=np.float64), 1, atol=1e-6)


def test_skin_weights_are_sparse_and_regressors_local(embedded):
    assert (embedded.weights > 0).sum(1).max() <= 8
    joints = embedded.J_regressor @ embedded.v_template
    for j in range(len(joints)):
        used = embedded.v_template[embedded.J_regressor[j] > 0]
        assert 4 <= len(used) <= 40
        assert np.linalg.norm(used - joints[j], axis=1).max() < 0.3


def test_surface_is_closed_and_faces_outward(embedded):
    faces = embedded.faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forward = {tuple(e) for e in edges.tolist()}
    assert len(forward) == len(edges), "no edge runs the same way twice"
    assert all((b, a) in forward for a, b in forward), "every edge has its other side"
    a, b, c = (embedded.v_template[faces[:, i]].astype(np.float64) for i in range(3))
    volume = (a * np.cross(b, c)).sum() / 6
    assert 0.05 < volume < 0.09, "cubic metres: outward, and of an adult"


def test_named_vertices_are_where_their_names_say(embedded):
    ids = {k: embedded.v_template[i] for k, i in embedded.vertex_ids.items()}
    parts = {k: JOINT_NAMES[embedded.part_labels[i]] for k, i in embedded.vertex_ids.items()}
    assert tuple(ids) == VERTEX_KEYS
    assert abs(ids["nose"][0]) < 1e-4 and ids["nose"][2] > ids["leye"][2] > ids["lear"][2]
    for key, place in ids.items():
        if key == "nose":
            assert parts[key] == "head"
            continue
        side = "left" if key[0] in "lL" else "right"
        assert (place[0] > 0) == (side == "left"), key
        expected = {"eye": "head", "ear": "head", "Heel": f"{side}_ankle", "thumb": f"{side}_wrist"}
        expected |= dict.fromkeys(("BigToe", "SmallToe"), f"{side}_foot")
        assert parts[key] == expected.get(key[1:], f"{side}_hand"), key
    assert ids["LBigToe"][2] > ids["LHeel"][2] + 0.15
    assert ids["LSmallToe"][0] > ids["LBigToe"][0]
    tips = [ids["l" + f] for f in ("thumb", "index", "middle", "ring", "pinky")]
    assert all(np.diff([t[2] for t in tips]) < 0), "palms down: thumb foremost, little finger last"
    assert max(tips, key=lambda t: t[0]) is tips[2], "the middle finger is longest"


def test_texture_coordinates_fit_the_faces(embedded):
    assert embedded.uv.min() >= 0 and embedded.uv.max() <= 1
    assert embedded.uv_faces.shape == embedded.faces.shape
    assert embedded.uv_faces.min() >= 0 and embedded.uv_faces.max() < len(embedded.uv)
    # v runs down: in MakeHuman's layout the head lies above the feet
    v = np.array([embedded.uv[embedded.uv_faces[i], 1].mean() for i in range(len(embedded.faces))])
    part = embedded.part_labels[embedded.faces[:, 0]]
    assert v[part == JOINT["spine3"]].mean() < v[part == JOINT["left_knee"]].mean()


def test_joints_lie_as_in_a_t_pose(embedded):
    j = dict(zip(JOINT_NAMES, embedded.J_regressor @ embedded.v_template, strict=True))
    assert j["left_wrist"][0] > j["left_elbow"][0] > j["left_shoulder"][0] > 0
    assert abs(j["left_wrist"][1] - j["left_shoulder"][1]) < 0.05, "arms level"
    up = ["left_foot", "left_ankle", "left_knee", "left_hip", "pelvis", "spine1", "spine2", "spine3", "neck"]
    assert all(np.diff([j[n][1] for n in [*up, "head"]]) > 0)
    assert j["left_foot"][2] > j["left_ankle"][2] + 0.08, "facing +z"


# --- law: men and women


def test_men_are_taller_than_women_and_neutral_between():
    tall = {g: stature(load_body(gender=g).v_template) for g in ("male", "neutral", "female")}
    assert tall["male"] > tall["neutral"] > tall["female"]
    assert 0.08 < tall["male"] - tall["female"] < 0.2
    assert 1.6 < tall["neutral"] < 1.8


@pytest.mark.parametrize("gender", ["male", "female", "neutral"])
@pytest.mark.parametrize("sex", ["male", "female"])
def test_a_drawn_person_is_the_same_on_every_genders_coordinates(embedded, gender, sex):
    body = load_body(gender=gender)
    expected = shaped(embedded, embedded.draw_betas(np.random.default_rng(3), sex))
    found = shaped(body, body.draw_betas(np.random.default_rng(3), sex))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_drawn_statures_are_those_of_adults(embedded):
    rng = np.random.default_rng(0)
    for sex, low, high in (("male", 1.70, 1.80), ("female", 1.58, 1.68)):
        drawn = [stature(shaped(embedded, embedded.draw_betas(rng, sex))) for _ in range(200)]
        assert low < np.mean(drawn) < high
        assert 0.04 < np.std(drawn) < 0.1
    same = {embedded.draw_betas(rng, "male", spread=0.0).tobytes() for _ in range(3)}
    assert len(same) == 1


# --- pin


def test_stored_precision_costs_under_a_tenth_of_a_millimetre(embedded):
    """Made with the asset: scripts/build_default_body.py --pin tests/ajahr/body/default_body_pin.npz"""
    with np.load(PIN) as pin:
        stride = int(pin["stride"])
        exact_template, exact_dirs, exact_weights = pin["v_template"], pin["shapedirs"], pin["weights"]
    draws = np.random.default_rng(0).normal(size=(50, 10))
    for betas in np.concatenate([draws, 5 * np.eye(10), -5 * np.eye(10)]):
        exact = exact_template + exact_dirs @ betas
        found = shaped(embedded, betas.astype(np.float32))[::stride]
        assert np.linalg.norm(found - exact, axis=1).max() < 1e-4
    assert np.abs(embedded.weights[::stride] - exact_weights).max() < 4e-4


# --- edge


@pytest.mark.parametrize("keep", [0, 100, 5_000, -30_000, -10])
def test_a_cut_off_asset_is_one_line(tmp_path, keep):
    path = tmp_path / "body.npz"
    path.write_bytes(DEFAULT_BODY.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"body\.npz"):
        load_body(path)


def test_a_flipped_byte_in_an_asset_is_noticed(tmp_path):
    content = bytearray(DEFAULT_BODY.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "body.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        load_body(path)


def test_an_asset_without_an_array(tmp_path):
    with np.load(DEFAULT_BODY) as stored:
        arrays = {k: stored[k] for k in stored.files if k != "weights"}
    np.savez(tmp_path / "body.npz", **arrays)
    with pytest.raises(UserError, match="weights"):
        load_body(tmp_path / "body.npz")


def test_the_asset_also_loads_by_path(tmp_path, embedded):
    shutil.copy(DEFAULT_BODY, tmp_path / "copy.npz")
    copy = load_body(tmp_path / "copy.npz", gender="female")
    assert copy.sha256 == embedded.sha256 and copy.gender == "female"


def test_files_that_are_not_there_or_not_bodies(tmp_path):
    with pytest.raises(MissingAsset, match="no body file"):
        load_body(tmp_path / "none.pkl")
    (tmp_path / "body.obj").write_text("v 0 0 0")
    with pytest.raises(UserError, match="neither"):
        load_body(tmp_path / "body.obj")
    with pytest.raises(UserError, match="gender"):
        load_body(gender="robot")
