from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml
from hmr_batches import random_batch, rotations
from torch import Tensor

from ajahr.anatomy import J44, absent_joint_mask
from ajahr.data.batch import Batch
from ajahr.errors import UserError
from ajahr.models.outputs import RegressorOutput
from ajahr.training.hmr_losses import PELVIS, HmrLoss, LooseSupervision, LossConfig

TABLES = Path(__file__).parents[3] / "configs" / "hmr" / "shared" / "loose_supervision.yaml"
_TABLES = {k: tuple(v) if isinstance(v, list) else v for k, v in yaml.safe_load(TABLES.read_text()).items()}
LOOSE = LooseSupervision(**_TABLES)
LEARNED = ("limb_logits", "pose_rotmat", "betas", "keypoints_3d", "keypoints_2d")


def output_for(batch: Batch, seed: int = 1) -> RegressorOutput:
    """Off by tenths, so that some of it is within the loose thresholds and some beyond."""
    g = torch.Generator().manual_seed(seed)
    n, dtype = len(batch), batch.betas.dtype

    def noise(*shape: int, scale: float) -> Tensor:
        return scale * torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)

    turn = torch.eye(3, dtype=dtype) + noise(n, 24, 3, 3, scale=0.15)
    u, _, vh = torch.linalg.svd(turn)
    values = {
        "limb_logits": noise(n, 4, 4, scale=2.0),
        "pose_rotmat": batch.pose_rotmat @ (u @ vh),
        "betas": batch.betas + noise(n, 10, scale=0.5),
        "keypoints_3d": batch.keypoints_3d[..., :3] + noise(n, 44, 3, scale=0.1),
        "keypoints_2d": batch.keypoints_2d[..., :2] + noise(n, 44, 2, scale=0.08),
    }
    values = {name: value.detach().requires_grad_() for name, value in values.items()}
    return RegressorOutput(
        **values,
        limb_probabilities=None,
        limb_levels=batch.limb_levels,
        absent_joints=torch.from_numpy(absent_joint_mask(batch.limb_levels.clamp(min=0).numpy())),
        amputee=(batch.limb_levels > 0).any(-1),
        code_logits=None,
        crop_camera=torch.zeros(n, 3, dtype=dtype),
        crop_translation=torch.zeros(n, 3, dtype=dtype),
        vertices=torch.zeros(n, 5, 3, dtype=dtype),
        joints=torch.zeros(n, 24, 3, dtype=dtype),
    )


def naive(config: LossConfig, out: RegressorOutput, batch: Batch) -> Tensor:
    """Person by person, joint by joint."""
    total = torch.zeros((), dtype=torch.float64)
    loose, power = config.loose, 1 if config.keypoint_norm == "l1" else 2
    heads: list[list[Tensor]] = [[], [], [], []]
    for i in range(len(batch)):
        trusted = bool(batch.trusted_3d[i])
        absent = absent_joint_mask(batch.limb_levels[i].clamp(min=0).numpy())
        person = torch.zeros((), dtype=torch.float64)
        sharp_2d = []
        for k in range(44):
            confidence = max(float(batch.keypoints_2d[i, k, 2]), 0.0)
            sharp_2d.append(confidence)
            if confidence == 0:
                continue
            d = out.keypoints_2d[i, k] - batch.keypoints_2d[i, k, :2]
            weight = confidence
            if loose and confidence * float((d.detach() ** 2).sum()) <= loose.keypoints_2d[k]:
                weight, sharp_2d[k] = loose.weight * confidence, 0.0
            person = person + config.keypoints_2d * weight * (d.abs() ** power).sum()
        for k in range(44):
            confidence = max(float(batch.keypoints_3d[i, k, 3]), 0.0)
            lost = bool(absent[J44.anchors[k]])
            if confidence == 0 or float(batch.keypoints_3d[i, PELVIS, 3]) <= 0:
                continue
            if (loose and not trusted and sharp_2d[k] <= 0.5) or (lost and not config.absent_3d):
                continue
            ours = out.keypoints_3d[i, k] - out.keypoints_3d[i, PELVIS]
            theirs = batch.keypoints_3d[i, k, :3] - batch.keypoints_3d[i, PELVIS, :3]
            factor = config.amputated_regions if lost else 1.0
            person = (
                person + config.keypoints_3d * factor * confidence * ((ours - theirs).abs() ** power).sum()
            )
        for j in range(24):
            label = batch.pose_rotmat[i, j]
            if not bool(batch.has_pose[i, j]) or float(label.abs().max()) == 0:
                continue
            with torch.no_grad():
                cosine = (torch.trace(out.pose_rotmat[i, j].T @ label) - 1) / 2
                angle = math.acos(min(max(float(cosine), -1.0), 1.0))
            weight = config.global_orient if j == 0 else config.body_pose
            if loose and not trusted:
                limit = loose.global_orient if j == 0 else loose.body_pose[j - 1]
                weight *= 1.0 if angle > limit else loose.weight
            weight *= config.amputated_regions if absent[j] else 1.0
            person = person + weight * ((out.pose_rotmat[i, j] - label) ** 2).sum()
        if bool(batch.has_betas[i]) and (trusted or not loose):
            person = person + config.betas * ((out.betas[i] - batch.betas[i]) ** 2).sum()
        total = total + person
        for limb in range(4):
            if batch.limb_levels[i, limb] >= 0:
                assert out.limb_logits is not None
                heads[limb].append(F.cross_entropy(out.limb_logits[i, limb], batch.limb_levels[i, limb]))
    if config.reduction == "mean":
        total = total / len(batch)
    for head in heads:
        if head:
            total = total + config.classification * torch.stack(head).mean()
    return total


