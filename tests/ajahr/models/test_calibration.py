from __future__ import annotations

import pytest
import torch

from ajahr.errors import UserError
from ajahr.models.calibration import fit_std_scales, fit_temperatures


def test_finds_the_temperatures_that_made_the_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.tensor([0.5, 1.0, 2.0, 4.0])
    logits = torch.randn(20_000, 4, 4, generator=generator) * 3
    probabilities = (logits / true[:, None]).softmax(-1)
    levels = torch.multinomial(probabilities.flatten(0, 1), 1, generator=generator).view(-1, 4)
    torch.testing.assert_close(fit_temperatures(logits, levels), true, atol=0, rtol=0.05)


def test_unknown_labels_have_no_say() -> None:
    torch.manual_seed(0)
    logits, levels = torch.randn(200, 4, 4), torch.randint(0, 4, (200, 4))
    known = fit_temperatures(logits[:100], levels[:100])
    levels[100:] = -1
    torch.testing.assert_close(fit_temperatures(logits, levels), known, atol=1e-3, rtol=1e-3)
    levels[:, 2] = -1
    assert fit_temperatures(logits, levels)[2] == pytest.approx(1)


def test_never_wrong_stays_finite_and_becomes_surer() -> None:
    levels = torch.randint(0, 4, (300, 4))
    logits = torch.nn.functional.one_hot(levels, 4).float() * 4
    temperatures = fit_temperatures(logits, levels)
    assert bool((temperatures < 1).all() and (temperatures > 0.04).all())


def test_always_wrong_becomes_less_sure() -> None:
    levels = torch.randint(0, 4, (300, 4))
    logits = torch.nn.functional.one_hot((levels + 1) % 4, 4).float() * 4
    assert bool((fit_temperatures(logits, levels) > 2).all())


def test_nan() -> None:
    with pytest.raises(UserError, match="not finite"):
        fit_temperatures(torch.full((2, 4, 4), torch.nan), torch.zeros(2, 4, dtype=torch.long))


def test_nothing_to_fit() -> None:
    assert fit_temperatures(torch.zeros(0, 4, 4), torch.zeros(0, 4, dtype=torch.long)).eq(1).all()


def test_scaled_standard_deviations_are_those_of_the_errors() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.linspace(0.3, 3, 8)
    said = 0.1 + torch.rand(20_000, 8, generator=generator)
    errors = true * said * torch.randn(20_000, 8, generator=generator)
    scales = fit_std_scales((errors / said).square().sum(0), torch.full((8,), 20_000.0))
    torch.testing.assert_close(scales, true, atol=0, rtol=0.03)
    within = (errors.abs() <= 1.96 * scales * said).float().mean(0)
    torch.testing.assert_close(within, torch.full((8,), 0.95), atol=0.01, rtol=0)


def test_standard_deviations_without_errors_stay() -> None:
    scales = fit_std_scales(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 99.0]))
    assert scales[0] == 1 and 0 < scales[1] < 0.2
