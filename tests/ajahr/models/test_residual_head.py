from __future__ import annotations

import math

import pytest
import torch

from ajahr.models.residual_head import STD_RANGE, ResidualHead


def test_starts_in_the_middle_of_every_bone_and_unsure() -> None:
    torch.manual_seed(0)
    found = ResidualHead(64, 32)(torch.randn(50, 64), torch.randn(50, 32))
    torch.testing.assert_close(found.fraction, torch.full((50, 8), 0.5), atol=0.05, rtol=0)
    assert bool(((found.std > 0.2) & (found.std < 0.3)).all()), "that of any lambda is 0.29"


@pytest.mark.parametrize("bias", [-1e4, 1e4])
def test_whatever_it_learns_it_stays_within_its_range(bias: float) -> None:
    head = ResidualHead(8, 0)
    torch.nn.init.constant_(head.out.bias, bias)
    found = head(torch.randn(3, 8))
    assert bool(((found.fraction >= 0) & (found.fraction <= 1)).all())
    low, high = (math.log(end) for end in STD_RANGE)
    assert bool(((found.log_std >= low - 1e-5) & (found.log_std <= high + 1e-5)).all())


def test_scale_changes_what_is_reported_and_not_what_is_learned() -> None:
    torch.manual_seed(0)
    head, token = ResidualHead(8, 0), torch.randn(3, 8)
    before = head(token)
    head.std_scale.fill_(3)
    after = head(token)
    assert torch.equal(after.log_std, before.log_std) and torch.equal(after.fraction, before.fraction)
    torch.testing.assert_close(after.std, 3 * before.std)
    assert "std_scale" in head.state_dict()


def test_sees_both_tokens() -> None:
    torch.manual_seed(0)
    head = ResidualHead(8, 4)
    token, other = torch.randn(2, 8, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    head(token, other).fraction.square().sum().backward()
    assert bool(token.grad.abs().sum() > 0) and bool(other.grad.abs().sum() > 0)


def test_a_head_that_hears_points_is_moved_by_them() -> None:
    torch.manual_seed(0)
    head = ResidualHead(8, 4, hears_points=True)
    token, other, points = torch.randn(2, 8), torch.randn(2, 4), torch.randn(2, 100, requires_grad=True)
    head(token, other, points).fraction.square().sum().backward()
    assert bool(points.grad.abs().sum() > 0)
