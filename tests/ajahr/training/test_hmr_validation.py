from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hmr_batches import random_batch
from hmr_runs import smallest

from ajahr.anatomy import absent_joint_mask
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.evaluation.limb_status import Confusion
from ajahr.evaluation.metrics import joint_errors, mve_mm
from ajahr.models.outputs import RegressorOutput
from ajahr.models.regressor import Regressor
from ajahr.training.hmr_losses import PELVIS
from ajahr.training.hmr_validation import EVALUATION_JOINTS, Meter, limb_scores, person_errors


@pytest.fixture(scope="module")
def regressor() -> Regressor:
    torch.manual_seed(0)
    return Regressor(smallest(), Body(load_body())).eval()


@pytest.fixture(scope="module")
@torch.no_grad()
def outcome(regressor: Regressor):
    batch = random_batch(5, image=256)
    batch.limb_levels[:2] = 0
    batch.keypoints_3d[1, 30:, 3] = 0.0
    batch.has_betas[2] = False
    batch.pose_rotmat[3, 18:22] = 0.0
    output = regressor(batch.image, batch.bpac_keypoints, limb_levels=(batch.limb_levels + 1) % 4)
    return batch, output


def absent(batch) -> torch.Tensor:
    return torch.from_numpy(absent_joint_mask(batch.limb_levels.numpy()))


def test_twin_of_the_reported_metrics(regressor: Regressor, outcome) -> None:
    batch, output = outcome
    errors = person_errors(output, batch, regressor.body, absent(batch))
    joints = list(EVALUATION_JOINTS)
    assert len(joints) == 14 and joints[-1] == 43
    present = batch.keypoints_3d[:, joints, 3].numpy() > 0
    present &= batch.keypoints_3d[:, PELVIS, 3].numpy()[:, None] > 0
    reported = joint_errors(
        output.keypoints_3d[:, joints].numpy(),
        batch.keypoints_3d[:, joints, :3].numpy(),
        predicted_pelvis=output.keypoints_3d[:, PELVIS].numpy(),
        target_pelvis=batch.keypoints_3d[:, PELVIS, :3].numpy(),
        present=present,
    )
    np.testing.assert_array_equal(errors.measured[0].numpy(), reported.measured)
    for row, expected in ((0, reported.mpjpe_mm), (1, reported.pa_mpjpe_mm)):
        keep = reported.measured
        np.testing.assert_allclose(errors.values[row].numpy()[keep], expected[keep], rtol=1e-4)

    lost = absent(batch) | (batch.pose_rotmat.abs().amax((-2, -1)) == 0)
    truth = regressor.body(batch.betas, batch.pose_rotmat, lost)
    meshes = mve_mm(
        output.vertices.numpy(),
        truth.vertices.numpy(),
        predicted_pelvis=output.keypoints_3d[:, PELVIS].numpy(),
        target_pelvis=truth.keypoints_44[:, PELVIS].numpy(),
    )
    assert errors.measured[2].tolist() == [True, True, False, True, True]
    keep = errors.measured[2].numpy()
    np.testing.assert_allclose(errors.values[2].numpy()[keep], meshes[keep], rtol=1e-4)


def test_meter_over_batches_is_that_of_all(regressor: Regressor, outcome) -> None:
    batch, output = outcome
    rows = [torch.tensor([0, 1, 2]), torch.tensor([3, 4])]
    whole, parts = Meter("cpu"), Meter("cpu")
    whole.add(person_errors(output, batch, regressor.body, absent(batch)), output, batch.limb_levels)
    for index in rows:
        some, out = batch.select(index), select(output, index)
        parts.add(person_errors(out, some, regressor.body, absent(some)), out, some.limb_levels)
    a, b = whole.results(), parts.results()
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert b[name] == pytest.approx(value, rel=1e-5), name
    assert {"mve_mm_intact", "pa_mpjpe_mm_amputee", "limb_f1"} <= a.keys()

    doubled = Meter("cpu")
    doubled.add(person_errors(output, batch, regressor.body, absent(batch)), output, batch.limb_levels)
    doubled.reduce(lambda value: 2 * value)  # two ranks with the same people
    assert doubled.results()["mve_mm"] == pytest.approx(a["mve_mm"])
    assert int(doubled.confusion.sum()) == 2 * int(whole.confusion.sum())


def select(output: RegressorOutput, index: torch.Tensor) -> RegressorOutput:
    return replace(output, **{k: v[index] for k, v in vars(output).items() if isinstance(v, torch.Tensor)})


def test_limb_scores_are_those_of_the_report() -> None:
    rng = np.random.default_rng(0)
    true, said = rng.integers(-1, 4, (300, 4)), rng.integers(0, 4, (300, 4))
    report = Confusion.of(true, said)
    ours = limb_scores(torch.from_numpy(report.counts.sum(0)).double())
    assert ours["limb_f1"] == pytest.approx(report.amputation.f1)
    assert ours["limb_precision"] == pytest.approx(report.amputation.precision)
    assert ours["limb_recall"] == pytest.approx(report.amputation.recall)
    assert ours["limb_accuracy"] == pytest.approx(report.pooled.accuracy)
    assert ours["hallucinated_limb_rate"] == pytest.approx(report.hallucinated_limb_rate)
    assert ours["false_amputation_rate"] == pytest.approx(report.false_amputation_rate)
    assert limb_scores(torch.zeros(4, 4)) == {}
    assert "limb_f1" not in limb_scores(torch.tensor([[3.0, 0, 0, 0]] + [[0.0] * 4] * 3))


def test_a_prediction_that_is_not_finite_is_counted_and_left_out(regressor: Regressor, outcome) -> None:
    batch, output = outcome
    broken = replace(output, keypoints_3d=output.keypoints_3d.clone(), vertices=output.vertices.clone())
    broken.keypoints_3d[4] = torch.nan
    broken.vertices[4] = torch.nan
    meter, clean = Meter("cpu"), Meter("cpu")
    meter.add(person_errors(broken, batch, regressor.body, absent(batch)), broken, batch.limb_levels)
    few, out = batch.select(torch.arange(4)), select(output, torch.arange(4))
    clean.add(person_errors(out, few, regressor.body, absent(few)), out, few.limb_levels)
    results, expected = meter.results(), clean.results()
    assert results["not_finite"] == 1 and expected["not_finite"] == 0
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "mve_mm"):
        assert results[name] == pytest.approx(expected[name], rel=1e-5)
