"""Convolutions over a sequence by fewer multiplications, for float32 and float64 on a CPU.

Two identities, both exact in real numbers; in float32 they round as a direct convolution does:

* **Winograd F(2, 3)**: two neighbouring outputs of a 3-tap convolution need 4 products instead of 6, and those
  of a 4-tap one of stride 2 need 6 instead of 8 (Winograd 1980; Lavin and Gray 2016).
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

_BLOCK = 1 << 21
"""Numbers in a block's largest temporary (8 MiB in float32). Speed is flat for four times more or less."""


def _relu_backward(grad: Tensor, output: Tensor, out: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward.grad_input(grad, output, 0, grad_input=out)


def _blocks(samples: int, numbers_each: int) -> list[slice]:
    step = max(1, _BLOCK // numbers_each)
    return [slice(start, min(start + step, samples)) for start in range(0, samples, step)]


# ------------------------------------------------------------------------------------- Winograd F(2, 3)
#
# A sequence is cut into tiles of two rows; the row missing from an odd one counts as zero. Outputs y0, y1 of a
# tile read its own rows d1, d2, the row before, d0, and the one after, d3:
#     y0 = d0 g0 + d1 g1 + d2 g2        y1 = d1 g0 + d2 g1 + d3 g2
# With   v = (d0 - d2, d1 + d2, d2 - d1, d1 - d3)   and   u = (g0, (g0 + g1 + g2)/2, (g0 - g1 + g2)/2, -g2):
#     y0 = v0 u0 + v1 u1 + v2 u2        y1 = v1 u1 - v2 u2 + v3 u3
# v0 and v3 of all tiles alternate in one sequence: row r of it is x[r - 1] - x[r + 1].


def _tile_memory(x: Tensor) -> tuple[Tensor, Tensor]:
    """Uninitialised memory for the sequence of v0 and v3 and for v1 and v2."""
    samples, length, channels = x.shape
    tiles = (length + 1) // 2
    return x.new_empty(samples, 2 * tiles, channels), x.new_empty(2, samples, tiles, channels)


def _tile_inputs(x: Tensor) -> tuple[Tensor, Tensor]:
    """v of every tile, as `_tile_memory` lays it out. Two rows at least."""
    length = x.shape[1]
    lags, sums = _tile_memory(x)
    torch.sub(x[:, :-2], x[:, 2:], out=lags[:, 1 : length - 1])
    torch.neg(x[:, 1], out=lags[:, 0])
    lags[:, length - 1 :] = x[:, length - 2 : lags.shape[1] - 1]
    d1, d2 = x[:, 0::2], x[:, 1::2]
    full = d2.shape[1]
    torch.add(d1[:, :full], d2, out=sums[0, :, :full])
    torch.sub(d2, d1[:, :full], out=sums[1, :, :full])
    if length % 2:
        sums[0, :, -1] = d1[:, -1]
        torch.neg(d1[:, -1], out=sums[1, :, -1])
    return lags, sums


def _tile_inputs_backward(lags: Tensor, sums: Tensor, out: Tensor) -> None:
    """Adjoint of `_tile_inputs`, written to ``out``."""
    length = out.shape[1]
    full = length // 2
    torch.sub(sums[0], sums[1], out=out[:, 0::2])
    torch.add(sums[0, :, :full], sums[1, :, :full], out=out[:, 1::2])
    out[:, : lags.shape[1] - 1] += lags[:, 1:]
    out[:, 1:] -= lags[:, : length - 1]


def _tile_rows(lags: Tensor, sums: Tensor) -> tuple[Tensor, ...]:
    """v0 .. v3 as matrices of evenly spaced rows."""
    channels = lags.shape[2]
    v0, v3 = lags.view(-1, 2, channels).unbind(1)
    v1, v2 = sums.view(2, -1, channels)
    return v0, v1, v2, v3


def _tile_weights(weight: Tensor) -> Tensor:
    """u: (4, in, out)."""
    g0, g1, g2 = weight.unbind(1)
    ends, middle = (g0 + g2) / 2, g1 / 2
    return torch.stack((g0, ends + middle, ends - middle, -g2))


class WinogradConvolution(torch.autograd.Function):
    """3-tap convolution, zero padding that keeps the length, bias, and ReLU if asked for. Two rows at least."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        samples, length, inputs = x.shape
        outputs = weight.shape[2]
        u = _tile_weights(weight)
        y = x.new_empty(samples, length, outputs)
        blocks = _blocks(samples, 2 * length * max(inputs, outputs))
        for block in blocks:
            out = y[block]
            v0, v1, v2, v3 = _tile_rows(*_tile_inputs(x[block]))
            whole = _tile_memory(out)[0] if length % 2 else out
            y0, y1 = whole.view(-1, 2, outputs).unbind(1)
            v1u1 = torch.addmm(bias, v1, u[1])  # the bias rides on the product both outputs share
            v2u2 = v2 @ u[2]
            torch.add(v1u1, v2u2, out=y0).addmm_(v0, u[0])
            torch.sub(v1u1, v2u2, out=y1).addmm_(v3, u[3])
            if relu:
                torch.clamp(whole[:, :length], min=0, out=out)
            elif whole is not out:
                out.copy_(whole[:, :length])
        ctx.save_for_backward(x, u, y if relu else None)
        ctx.blocks = blocks
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, u, y = ctx.saved_tensors
        length, outputs = grad.shape[1:]
        learns = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        grad_u, grad_bias = torch.zeros_like(u), grad.new_zeros(outputs)
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for block in ctx.blocks:
            masked, sums = _tile_memory(grad[block])
            masked[:, length:] = 0
            if y is None:
                masked[:, :length] = grad[block]
            else:
                _relu_backward(grad[block], y[block], masked[:, :length])
            y0, y1 = masked.view(-1, 2, outputs).unbind(1)
            m1, m2 = sums.view(2, -1, outputs)
            torch.add(y0, y1, out=m1)
            torch.sub(y0, y1, out=m2)
            if learns:
                grad_bias += m1.sum(0)
            # of frozen weights, what they met is not needed, only memory of its shape
            inputs_of_tiles = _tile_inputs(x[block]) if learns else _tile_memory(x[block])
            for product, (v, m) in enumerate(
                zip(_tile_rows(*inputs_of_tiles), (y0, m1, m2, y1), strict=True)
            ):
                if learns:
                    grad_u[product].addmm_(v.t(), m)
                if grad_x is not None:  # v has served: its memory takes its gradient
                    torch.mm(m, u[product].t(), out=v)
            if grad_x is not None:
                _tile_inputs_backward(*inputs_of_tiles, grad_x[block])
        if not learns:
            return grad_x, None, None, None
        half_sum, half_difference = (grad_u[1] + grad_u[2]) / 2, (grad_u[1] - grad_u[2]) / 2
        grad_weight = torch.stack((grad_u[0] + half_sum, half_difference, half_sum - grad_u[3]), dim=1)
        return grad_x, grad_weight, grad_bias, None


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
        learns = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        grad_wide, grad_bias = torch.zeros_like(wide), grad.new_zeros(channels)
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for block in ctx.blocks:
            masked = _relu_backward(grad[block], y[block], torch.empty_like(y[block]))
            even, odd = masked.view(-1, length, 2, channels).unbind(2)
            p = grad.new_empty(len(even), length, 3, channels)
            before, here, after = p.unbind(2)
            torch.add(even, odd, out=here)
            before.copy_(odd)[:, :-1] += even[:, 1:]
            after.copy_(even)[:, 1:] += odd[:, :-1]
            products = p.view(-1, 3 * channels)
            if learns:
                grad_bias += here.sum((0, 1))
                grad_wide.addmm_(x[block].reshape(-1, inputs).t(), products)
            if grad_x is not None:
                grad_x[block] = (products @ wide.t()).view(-1, length, inputs)
        return (grad_x, grad_wide.view_as(weight), grad_bias) if learns else (grad_x, None, None)


# ----------------------------------------------------------------------------- 4 taps, stride 2: F(2, 2)
#
# As a 2-tap convolution over pairs q[n] = (x[2n - 1], x[2n]):  y[n] = q[n] A + q[n+1] B, with A of taps 0, 1 and
# B of taps 2, 3. Two neighbouring outputs need 3 products instead of 4:
#     y[2j] = (q[2j] - q[2j+1]) A + s      y[2j+1] = (q[2j+2] - q[2j+1]) B + s      s = q[2j+1] (A + B)
# A tile of four rows a, b, c, d of x holds q[2j+1] = (b, c); its neighbours give q[2j] = (d before, a) and
# q[2j+2] = (d, a after).


def _pair_inputs(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What meets A, A + B and B: each (samples * tiles, 2 * channels)."""
    samples, length, channels = x.shape
    tiles = x.view(samples, length // 4, 4, channels)
    a, b, c, d = tiles.unbind(2)
    left, right = x.new_empty(2, samples, length // 4, 2, channels)
    torch.sub(d[:, :-1], b[:, 1:], out=left[:, 1:, 0])
    torch.neg(b[:, 0], out=left[:, 0, 0])
    torch.sub(a, c, out=left[:, :, 1])
    torch.sub(d, b, out=right[:, :, 0])
    torch.sub(a[:, 1:], c[:, :-1], out=right[:, :-1, 1])
    torch.neg(c[:, -1], out=right[:, -1, 1])
    middle = tiles.view(-1, 4 * channels)[:, channels : 3 * channels]
    return left.view(-1, 2 * channels), middle, right.view(-1, 2 * channels)


def _pair_weights(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A, A + B, B: each (2 * in, out)."""
    before, after = (weight[:, taps].transpose(0, 1).flatten(0, 1) for taps in (slice(2), slice(2, 4)))
    return before, before + after, after


class HalvingConvolution(torch.autograd.Function):
    """4-tap convolution of stride 2, one row of zero padding at each end, bias; lengths that 4 divides."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        samples, length, inputs = x.shape
        outputs = weight.shape[2]
        before, both, after = _pair_weights(weight)
        y = x.new_empty(samples, length // 2, outputs)
        ctx.blocks = _blocks(samples, length * max(inputs, outputs))
        for block in ctx.blocks:
            left, middle, right = _pair_inputs(x[block])
            shared = torch.addmm(bias, middle, both)
            even, odd = y[block].view(-1, 2, outputs).unbind(1)
            torch.addmm(shared, left, before, out=even)
            torch.addmm(shared, right, after, out=odd)
        ctx.save_for_backward(x, weight)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        inputs, _, outputs = weight.shape
        weights = _pair_weights(weight)
        grads, grad_bias = [torch.zeros_like(w) for w in weights], grad.new_zeros(outputs)
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for block in ctx.blocks:
            even, odd = grad[block].reshape(-1, 2, outputs).unbind(1)
            products = (even, even + odd, odd)
            grad_bias += products[1].sum(0)
            for grad_w, rows, product in zip(grads, _pair_inputs(x[block]), products, strict=True):
                grad_w.addmm_(rows.t(), product)
            if grad_x is not None:
                tiles = grad_x[block].view(-1, x.shape[1] // 4, 4, inputs)
                a, b, c, d = tiles.unbind(2)
                left, middle, right = (
                    (product @ w.t()).view(len(tiles), -1, 2, inputs).unbind(2)
                    for product, w in zip(products, weights, strict=True)
                )
                torch.sub(middle[0], left[0], out=b).sub_(right[0])
                torch.sub(middle[1], left[1], out=c).sub_(right[1])
                a.copy_(left[1])[:, 1:] += right[1][:, :-1]
                d.copy_(right[0])[:, :-1] += left[0][:, 1:]
        before, both, after = grads
        taps = torch.cat((before + both, after + both)).view(4, inputs, outputs)
        return grad_x, taps.transpose(0, 1), grad_bias
