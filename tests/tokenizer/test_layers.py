from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tokenizer.layers import Convolution, ResidualUnit, ResizedConvolution


def _twin(layer: Convolution, x: torch.Tensor) -> torch.Tensor:
    y = F.conv1d(
        x.transpose(1, 2),
        layer.weight.permute(2, 0, 1),
        layer.bias,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
    ).transpose(1, 2)
    return y.relu() if layer.relu else y


@pytest.mark.parametrize("channels", [6, 40])  # torch's convolution; the fast one
@pytest.mark.parametrize(
    "options",
    [{}, {"relu": True}, {"dilation": 3, "padding": 3}, {"taps": 4, "stride": 2}, {"taps": 1, "padding": 0}],
)
def test_convolution_is_conv1d(channels: int, options: dict) -> None:
    layer = Convolution(channels, 40, **options)
    x = torch.randn(2, 20, channels)
    torch.testing.assert_close(layer(x), _twin(layer, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("before", "after"), [(21, 40), (40, 80), (320, 245), (245, 170), (20, 20), (20, 21)]
)
@pytest.mark.parametrize("channels", [4, 32])
def test_resized_convolution_interpolates_as_torch_does(before: int, after: int, channels: int) -> None:
    layer = ResizedConvolution(channels, channels, before, after)
    x = torch.randn(2, before, channels)
    resized = F.interpolate(x.transpose(1, 2), size=after).transpose(1, 2)
    torch.testing.assert_close(layer(x), _twin(layer, resized), atol=1e-5, rtol=1e-5)


def test_bfloat16_autocast_stays_near_float32() -> None:
    layer = ResizedConvolution(32, 32, 40, 80)
    x = torch.randn(2, 40, 32)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x)
    assert half.dtype == torch.bfloat16
    assert (half.float() - layer(x)).abs().max() < 0.05


def test_initialised_as_conv1d_is() -> None:
    torch.manual_seed(0)
    ours, theirs = Convolution(64, 64), nn.Conv1d(64, 64, 3)
    bound = 1 / (64 * 3) ** 0.5
    for mine, stock in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        assert mine.abs().max() <= bound
        torch.testing.assert_close(mine.std(), stock.std(), rtol=0.2, atol=0)


@pytest.mark.parametrize("length", [7, 20, 21, 24])
@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("width", [4, 32])
def test_residual_unit_is_two_convolutions(length: int, dilation: int, width: int) -> None:
    unit = ResidualUnit(width, dilation).double()
    x = torch.randn(2, length, width, dtype=torch.float64, requires_grad=True)
    twin = x + _twin(unit.pointwise, _twin(unit.wide, x.relu()))
    torch.testing.assert_close(unit(x), twin)
    leaves, grad = [x, *unit.parameters()], torch.randn_like(twin)
    torch.testing.assert_close(
        torch.autograd.grad(unit(x), leaves, grad), torch.autograd.grad(twin, leaves, grad)
    )


def test_residual_unit_is_the_identity_without_weights() -> None:
    unit = ResidualUnit(32, dilation=3)
    nn.init.zeros_(unit.pointwise.weight)
    nn.init.zeros_(unit.pointwise.bias)
    x = torch.randn(2, 21, 32)
    assert torch.equal(unit(x), x)
