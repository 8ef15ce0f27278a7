"""Protocols: which joints, which pelvis, what removal means, and a hash that changes with each of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ajahr.anatomy import J44, SMPL24
from ajahr.body.data import load_body
from ajahr.errors import UserError
from ajahr.evaluation.protocols import HIPS, PROTOCOLS

LOST_KNEE = np.array([[0, 0, 2, 0], [0, 0, 0, 0], [-1, -1, -1, -1]])


def test_joints_and_pelvis_of_each_set() -> None:
    """Facts 1.7."""
    for name in ("a3d", "itw_amputee", "3dpw", "h36m_p2", "3doh50k", "shards"):
        protocol = PROTOCOLS[name]
        assert protocol.joint_rows == [*range(25, 38), 43] and protocol.pelvis_rows == [39]
    emdb = PROTOCOLS["emdb1"]
    assert emdb.joint_rows == list(range(24)) and emdb.pelvis_rows == [1, 2]
    assert PROTOCOLS["3dpw"].true_gender == "labelled" and PROTOCOLS["3dpw"].true_joints == "labels"
    assert PROTOCOLS["h36m_p2"].metrics == ("mpjpe_mm", "pa_mpjpe_mm") and not PROTOCOLS["coco"].metrics


def test_the_hash_tells_every_field_but_the_title() -> None:
    protocols = [*PROTOCOLS.values()]
    base = PROTOCOLS["a3d"]
    protocols += [
        base.variant(labels="predicted"),
        base.variant(removal="left_out"),
        base.variant(keypoints="detector"),
        dataclasses.replace(base, true_gender="neutral"),
        dataclasses.replace(base, joints=base.joints[:-1]),
        dataclasses.replace(base, pelvis=HIPS),
        dataclasses.replace(base, resample="person"),
    ]
    digests = [one.digest for one in protocols]
    assert len(set(digests)) == len(digests) and all(len(one) == 12 for one in digests)
    assert dataclasses.replace(base, title="another").digest == base.digest


def test_the_hash_is_the_same_on_every_machine() -> None:
    """Printed beside numbers: it may change only with a protocol's meaning."""
    assert PROTOCOLS["3dpw"].digest == PIN_3DPW


PIN_3DPW = "d440f150886a"


def test_left_out_counts_what_a_person_has() -> None:
    body = load_body()
    whole, part = PROTOCOLS["a3d"], PROTOCOLS["a3d"].variant(removal="left_out")
    assert whole.joints_present(LOST_KNEE).all() and whole.vertices_present(LOST_KNEE, body) is None
    joints, vertices = part.joints_present(LOST_KNEE), part.vertices_present(LOST_KNEE, body)
    gone = {part.joints[i] for i in np.flatnonzero(~joints[0])}
    assert gone == {name for name in part.joints if name in ("left_knee_extra", "left_ankle_extra")}
    assert joints[1:].all(), "an unknown level takes nothing away"
    assert vertices is not None and vertices[1:].all()
    labels = {SMPL24.names[i] for i in np.unique(body.part_labels[~vertices[0]])}
    assert labels == {"left_knee", "left_ankle", "left_foot"}


def test_joints_of_a_mesh() -> None:
    body = load_body()
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(2, len(body.v_template), 3))
    keypoints = rng.normal(size=(2, len(J44), 3))
    emdb = PROTOCOLS["emdb1"].joints_of(body, vertices, keypoints)
    expected = np.stack([body.J_regressor.astype(float) @ one for one in vertices])
    np.testing.assert_allclose(emdb, expected, atol=1e-6)
    np.testing.assert_allclose(PROTOCOLS["emdb1"].pelvis_of(emdb), (emdb[:, 1] + emdb[:, 2]) / 2)
    assert PROTOCOLS["3dpw"].joints_of(body, vertices, keypoints) is keypoints


def test_values_that_there_are_not() -> None:
    with pytest.raises(UserError, match="labels is 'true'; give truth or predicted"):
        PROTOCOLS["a3d"].variant(labels="true")
    with pytest.raises(ValueError, match="no joint tail"):
        dataclasses.replace(PROTOCOLS["a3d"], joints=("tail",))
