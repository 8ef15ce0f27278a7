"""The layers both networks are made of. Sequences are (batch, length, channels): no transposes anywhere.

Weights lie as (in, taps, out), the order the fast CPU convolutions multiply in; `tokenizer.upstream` turns
them into the published (out, in, taps) and back.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tokenizer.fast_convolutions import HalvingConvolution, UpsampledConvolution, WinogradConvolution

_MIN_FAST_CHANNELS = 32
"""Below this the transforms of `tokenizer.fast_convolutions` cost what they save."""


class Convolution(nn.Module):
    """Convolution over a sequence, zero padding, and ReLU if asked for; initialised as ``nn.Conv1d`` is.

    Args:
        inputs, outputs: Channels.
        taps: Kernel size.
        stride, padding, dilation: As in ``nn.Conv1d``.
        relu: Apply ReLU to the result.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        taps: int = 3,
        *,
        stride: int = 1,
        padding: int = 1,
        dilation: int = 1,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.dilation, self.relu = stride, padding, dilation, relu
        bound = 1 / math.sqrt(inputs * taps)
        self.weight = nn.Parameter(torch.empty(inputs, taps, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch out_length out"]:
        shape = self.weight.shape[1], self.stride, self.padding, self.dilation
        if shape == (3, 1, 1, 1) and _fast(x, self.weight):
            return WinogradConvolution.apply(x, self.weight, self.bias, self.relu)
        if shape == (4, 2, 1, 1) and not self.relu and x.shape[1] % 4 == 0 and _fast(x, self.weight):
            return HalvingConvolution.apply(x, self.weight, self.bias)
        y = _torch_convolution(x, self.weight, self.bias, self.stride, self.padding, self.dilation)
        return F.relu_(y) if self.relu else y

    def extra_repr(self) -> str:
        inputs, taps, outputs = self.weight.shape
        return f"{inputs} -> {outputs}, {taps} taps, stride {self.stride}, dilation {self.dilation}"


class ResizedConvolution(Convolution):
    """Nearest resize to ``length``, then a 3-tap convolution and ReLU."""

    source: Tensor

    def __init__(self, inputs: int, outputs: int, input_length: int, length: int) -> None:
        super().__init__(inputs, outputs, relu=True)
        self.doubles = length == 2 * input_length
        # torch's own rule for the source index, float rounding included
        ramp = torch.arange(input_length, dtype=torch.float32)[None, None]
        source = F.interpolate(ramp, size=length, mode="nearest")[0, 0].long()
        self.register_buffer("source", source, persistent=False)

    def forward(self, x: Float[Tensor, "batch length in"]) -> Float[Tensor, "batch out_length out"]:
        if self.doubles and _fast(x, self.weight):
            return UpsampledConvolution.apply(x, self.weight, self.bias)
        return super().forward(x.index_select(1, self.source))


class ResidualUnit(nn.Module):
    """x + conv1(ReLU(conv3(ReLU(x)))), no normalisation; the 3-tap one dilated."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.wide = Convolution(width, width, padding=dilation, dilation=dilation, relu=True)
        self.pointwise = Convolution(width, width, taps=1, padding=0)

    def forward(self, x: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        wide = self.wide
        if not _fast(x, wide.weight):
            return x + self._pointwise(wide(F.relu(x)))
        # every dilation-th row is a sequence of its own, and on those nothing is dilated
        lanes = _to_lanes(x, wide.dilation)
        hidden = WinogradConvolution.apply(F.relu(lanes), wide.weight, wide.bias, True)
        return _from_lanes(lanes + self._pointwise(hidden), wide.dilation, x.shape[1])

    def _pointwise(self, x: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        return F.linear(x, self.pointwise.weight[:, 0].t(), self.pointwise.bias)


def _to_lanes(x: Float[Tensor, "batch length width"], count: int) -> Float[Tensor, "lanes lane_length width"]:
    """Rows 0, count, 2 count ... of a sample as a sequence, then rows 1, count + 1 ...; zeros where one is short."""
    if count == 1:
        return x
    x = F.pad(x, (0, 0, 0, -x.shape[1] % count))
    return x.unflatten(1, (-1, count)).transpose(1, 2).flatten(0, 1)


def _from_lanes(
    lanes: Float[Tensor, "lanes lane_length width"], count: int, length: int
) -> Float[Tensor, "batch length width"]:
    """Inverse of `_to_lanes`."""
    if count == 1:
        return lanes
    return lanes.unflatten(0, (-1, count)).transpose(1, 2).flatten(1, 2)[:, :length].contiguous()


def _fast(x: Tensor, weight: Tensor) -> bool:
    """Wide layers in full precision on a CPU; GPUs have cuDNN's own, and half precision would lose digits."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()  # the compiler has its own way with torch's convolution
        and min(weight.shape[0], weight.shape[2]) >= _MIN_FAST_CHANNELS
    )


def _torch_convolution(
    x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, dilation: int
) -> Float[Tensor, "batch out_length out"]:
    """torch's convolution on the same layout: one row of channels-last pixels, so nothing is transposed."""
    pixels = x[:, None].permute(0, 3, 1, 2)
    kernel = weight.permute(2, 0, 1)[:, :, None].contiguous(memory_format=torch.channels_last)
    y = F.conv2d(pixels, kernel, bias, stride=(1, stride), padding=(0, padding), dilation=(1, dilation))
    return y[:, :, 0].transpose(1, 2)
