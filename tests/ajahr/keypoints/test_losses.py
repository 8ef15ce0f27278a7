"""Adaptive wing against its printed values, distillation's masks and shares."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ajahr.errors import UserError
from ajahr.keypoints.codec import simcc_targets
from ajahr.keypoints.heads import SimCC
from ajahr.keypoints.losses import DistillationLoss, adaptive_wing, heatmap_mse, simcc_loss

ROWS, COLUMNS = 16, 12


def maps(seed: int, batch: int = 2, points: int = 25) -> torch.Tensor:
    return torch.rand(batch, points, ROWS, COLUMNS, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("distance", "values"),
    [
        (0.1, (0.110767, 0.347320, 1.070100)),
        (0.5, (2.935235, 3.991210, 5.360458)),
        (0.9, (7.383804, 8.436280, 9.279598)),
    ],
)
def test_adaptive_wing_values(distance: float, values: tuple[float, ...]) -> None:
    target = torch.tensor([0.0, 0.5, 1.0])
    assert torch.allclose(adaptive_wing(target + distance, target), torch.tensor(values), atol=2e-6)
    assert torch.allclose(adaptive_wing(target - distance, target), torch.tensor(values), atol=2e-6)


def test_the_two_branches_join_with_their_slopes() -> None:
    target = torch.linspace(0, 1, 11, dtype=torch.float64).float()
    just = 1e-3
    sides = []
    for distance in (0.5 - just, 0.5 + just):
        predicted = (target + distance).requires_grad_()
        loss = adaptive_wing(predicted, target)
        (slope,) = torch.autograd.grad(loss.sum(), predicted)
        sides.append((loss.detach(), slope))
    assert torch.allclose(sides[1][0] - sides[0][0], 2 * just * sides[0][1], rtol=0.02)
    assert torch.allclose(sides[0][1], sides[1][1], rtol=0.02)


def test_adaptive_wing_gradients_are_finite_everywhere() -> None:
    target = maps(0)
    predicted = (target + torch.linspace(-3, 3, target.numel()).view_as(target)).requires_grad_()
    adaptive_wing(predicted, target).mean().backward()
    assert torch.isfinite(predicted.grad).all()
    same = target.clone().requires_grad_()
    adaptive_wing(same, target).sum().backward()
    assert (same.grad == 0).all()


def test_half_precision_is_computed_in_single() -> None:
    target = maps(1)
    assert adaptive_wing(target.half(), target.half()).dtype == torch.float32


def test_heatmap_mse_is_the_weighted_mean_of_all() -> None:
    predicted, target = maps(2), maps(3)
    weights = torch.rand(2, 25)
    expected = sum(
        float(weights[b, k]) * float(F.mse_loss(predicted[b, k], target[b, k]))
        for b in range(2)
        for k in range(25)
    )
    assert float(heatmap_mse(predicted, target, weights)) == pytest.approx(expected / 50, rel=1e-5)


def test_a_peak_counts_more_by_its_weight() -> None:
    target = torch.zeros(1, 25, ROWS, COLUMNS)
    target[0, 0, 5, 6] = 1.0
    weights, size = torch.ones(1, 25), 25 * ROWS * COLUMNS
    flat, shifted = torch.zeros_like(target), target + 0.5
    assert float(heatmap_mse(flat, target, weights, 20.0)) == pytest.approx(21 / size, rel=1e-5)
    assert float(heatmap_mse(shifted, target, weights, 20.0)) == pytest.approx(
        0.25 * (size + 20) / size, rel=1e-5
    )


def test_simcc_loss_is_zero_at_the_target_and_blind_to_weight_0() -> None:
    target, _ = simcc_targets(
        torch.tensor([[[40.0, 70.0], [90.0, 100.0]]]), torch.ones(1, 2, dtype=torch.bool)
    )
    both = torch.ones(1, 2)
    assert float(simcc_loss(target, target, both)) == pytest.approx(0, abs=1e-6)
    other = SimCC(target.x.flip(1), target.y.flip(1))
    assert float(simcc_loss(other, target, both)) > 0.01
    assert float(simcc_loss(other, target, 0 * both)) == 0


class TestDistillation:
    presence = torch.ones(2, 25, dtype=torch.long)
    weights = torch.ones(2, 25)

    def test_shares(self) -> None:
        student, target, teacher = maps(4), maps(5), maps(6)
        on_labels = adaptive_wing(student, target).mean()
        on_teacher = adaptive_wing(student, teacher).mean()
        for share in (0.0, 0.7, 1.0):
            loss = DistillationLoss(share)(student, target, self.weights, self.presence, teacher)
            assert torch.isclose(loss, (1 - share) * on_labels + share * on_teacher, rtol=1e-5)
        assert DistillationLoss(0.0)(student, target, self.weights, self.presence, None) == on_labels

    def test_agreement_costs_nothing(self) -> None:
        same = maps(7)
        assert DistillationLoss()(same, same, self.weights, self.presence, same) == 0

    def test_the_teacher_is_not_heard_about_absent_limbs(self) -> None:
        student, target, teacher = maps(8), maps(9), maps(10)
        presence = self.presence.clone()
        presence[0, 13] = 0
        student.requires_grad_()
        DistillationLoss(1.0)(student, target, self.weights, presence, teacher).backward()
        assert (student.grad[0, 13] == 0).all() and (student.grad[1, 13] != 0).any()

    def test_the_teacher_fills_in_what_has_no_label(self) -> None:
        student = maps(11).requires_grad_()
        weights = self.weights.clone()
        weights[:, 5] = 0
        unknown = torch.full_like(self.presence, -1)
        DistillationLoss(0.7)(student, maps(12), weights, unknown, maps(13)).backward()
        assert (student.grad[:, 5] != 0).any()
        silent = maps(13)
        silent[:, 5] *= 0.09
        student.grad = None
        DistillationLoss(0.7)(student, maps(12), weights, unknown, silent).backward()
        assert (student.grad[:, 5] == 0).all()

    def test_a_teacher_of_17_points_leaves_the_ends_to_the_labels(self) -> None:
        student = maps(14).requires_grad_()
        DistillationLoss(1.0)(student, maps(15), self.weights, self.presence, maps(16)[:, :17]).backward()
        assert (student.grad[:, 17:] == 0).all() and (student.grad[:, :17] != 0).any()

    def test_overshooting_teachers_are_cut(self) -> None:
        student, target, teacher = maps(17), maps(18), maps(19)
        wild = teacher * 3 - 1
        loss = DistillationLoss(1.0, min_peak=-1e9)(student, target, self.weights, self.presence, wild)
        assert torch.isclose(loss, adaptive_wing(student, wild.clamp(0, 1)).mean(), rtol=1e-5)

    def test_absent_points_can_be_taught_to_be_silent(self) -> None:
        student, weights = maps(20).requires_grad_(), self.weights.clone()
        presence = self.presence.clone()
        presence[:, 17:], weights[:, 17:] = 0, 0
        target = maps(21)
        target[:, 17:] = 0
        DistillationLoss(0.0)(student, target, weights, presence, None).backward()
        assert (student.grad[:, 17:] == 0).all()
        student.grad = None
        DistillationLoss(0.0, absent_weight=0.2)(student, target, weights, presence, None).backward()
        assert (student.grad[:, 17:] > 0).any() and (student.grad[:, 17:] >= 0).all()

    def test_nothing_known_is_zero_with_a_graph(self) -> None:
        student = maps(22).requires_grad_()
        unknown = torch.full_like(self.presence, -1)
        loss = DistillationLoss()(student, maps(23), 0 * self.weights, unknown, 0 * maps(24))
        loss.backward()
        assert loss == 0 and torch.isfinite(student.grad).all()

    def test_a_share_is_a_share(self) -> None:
        with pytest.raises(UserError, match="teacher_share"):
            DistillationLoss(1.2)
