from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hmr_batches import random_batch
from hmr_runs import smallest

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.models.outputs import RegressorOutput
from ajahr.models.regressor import Regressor
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.training.hmr_losses import PELVIS
from ajahr.training.residual_validation import ResidualMeter, bone_lengths


@pytest.fixture(scope="module")
@torch.no_grad()
def outcome():
    torch.manual_seed(0)
    regressor = Regressor(smallest(residual_head=True), Body(load_body())).eval()
    batch = random_batch(5, image=256)
    batch.residual[0] = torch.nan
    batch.has_betas[1] = False
    batch.keypoints_3d[2, PELVIS, 3] = 0
    return regressor.body, batch, regressor(batch.image, batch.bpac_keypoints)


def measured(body: Body, batch, output: RegressorOutput) -> ResidualMeter:
    meter = ResidualMeter("cpu")
    meter.add(output, batch, body)
    return meter


def test_twin_end_by_end(outcome) -> None:
    body, batch, output = outcome
    lambdas, inside, lengths, ends = [], [], [], []
    for i in range(len(batch)):
        ours, theirs = (body.shape(b).joints.numpy() for b in (output.betas[i], batch.betas[i]))
        posed, pelvis = output.joints[i].numpy(), output.keypoints_3d[i, PELVIS].numpy()
        for k, segment in enumerate(SEGMENTS):
            true, said = float(batch.residual[i, k]), float(output.residual_lambda[i, k])
            if np.isnan(true):
                continue
            lambdas.append(abs(said - true))
            inside.append(abs(said - true) <= 1.96 * float(output.residual_std[i, k]))
            left = [
                (1 - share) * np.linalg.norm(joints[segment.anchor] - joints[segment.upstream])
                for share, joints in ((said, ours), (true, theirs))
            ]
            if batch.has_betas[i]:
                lengths.append(1000 * abs(left[0] - left[1]))
            end = posed[segment.anchor] + said * (posed[segment.upstream] - posed[segment.anchor]) - pelvis
            target = batch.residual_3d[i, k, :3].numpy() - batch.keypoints_3d[i, PELVIS, :3].numpy()
            if batch.residual_3d[i, k, 3] > 0 and batch.keypoints_3d[i, PELVIS, 3] > 0:
                ends.append(1000 * np.linalg.norm(end - target))
    found = measured(body, batch, output).results()
    assert found["residual_lambda_mae"] == pytest.approx(np.mean(lambdas), rel=1e-4)
    assert found["residual_coverage_95"] == pytest.approx(np.mean(inside))
    assert found["residual_length_mm"] == pytest.approx(np.mean(lengths), rel=1e-3)
    assert found["residual_end_mm"] == pytest.approx(np.mean(ends), rel=1e-4)
    assert 0 < len(ends) < len(lambdas) and len(lengths) < len(lambdas)


def test_batches_and_ranks_add_up(outcome) -> None:
    body, batch, output = outcome
    whole = measured(body, batch, output)
    parts = ResidualMeter("cpu")
    for index in (torch.tensor([0, 1]), torch.tensor([2, 3, 4])):
        some = {k: v[index] for k, v in vars(output).items() if isinstance(v, torch.Tensor)}
        parts.add(replace(output, **some), batch.select(index), body)
    assert parts.results() == pytest.approx(whole.results(), rel=1e-5)
    torch.testing.assert_close(parts.std_scales(), whole.std_scales())
    parts.reduce(lambda value: 2 * value)
    assert parts.results() == pytest.approx(whole.results(), rel=1e-5)


def test_nobody_with_a_residual_limb_and_no_head(outcome) -> None:
    body, batch, output = outcome
    nobody = batch.select(torch.tensor([0]))
    some = {k: v[:1] for k, v in vars(output).items() if isinstance(v, torch.Tensor)}
    meter = measured(body, nobody, replace(output, **some))
    assert meter.results() == {} and meter.std_scales().tolist() == [1] * 8
    headless = replace(output, residual_lambda=None, residual_log_std=None, residual_std=None)
    assert measured(body, batch, headless).results() == {}


def test_bones_are_as_long_as_in_the_rest_pose() -> None:
    body = Body(load_body())
    lengths = bone_lengths(body, torch.zeros(1, 10))[0]
    mirrored = lengths[[SEGMENTS.index(segment.mirrored) for segment in SEGMENTS]]
    torch.testing.assert_close(lengths, mirrored, rtol=0.02, atol=0)
    assert bool(((lengths > 0.2) & (lengths < 0.5)).all())
