from __future__ import annotations

import numpy as np
import pytest

from ajahr.anatomy import J44, SMPL24
from ajahr.errors import UserError
from ajahr.evaluation.metrics import (
    breakdown,
    joint_errors,
    mean_of,
    mve_by_limb_mm,
    mve_mm,
    pck,
    people_groups,
)

RNG = np.random.default_rng(0)


def umeyama(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """One person, textbook."""
    mp, mq = p.mean(0), q.mean(0)
    u, s, vt = np.linalg.svd((q - mq).T @ (p - mp))
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = np.trace(np.diag(s) @ sign) / ((p - mp) ** 2).sum()
    return scale * (p - mp) @ (u @ sign @ vt).T + mq


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_twin_of_one_person_at_a_time(dtype: type) -> None:
    q = RNG.normal(size=(30, 14, 3)).astype(dtype)
    p = (q + 0.1 * RNG.normal(size=q.shape)).astype(dtype)
    pelvis_p, pelvis_q = p.mean(1), q[:, 3]
    present = RNG.random((30, 14)) < 0.8
    errors = joint_errors(p, q, predicted_pelvis=pelvis_p, target_pelvis=pelvis_q, present=present)
    for i in range(30):
        here = present[i]
        a, b = p[i].astype(float), q[i].astype(float)
        root = np.linalg.norm((a - pelvis_p[i]) - (b - pelvis_q[i]), axis=-1)[here].mean() * 1000
        aligned = np.linalg.norm(umeyama(a[here], b[here]) - b[here], axis=-1).mean() * 1000
        assert errors.mpjpe_mm[i] == pytest.approx(root, abs=1e-6)
        assert errors.pa_mpjpe_mm[i] == pytest.approx(aligned, abs=1e-6)
    assert (errors.pa_mpjpe_mm < errors.mpjpe_mm).all()


def test_limbs_apart() -> None:
    q = RNG.normal(size=(2, 24, 3))
    p = q.copy()
    p[:, 20] += [0.0, 0.0, 0.03]  # left wrist
    zero = np.zeros((2, 3))
    errors = joint_errors(p, q, predicted_pelvis=zero, target_pelvis=zero)
    by_limb = errors.by_limb(SMPL24.anchors)
    assert by_limb["left_arm"] == pytest.approx(30 / 4) and by_limb["right_leg"] == pytest.approx(0)
    assert errors.mpjpe_mm == pytest.approx(30 / 24)
    assert (errors.by_limb(SMPL24.anchors, aligned=True)["trunk"] > 0).all()
    assert len(J44.anchors) == 44


def test_vertices() -> None:
    q = RNG.normal(size=(3, 50, 3)).astype(np.float32)
    p = q.copy()
    p[1, :10] += np.float32(0.02)
    shift = np.float32([[1, 2, 3]] * 3)
    labels = np.repeat([20, 0], [10, 40])  # left wrist, pelvis
    options = {"predicted_pelvis": shift, "target_pelvis": np.zeros_like(shift)}
    errors = mve_mm(p + shift[:, None], q, **options)
    step = 20 * np.sqrt(3)
    np.testing.assert_allclose(errors, [0, step / 5, 0], atol=1e-3)
    by_limb = mve_by_limb_mm(p + shift[:, None], q, labels, **options)
    np.testing.assert_allclose(by_limb["left_arm"], [0, step, 0], atol=1e-3)
    np.testing.assert_allclose(by_limb["trunk"], 0, atol=1e-3)
    assert np.isnan(by_limb["right_arm"]).all()
    present = np.ones((3, 50), bool)
    present[1, :10] = False
    np.testing.assert_allclose(mve_mm(p + shift[:, None], q, present=present, **options), 0, atol=1e-3)


def test_bad_predictions_are_named_and_left_out() -> None:
    q = RNG.normal(size=(4, 5, 3))
    p = q + 0.01
    p[2, 1] = np.nan
    present = np.ones((4, 5), bool)
    present[3] = False
    zero = np.zeros((4, 3))
    errors = joint_errors(p, q, predicted_pelvis=zero, target_pelvis=zero, present=present)
    mean = mean_of(errors.mpjpe_mm, ["a", "b", "c", "d"], errors.measured)
    assert mean.people == 2 and mean.invalid == ("c",)
    assert mean.value == pytest.approx(10 * np.sqrt(3))
    assert "1 predictions not finite: c" in str(mean)
    nobody = mean_of(errors.mpjpe_mm[2:], ["c", "d"], errors.measured[2:])
    assert np.isnan(nobody.value) and nobody.people == 0
    with pytest.raises(UserError, match="give a key"):
        mean_of(errors.mpjpe_mm, ["a"])


def test_groups() -> None:
    levels = np.array([[0, 0, 0, 0], [2, 0, 0, 3], [0, -1, 0, 0], [-1, 0, 1, 0]])
    groups = people_groups(levels)
    who = {name: np.flatnonzero(mine).tolist() for name, mine in groups.items()}
    assert who["intact"] == [0] and who["amputated"] == [1, 3] and who["unknown"] == [2]
    assert who["left_arm"] == who["left_elbow"] == who["elbow or knee"] == [1]
    assert who["right_hip"] == who["shoulder or hip"] == [1] and who["left_foot"] == [3]
    values = np.array([1.0, 2.0, 3.0, np.nan])
    means = breakdown(values, levels, list("abcd"))
    assert means["all"].value == 2 and means["all"].invalid == ("d",)
    assert means["amputated"].value == 2 and means["amputated"].people == 1
    assert "right_foot" not in means


def test_pck_counts_per_keypoint_first() -> None:
    target = np.zeros((3, 2, 2))
    confidence = np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 0.5]])
    predicted = target.copy()
    predicted[0, 0] = [4.9, 0]
    predicted[1, 0] = [5.0, 0]  # exactly at the threshold is no hit
    predicted[2, 0] = np.nan
    predicted[2, 1] = np.nan  # not labelled, so no harm
    result = pck(predicted, target, confidence, np.full(3, 100.0), ["a", "b", "c"])
    assert result.by_keypoint == pytest.approx((1 / 3, 1.0))
    assert result.mean == pytest.approx(2 / 3) and result.labelled == 4 and result.invalid == ("c",)
    assert pck(predicted, target, confidence, np.full(3, 110.0), ["a", "b", "c"]).mean > result.mean
    none = pck(predicted, target, 0 * confidence, np.full(3, 100.0), ["a", "b", "c"])
    assert np.isnan(none.mean) and none.labelled == 0


def test_other_joints_than_the_targets() -> None:
    p, q = np.zeros((2, 14, 3)), np.zeros((2, 17, 3))
    with pytest.raises(Exception, match=r"14|joints"):
        joint_errors(p, q, predicted_pelvis=p[:, 0], target_pelvis=q[:, 0])
