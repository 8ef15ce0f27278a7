from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import J44, JOINT
from ajahr.body.regressors import EXTRA_NAMES, SMPL_VERTEX_IDS, VERTEX_KEYS, head_top_vertex, own_j19


@pytest.fixture(scope="module")
def extra(embedded):
    return dict(zip(EXTRA_NAMES, embedded.J19_regressor @ embedded.v_template, strict=True))


def test_names_are_the_last_19_of_the_44():
    assert len(EXTRA_NAMES) == 19
    assert EXTRA_NAMES[0] == "right_ankle" and EXTRA_NAMES[-1] == "head_h36m"
    assert J44.names[25] == "right_ankle_extra"


def test_smpl_vertex_ids_are_the_published_ones():
    assert SMPL_VERTEX_IDS["nose"] == 332 and SMPL_VERTEX_IDS["LHeel"] == 3387
    assert SMPL_VERTEX_IDS["rpinky"] == 6133 and tuple(SMPL_VERTEX_IDS) == VERTEX_KEYS
    assert len(set(SMPL_VERTEX_IDS.values())) == 21


def test_limb_joints_are_the_kinematic_ones(embedded, extra):
    joints = embedded.J_regressor @ embedded.v_template
    for name, place in extra.items():
        if name in JOINT:
            np.testing.assert_allclose(place, joints[JOINT[name]], atol=1e-6)


def test_trunk_and_head_joints_stack_up_along_the_middle(extra):
    order = ["pelvis_mpii", "spine_h36m", "thorax_mpii", "neck_lsp", "jaw_h36m", "head_h36m", "head_top_lsp"]
    places = np.array([extra[n] for n in order])
    assert (np.diff(places[:, 1]) > 0.01).all()
    assert np.abs(places[:, 0]).max() < 2e-3
    assert extra["jaw_h36m"][2] > extra["neck_lsp"][2]


def test_mirrored_body_has_mirrored_extra_joints(embedded):
    flip = np.array(J44.flip[25:]) - 25
    np.testing.assert_allclose(
        embedded.J19_regressor[flip][:, embedded.mirror_vertices], embedded.J19_regressor, atol=0.51
    )  # head_top is one of two equal vertices at most; positions below are strict
    places = embedded.J19_regressor @ embedded.v_template
    np.testing.assert_allclose(places[flip] * (-1, 1, 1), places, atol=2e-3)


def test_rows_follow_what_they_are_made_of():
    """A row that mixes up two joints or vertices would show: every vertex here has its own value."""
    rng = np.random.default_rng(0)
    regressor = rng.dirichlet(np.ones(40), size=24)
    vertices = rng.normal(size=(40, 3))
    parts = np.zeros(40, np.uint8)
    parts[[3, 8]] = JOINT["head"]
    ids = {k: i for i, k in enumerate(VERTEX_KEYS)}
    rows = own_j19(regressor, vertices, parts, ids)
    at = dict(zip(EXTRA_NAMES, rows @ vertices, strict=True))
    j = regressor @ vertices
    top = max((3, 8), key=lambda v: vertices[v, 1])
    assert head_top_vertex(vertices, parts) == top
    expected = {
        "pelvis_mpii": (j[1] + j[2]) / 2,
        "thorax_mpii": j[12] / 2 + (j[16] + j[17]) / 4,
        "neck_lsp": (2 * j[12] + j[15]) / 3,
        "spine_h36m": (j[3] + j[6]) / 2,
        "jaw_h36m": (j[15] + vertices[ids["nose"]]) / 2,
        "head_h36m": vertices[top] / 2 + (vertices[ids["lear"]] + vertices[ids["rear"]]) / 4,
        "head_top_lsp": vertices[top],
    }
    for name, place in expected.items():
        np.testing.assert_allclose(at[name], place, atol=1e-6, err_msg=name)
