"""Convolutions over a sequence by fewer multiplications, for float32 and float64 on a CPU.

Two identities, both exact in real numbers; in float32 they round as a direct convolution does:

* **Winograd F(2, 3)**: two neighbouring outputs of a 3-tap convolution need 4 products instead of 6
  (Winograd 1980; Lavin and Gray 2016). Neighbouring means ``dilation`` apart.
* **Upsample, then convolve**: after a nearest x2 upsampling only three different products exist per input,
  ``x[i] W_t`` for each tap; the six of the two outputs are sums of them.

Sequences are (batch, length, channels) and weights (in, taps, out), so every product is one matrix product on
memory as it lies. Work goes in blocks of samples whose temporaries fit a cache. ReLU may be fused: its mask
is the output, which the next layer keeps anyway.

`tokenizer.layers` decides when these are used; everywhere else torch's own convolution is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK = 1 << 20
"""Numbers in a block's largest temporary: 4 MiB in float32. Speed is flat for four times more or less."""


def _relu_backward(grad: Tensor, output: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward(grad, output, 0)


def _blocks(samples: int, numbers_each: int) -> list[slice]:
    step = max(1, _BLOCK // numbers_each)
    return [slice(start, min(start + step, samples)) for start in range(0, samples, step)]


# ------------------------------------------------------------------------------------- Winograd F(2, 3)
#
# Padded rows of one sample: `dilation` zeros, its rows, zeros up to `stride` rows. Cut into groups of
# `dilation` rows, output groups 2n and 2n + 1 of a 3-tap convolution read input groups 2n .. 2n + 3:
#     y0 = d0 g0 + d1 g1 + d2 g2        y1 = d1 g0 + d2 g1 + d3 g2
# With   v = (d0 - d2, d1 + d2, d2 - d1, d1 - d3)   and   u = (g0, (g0 + g1 + g2)/2, (g0 - g1 + g2)/2, -g2):
#     y0 = v0 u0 + v1 u1 + v2 u2        y1 = v1 u1 - v2 u2 + v3 u3


def _stride(length: int, dilation: int) -> int:
    """Rows per sample: an even number of groups, with at least one group of zeros between samples."""
    pair = 2 * dilation
    return -(-(length + dilation) // pair) * pair


def _tile_inputs(x: Tensor, dilation: int) -> Tensor:
    """v of every tile: (4, tiles * dilation, channels)."""
    samples, length, channels = x.shape
    stride = _stride(length, dilation)
    flat = x.new_empty(2 * dilation + samples * stride, channels)
    flat[:dilation] = 0
    flat[dilation + samples * stride :] = 0
    rows = flat[dilation : dilation + samples * stride].view(samples, stride, channels)
    rows[:, :length] = x
    rows[:, length:] = 0
    pairs = flat.view(-1, 2, dilation, channels)
    d0, d1, d2, d3 = pairs[:-1, 0], pairs[:-1, 1], pairs[1:, 0], pairs[1:, 1]
    v = x.new_empty(4, *d0.shape)
    torch.sub(d0, d2, out=v[0])
    torch.add(d1, d2, out=v[1])
    torch.sub(d2, d1, out=v[2])
    torch.sub(d1, d3, out=v[3])
    return v.view(4, -1, channels)


def _tile_weights(weight: Tensor) -> Tensor:
    """u: (4, in, out)."""
    g0, g1, g2 = weight.unbind(1)
    ends, middle = (g0 + g2) / 2, g1 / 2
    return torch.stack((g0, ends + middle, ends - middle, -g2))


class WinogradConvolution(torch.autograd.Function):
    """3-tap convolution, zero padding that keeps the length, bias, and ReLU if asked for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int, relu: bool) -> Tensor:
        samples, length, _ = x.shape
        channels = weight.shape[2]
        stride = _stride(length, dilation)
        u = _tile_weights(weight)
        y = x.new_empty(samples, length, channels)
        blocks = _blocks(samples, 2 * stride * max(weight.shape[0], channels))
        for block in blocks:
            v = _tile_inputs(x[block], dilation)
            v1u1 = torch.addmm(bias, v[1], u[1])  # the bias rides on the product both outputs share
            v2u2 = v[2] @ u[2]
            halves = torch.empty(2, *v1u1.shape, dtype=x.dtype, device=x.device)
            torch.add(v1u1, v2u2, out=halves[0]).addmm_(v[0], u[0])
            torch.sub(v1u1, v2u2, out=halves[1]).addmm_(v[3], u[3])
            rows = x.new_empty(block.stop - block.start, stride, channels)
            rows.view(-1, 2, dilation, channels).copy_(halves.view(2, -1, dilation, channels).transpose(0, 1))
            if relu:
                torch.clamp(rows[:, :length], min=0, out=y[block])
            else:
                y[block] = rows[:, :length]
        ctx.save_for_backward(x, weight, y if relu else None)
        ctx.dilation, ctx.blocks = dilation, blocks
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        dilation, blocks = ctx.dilation, ctx.blocks
        length, channels = grad.shape[1:]
        stride = _stride(length, dilation)
        u = _tile_weights(weight)
        grad_u, grad_bias = torch.zeros_like(u), grad.new_zeros(channels)
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for block in blocks:
            rows = grad.new_empty(block.stop - block.start, stride, channels)
            rows[:, :length] = grad[block] if y is None else _relu_backward(grad[block], y[block])
            rows[:, length:] = 0
            y0, y1 = rows.view(-1, 2, dilation, channels).unbind(1)
            m = grad.new_empty(4, *y0.shape)  # gradient of the four products
            m[0], m[3] = y0, y1
            torch.add(y0, y1, out=m[1])
            torch.sub(y0, y1, out=m[2])
            m = m.view(4, -1, channels)
            grad_bias += m[1].sum(0)
            v = _tile_inputs(x[block], dilation)
            for product in range(4):
                grad_u[product].addmm_(v[product].t(), m[product])
            if grad_x is not None:
                grad_v = torch.bmm(m, u.mT, out=v)
                grad_x[block] = _tile_inputs_backward(grad_v, dilation, grad_x[block])
        half_sum, half_difference = (grad_u[1] + grad_u[2]) / 2, (grad_u[1] - grad_u[2]) / 2
        grad_weight = torch.stack((grad_u[0] + half_sum, half_difference, half_sum - grad_u[3]), dim=1)
        return grad_x, grad_weight, grad_bias, None, None


def _tile_inputs_backward(grad_v: Tensor, dilation: int, like: Tensor) -> Tensor:
    """Adjoint of `_tile_inputs`: every padded row collects from the two tiles that read it."""
    samples, length, channels = like.shape
    stride = _stride(length, dilation)
    v0, v1, v2, v3 = grad_v.view(4, -1, dilation, channels)
    pairs = v0.new_empty(v0.shape[0] + 1, 2, dilation, channels)
    first, second = pairs[:, 0], pairs[:, 1]  # as d0 of tile n and d2 of tile n - 1; as d1 and d3
    first[0] = 0
    torch.add(v1, v2, out=first[1:]).sub_(v0)
    first[:-1] += v0
    torch.sub(v1, v2, out=second[:-1]).add_(v3)
    second[1:-1] -= v3[:-1]
    rows = pairs.view(-1, channels)[dilation : dilation + samples * stride]
    return rows.view(samples, stride, channels)[:, :length]


# --------------------------------------------------------------------------- nearest x2, then 3 taps


class UpsampledConvolution(torch.autograd.Function):
    """Nearest x2 upsampling, 3-tap convolution with zero padding, bias, ReLU.

    With p_t[i] = x[i] W_t:   y[2i] = p_0[i-1] + p_1[i] + p_2[i]   and   y[2i+1] = p_0[i] + p_1[i] + p_2[i+1].
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        samples, length, inputs = x.shape
        channels = weight.shape[2]
        wide = weight.view(inputs, 3 * channels)
        y = x.new_empty(samples, length, 2, channels)
        ctx.blocks = _blocks(samples, 3 * length * channels)
        for block in ctx.blocks:
            p = (x[block].reshape(-1, inputs) @ wide).view(-1, length, 3, channels)
            before, here, after = p.unbind(2)
            here += bias
            even, odd = y[block].unbind(2)
            torch.add(here, after, out=even)[:, 1:] += before[:, :-1]
            torch.add(here, before, out=odd)[:, :-1] += after[:, 1:]
            y[block].clamp_(min=0)
        y = y.view(samples, 2 * length, channels)
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        length, inputs = x.shape[1:]
        channels = weight.shape[2]
        wide = weight.view(inputs, 3 * channels)
        grad_wide, grad_bias = torch.zeros_like(wide), grad.new_zeros(channels)
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for block in ctx.blocks:
            masked = _relu_backward(grad[block], y[block])
            even, odd = masked.view(-1, length, 2, channels).unbind(2)
            p = grad.new_empty(len(even), length, 3, channels)
            before, here, after = p.unbind(2)
            torch.add(even, odd, out=here)
            before.copy_(odd)[:, :-1] += even[:, 1:]
            after.copy_(even)[:, 1:] += odd[:, :-1]
            grad_bias += here.sum((0, 1))
            products = p.view(-1, 3 * channels)
            grad_wide.addmm_(x[block].reshape(-1, inputs).t(), products)
            if grad_x is not None:
                grad_x[block] = (products @ wide.t()).view(-1, length, inputs)
        return grad_x, grad_wide.view_as(weight), grad_bias