def holes(batch: Batch) -> Batch:
    """Labels missing in every way there is."""
    batch.keypoints_2d[0, :10, 2] = -1.0
    batch.keypoints_2d[1, 3] = torch.tensor([math.nan, math.nan, 0.0])
    batch.keypoints_3d[1, PELVIS, 3] = 0.0
    batch.keypoints_3d[2, 5:9] = 0.0
    batch.pose_rotmat[3, 18:] = 0.0
    batch.has_pose[4] = False
    batch.pose_rotmat[4] = math.nan
    batch.has_betas[2] = False
    batch.betas[2] = math.nan
    batch.limb_levels[0] = -1
    batch.limb_levels[1:, 2] = -1
    return batch


@pytest.mark.parametrize(
    "config",
    [
        LossConfig(),
        LossConfig(reduction="sum", keypoint_norm="l2"),
        LossConfig(loose=LOOSE, amputated_regions=2.5),
        LossConfig(loose=LOOSE, reduction="sum", absent_3d=False),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_twin_and_its_gradient(config: LossConfig, complete: bool) -> None:
    batch = random_batch(8, dtype=torch.float64)
    if not complete:
        batch = holes(batch)
    out = output_for(random_batch(8, dtype=torch.float64))
    terms = HmrLoss(config)(out, batch)
    expected = naive(config, out, batch)
    torch.testing.assert_close(terms.total, expected, rtol=1e-10, atol=1e-12)
    inputs = [getattr(out, name) for name in LEARNED]
    ours = torch.autograd.grad(terms.total, inputs, retain_graph=True, allow_unused=True)
    theirs = torch.autograd.grad(expected, inputs, allow_unused=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_the_loose_tables_decide_both_ways() -> None:
    batch = random_batch(8)
    out = output_for(batch)
    distance = batch.keypoints_2d[..., 2] * (out.keypoints_2d - batch.keypoints_2d[..., :2]).square().sum(-1)
    share = (distance > torch.tensor(LOOSE.keypoints_2d)).float().mean()
    assert 0.1 < share < 0.9
    plain = HmrLoss(LossConfig())(out, batch)
    loose = HmrLoss(LossConfig(loose=LOOSE))(out, batch)
    for name in ("keypoints_2d", "keypoints_3d", "body_pose", "betas"):
        assert 0 < getattr(loose, name) < getattr(plain, name)
    assert loose.classification == plain.classification


def test_paper_weights() -> None:
    c = LossConfig()
    weights = (c.body_pose, c.betas, c.keypoints_3d, c.keypoints_2d, c.classification)
    assert weights == (1e-3, 5e-4, 5e-2, 1e-2, 1e-2) and c.global_orient == c.body_pose


def test_missing_labels_change_nothing_else() -> None:
    """A person without labels adds nothing to a sum, whatever stands in the labels' place."""
    config = LossConfig(reduction="sum")
    few, many = random_batch(3), random_batch(4)
    for field in dataclasses.fields(Batch):
        value = getattr(many, field.name)
        if isinstance(value, Tensor):
            value[:3] = getattr(few, field.name)
    many.keypoints_2d[3] = math.nan
    many.keypoints_3d[3] = math.nan
    many.keypoints_2d[3, :, 2] = many.keypoints_3d[3, :, 3] = 0.0
    many.pose_rotmat[3], many.betas[3] = math.nan, math.nan
    many.has_pose[3], many.has_betas[3], many.limb_levels[3] = False, False, -1
    out = output_for(random_batch(4))
    with_nobody = HmrLoss(config)(out, many)
    cut = dataclasses.replace(
        out,
        **{
            f.name: getattr(out, f.name)[:3]
            for f in dataclasses.fields(out)
            if isinstance(getattr(out, f.name), Tensor)
        },
    )
    torch.testing.assert_close(with_nobody.total, HmrLoss(config)(cut, few).total)
    with_nobody.total.backward()
    assert with_nobody.per_person[3] == 0
    for name in LEARNED:
        gradient = getattr(out, name).grad
        assert torch.isfinite(gradient).all() and (gradient[3] == 0).all() and (gradient[:3] != 0).any()


def test_finite_where_nothing_is_known_or_all_limbs_are_absent() -> None:
    for loose in (None, LOOSE):
        batch = random_batch(5)
        batch.limb_levels[:] = 3
        batch.pose_rotmat[:, 1:] = 0.0
        out = output_for(batch)
        out.pose_rotmat.data[:, 1:] = rotations(torch.Generator().manual_seed(3), 5, 23)
        terms = HmrLoss(LossConfig(loose=loose))(out, batch)
        terms.total.backward()
        assert terms.body_pose == 0 and terms.total > 0
        assert all(torch.isfinite(getattr(out, name).grad).all() for name in LEARNED)

        batch.limb_levels[:] = -1
        batch.keypoints_2d[..., 2] = batch.keypoints_3d[..., 3] = -1.0
        batch.has_pose[:] = batch.has_betas[:] = False
        terms = HmrLoss(LossConfig(loose=loose))(out, batch)
        terms.total.backward()
        assert terms.total == 0


def test_equal_to_the_labels_is_no_loss_and_no_nan() -> None:
    batch = random_batch(4)
    out = output_for(batch)
    out.pose_rotmat.data[:] = batch.pose_rotmat
    out.betas.data[:] = batch.betas
    out.keypoints_2d.data[:] = batch.keypoints_2d[..., :2]
    out.keypoints_3d.data[:] = batch.keypoints_3d[..., :3] + 7.0  # the pelvis takes it out
    terms = HmrLoss(LossConfig(loose=LOOSE))(out, batch)
    terms.total.backward()
    assert terms.body_pose == terms.global_orient == terms.betas == terms.keypoints_2d == 0
    assert terms.keypoints_3d < 1e-3
    assert all(torch.isfinite(getattr(out, name).grad).all() for name in LEARNED)


def test_without_a_classifier_and_in_half_precision() -> None:
    batch = random_batch(4)
    out = output_for(batch)
    half = dataclasses.replace(
        out,
        limb_logits=out.limb_logits.bfloat16(),
        pose_rotmat=out.pose_rotmat.bfloat16(),
        betas=out.betas.bfloat16(),
    )
    full = HmrLoss()(out, batch)
    rough = HmrLoss()(half, batch)
    assert rough.total.dtype == torch.float32
    torch.testing.assert_close(rough.total, full.total, rtol=0.02, atol=0.0)
    assert HmrLoss()(dataclasses.replace(out, limb_logits=None), batch).classification == 0


def test_tells_whose_loss_is_not_finite() -> None:
    batch = random_batch(4)
    out = output_for(batch)
    out.keypoints_3d.data[2, 4, 1] = math.inf
    per_person = HmrLoss()(out, batch).per_person
    assert torch.isfinite(per_person).tolist() == [True, True, False, True]


def test_mean_does_not_grow_with_the_batch() -> None:
    batch = random_batch(4)
    twice = batch.select(torch.tensor([0, 1, 2, 3, 0, 1, 2, 3]))
    out, out_twice = output_for(batch), output_for(twice)
    for name in LEARNED:
        getattr(out_twice, name).data[:] = getattr(out, name).data.repeat(
            2, *(1,) * (getattr(out, name).ndim - 1)
        )
    torch.testing.assert_close(HmrLoss()(out_twice, twice).total, HmrLoss()(out, batch).total)
    summed = HmrLoss(LossConfig(reduction="sum", classification=0.0))
    torch.testing.assert_close(summed(out_twice, twice).total, 2 * summed(out, batch).total)


def test_wrong_tables() -> None:
    with pytest.raises(UserError, match="22 thresholds; give 23"):
        LooseSupervision(keypoints_2d=(0.0,) * 44, body_pose=(0.0,) * 22, global_orient=0.4)


# ------------------------------------------------------------------------------------- residual limbs


def with_ends(batch: Batch, seed: int = 2) -> RegressorOutput:
    g = torch.Generator().manual_seed(seed)
    fraction = torch.rand(len(batch), 8, generator=g, dtype=torch.float64).to(batch.betas).requires_grad_()
    log_std = (
        (-3 * torch.rand(len(batch), 8, generator=g, dtype=torch.float64)).to(batch.betas).requires_grad_()
    )
    return dataclasses.replace(output_for(batch), residual_lambda=fraction, residual_log_std=log_std)


def test_twin_of_the_likelihood_of_ends() -> None:
    batch = random_batch(5, dtype=torch.float64)
    out = with_ends(batch)
    terms = HmrLoss(LossConfig(residual=1.0))(out, batch)
    assert out.residual_lambda is not None and out.residual_log_std is not None
    values = []
    gradients = torch.zeros_like(out.residual_lambda)
    known = torch.isfinite(batch.residual).nonzero().tolist()
    for i, k in known:
        mean = float(out.residual_lambda[i, k].detach())
        std = math.exp(float(out.residual_log_std[i, k].detach()))
        normal = torch.distributions.Normal(mean, std)
        nll = -normal.log_prob(batch.residual[i, k]) - 0.5 * math.log(2 * math.pi)
        values.append(nll)
        gradients[i, k] = std * (mean - float(batch.residual[i, k])) / std**2 / len(known)
    torch.testing.assert_close(terms.residual, torch.stack(values).mean().to(terms.residual))
    terms.total.backward()
    torch.testing.assert_close(out.residual_lambda.grad, gradients)
    assert bool((out.residual_log_std.grad != 0).eq(torch.isfinite(batch.residual)).all())


def test_ends_that_are_not_known_have_no_say() -> None:
    batch = random_batch(4)
    batch.residual[:] = torch.nan
    out = with_ends(batch)
    terms = HmrLoss()(out, batch)
    assert terms.residual.item() == 0 and bool(torch.isfinite(terms.total))
    terms.total.backward()
    assert out.residual_lambda is not None and not out.residual_lambda.grad.any()
    without = HmrLoss()(output_for(random_batch(4)), random_batch(4))
    assert without.residual.item() == 0, "no head, no term"


def test_an_end_that_is_not_finite_is_laid_at_its_door() -> None:
    batch = random_batch(4)
    out = with_ends(batch)
    person = int(torch.isfinite(batch.residual).any(1).nonzero()[0])
    broken = out.residual_lambda.detach().clone()
    broken[person] = torch.nan
    terms = HmrLoss()(dataclasses.replace(out, residual_lambda=broken), batch)
    assert torch.isfinite(terms.per_person).logical_not().nonzero().flatten().tolist() == [person]
