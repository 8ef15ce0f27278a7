"""Against torch's own convolution in float64: values and gradients, odd lengths, several blocks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import tokenizer.fast_convolutions as fast


def _inputs(
    samples: int, length: int, inputs: int, outputs: int, taps: int = 3
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(length)
    shapes = ((samples, length, inputs), (inputs, taps, outputs), (outputs,))
    x, weight, bias = (
        torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes
    )
    return x, weight, bias


def _assert_same(fast_y: Tensor, twin_y: Tensor, leaves: tuple[Tensor, ...]) -> None:
    torch.testing.assert_close(fast_y, twin_y)
    grad = torch.randn(twin_y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(
        torch.autograd.grad(fast_y, leaves, grad), torch.autograd.grad(twin_y, leaves, grad)
    )


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("length", [2, 3, 4, 21, 40])
@pytest.mark.parametrize("block", [1, 1 << 20])  # every sample alone; all at once
def test_winograd(monkeypatch: pytest.MonkeyPatch, length: int, relu: bool, block: int) -> None:
    monkeypatch.setattr(fast, "_BLOCK", block)
    leaves = x, weight, bias = _inputs(3, length, 4, 5)
    twin = F.conv1d(x.transpose(1, 2), weight.permute(2, 0, 1), bias, padding=1).transpose(1, 2)
    y = fast.WinogradConvolution.apply(x, weight, bias, relu)
    _assert_same(y, twin.relu() if relu else twin, leaves)


@pytest.mark.parametrize("length", [1, 2, 21])
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_upsampled(monkeypatch: pytest.MonkeyPatch, length: int, block: int) -> None:
    monkeypatch.setattr(fast, "_BLOCK", block)
    leaves = x, weight, bias = _inputs(3, length, 4, 5)
    wide = F.interpolate(x.transpose(1, 2), scale_factor=2)
    twin = F.conv1d(wide, weight.permute(2, 0, 1), bias, padding=1).relu().transpose(1, 2)
    _assert_same(fast.UpsampledConvolution.apply(x, weight, bias), twin, leaves)


@pytest.mark.parametrize("length", [4, 8, 40])
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_halving(monkeypatch: pytest.MonkeyPatch, length: int, block: int) -> None:
    monkeypatch.setattr(fast, "_BLOCK", block)
    leaves = x, weight, bias = _inputs(3, length, 4, 5, taps=4)
    twin = F.conv1d(x.transpose(1, 2), weight.permute(2, 0, 1), bias, stride=2, padding=1).transpose(1, 2)
    _assert_same(fast.HalvingConvolution.apply(x, weight, bias), twin, leaves)


def test_float32_rounds_as_a_direct_convolution_does() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 40, 256, generator=generator)
    weight = torch.randn(256, 3, 256, generator=generator) / 28
    bias = torch.zeros(256)

    def direct(x: Tensor, weight: Tensor) -> Tensor:
        y = F.conv1d(x.transpose(1, 2), weight.permute(2, 0, 1), padding=1)
        return y.transpose(1, 2)

    exact = direct(x.double(), weight.double())
    fast_error = (fast.WinogradConvolution.apply(x, weight, bias, False) - exact).norm() / exact.norm()
    assert fast_error < 1e-6


def test_a_first_layer_gets_no_input_gradient() -> None:
    x, weight, bias = _inputs(2, 6, 4, 5)
    for y in (
        fast.WinogradConvolution.apply(x.detach(), weight, bias, True),
        fast.UpsampledConvolution.apply(x.detach(), weight, bias),
    ):
        y.sum().backward()
    assert x.grad is None and weight.grad is not None


@pytest.mark.parametrize("length", [4, 21])
def test_frozen_weights_leave_the_input_gradient_as_it_is(length: int) -> None:
    x, weight, bias = _inputs(3, length, 4, 5)
    frozen = weight.detach(), bias.detach()
    for apply in (
        lambda w, b: fast.WinogradConvolution.apply(x, w, b, True),
        lambda w, b: fast.WinogradConvolution.apply(x, w, b, False),
        lambda w, b: fast.UpsampledConvolution.apply(x, w, b),
    ):
        learning = torch.autograd.grad(apply(weight, bias).square().sum(), x)
        torch.testing.assert_close(torch.autograd.grad(apply(*frozen).square().sum(), x), learning)
