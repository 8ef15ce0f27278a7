"""Rigs of SMPL's kind: what is read of an SMPL-X file, which file is which, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from smplx_files import few_vertices, smplx_arrays, write_smplx

from ajahr.body.data import load_body
from ajahr.body.rig import RigData, load_rig
from ajahr.errors import UserError


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_smplx(tmp_path_factory.mktemp("smplx") / "SMPLX_NEUTRAL.npz")


def test_smplx_arrays_arrive_and_no_pickle_is_run(file):
    raw, rig = smplx_arrays(), load_rig(file)
    assert rig.is_smplx and not rig.embedded and (rig.num_betas, rig.num_expressions) == (10, 10)
    np.testing.assert_array_equal(rig.v_template, raw["v_template"].astype(np.float32))
    assert rig.expression_dirs is not None and rig.posedirs is not None and rig.landmarks is not None
    np.testing.assert_array_equal(rig.expression_dirs, raw["shapedirs"][..., 300:310])
    assert rig.posedirs.shape == (486, 3 * len(raw["v_template"]))
    assert rig.posedirs[7, 3 * 5 + 2] == raw["posedirs"][5, 2, 7]
    assert rig.parents[40] == 21 and rig.parents[22] == 15
    assert rig.hands is not None and [h.shape for h in rig.hands] == [(45,), (45,), (45, 45), (45, 45)]
    corners, shares = rig.landmarks
    np.testing.assert_array_equal(corners[3], raw["f"][raw["lmk_faces_idx"][3]])
    np.testing.assert_allclose(shares, raw["lmk_bary_coords"])
    assert dict(rig.vertex_ids) == dict(load_body().vertex_ids)


def test_older_files_have_ten_and_ten(tmp_path):
    few = few_vertices(smplx_arrays())
    narrow = few["shapedirs"]
    narrow = np.concatenate([narrow[..., :10], narrow[..., 300:310]], 2)
    rig = load_rig(write_smplx(tmp_path / "any.npz", few, shapedirs=narrow), num_betas=16)
    assert (rig.num_betas, rig.num_expressions) == (10, 10)
    assert rig.expression_dirs is not None
    np.testing.assert_array_equal(rig.expression_dirs, narrow[..., 10:])


def test_the_kind_is_told_by_the_joints_and_the_folder_is_searched(file, tmp_path):
    renamed = tmp_path / "model.npz"
    renamed.write_bytes(file.read_bytes())
    (tmp_path / "vertex_ids.json").write_bytes((file.parent / "vertex_ids.json").read_bytes())
    assert load_rig(renamed).num_joints == 55
    assert load_rig(file.parent).name == file.name
    own = load_rig()
    assert own.embedded and own.num_joints == 24 and own.num_expressions == 0
    with pytest.raises(UserError, match="has no SMPL_NEUTRAL"):
        load_rig(tmp_path)


def test_shape_and_expression_move_what_they_should(file):
    rig = load_rig(file)
    still = rig.shaped()
    face = rig.shaped(expression=np.ones(10, np.float32))
    moved = np.abs(face - still).max(1) > 0
    assert moved.any() and (rig.weights[moved, 15] > 0.5).all()
    np.testing.assert_allclose(
        rig.shaped(np.ones(4, np.float32)), still + rig.shapedirs[..., :4].sum(-1), atol=1e-6
    )


def test_what_does_not_fit_is_refused(tmp_path):
    def refused(words: str, **changed: np.ndarray | None) -> None:
        with pytest.raises(UserError, match=words):
            load_rig(write_smplx(tmp_path / "bad.npz", raw, **changed))

    raw = few_vertices(smplx_arrays())
    tree = raw["kintree_table"].copy()
    tree[0, 40] = 20
    refused("tree of 55 joints", kintree_table=tree)
    refused("has no J_regressor", J_regressor=None)
    refused("weights has shape", weights=raw["weights"][:, :54])
    refused("NaN", v_template=np.full_like(raw["v_template"], np.nan))
    refused("lmk_faces_idx names face", lmk_faces_idx=np.full(51, 10**6))
    assert (
        load_rig(write_smplx(tmp_path / "bare.npz", raw, hands_meanl=None, lmk_faces_idx=None, vt=None)).hands
        is None
    )


def test_a_body_is_its_rig():
    body = load_body()
    rig = RigData.of_body(body)
    assert rig.weights is body.weights and rig.parents == body.parents and not rig.is_smplx
