"""The joint limits of `ajahr.poses.limits` in torch: batched and differentiable, for fitting.

The same tables, the same numbers; gradients are finite everywhere, zero inside the limits.
"""

from __future__ import annotations

import functools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.anatomy import JOINT, NUM_JOINTS
from ajahr.poses import limits
from ajahr.poses.limits import BALL, BOX, HINGE

_EPS = 1e-12


@functools.cache
def _tables(dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """The tables by joint 1..23, right joints with their left one's row."""
    row = limits._ROW[1:]
    arrays = {
        "mirror": 1 - 2.0 * limits._MIRRORED[1:],
        "twist_axis": limits._TWIST_AXIS[row],
        "twist": limits._TWIST[row],
        "slope": limits._TWIST_SLOPE[row],
        "swing": limits._SWING[row],
        "bone": limits._BONE[row],
        "forward": limits._FORWARD[row],
        "arc": limits._ARC[row],
        "centre": limits._CENTRE[row],
        "knots": limits._KNOTS[row],
    }
    tables = {}
    for name, array in arrays.items():
        tensor = torch.from_numpy(array.copy()).to(device)
        tables[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    tables["hip"] = torch.from_numpy(row == limits._LEFT_HIP).to(device)
    return tables


_KINDS = {
    k: [j for j in range(NUM_JOINTS - 1) if limits._KIND[limits._ROW[j + 1]] == k] for k in (BOX, HINGE, BALL)
}
_COLLARS = [JOINT["left_collar"] - 1, JOINT["right_collar"] - 1]
_SHOULDERS = [JOINT["left_shoulder"] - 1, JOINT["right_shoulder"] - 1]


def violation_squared(body_pose: Float[Tensor, "*batch 23 3"]) -> Float[Tensor, "*batch 23"]:
    """Square (rad^2) of `ajahr.poses.limits.violation`; twice differentiable almost everywhere, smooth at the
    limits.

    Args:
        body_pose: rotation vectors (rad) of joints 1..23.
    """
    t = _tables(body_pose.dtype, body_pose.device)
    quats = _quaternions(body_pose)
    shoulders = _multiply(quats[..., _COLLARS, :], quats[..., _SHOULDERS, :])
    quats = quats.index_copy(-2, torch.tensor(_SHOULDERS, device=quats.device), shoulders)
    mirror = t["mirror"][:, None]
    one = torch.ones_like(mirror)
    quats = quats * torch.cat([one, mirror, mirror, one], -1)
    quats = torch.where(quats[..., 3:] < 0, -quats, quats)

    along = torch.gather(quats, -1, t["twist_axis"].expand(quats.shape[:-1])[..., None])[..., 0]
    twist = 2 * _atan2(along, quats[..., 3])
    out = torch.zeros_like(twist)
    for kind, function in ((BOX, _box), (HINGE, _hinge), (BALL, _ball)):
        joints = _KINDS[kind]
        rows = {name: table[joints] for name, table in t.items()}
        index = torch.tensor(joints, device=quats.device)
        out = out.index_copy(-1, index, function(rows, quats[..., joints, :], twist[..., joints]))
    return out


def violation(body_pose: Float[Tensor, "*batch 23 3"]) -> Float[Tensor, "*batch 23"]:
    """`ajahr.poses.limits.violation` in torch: radians outside the range of motion, 0 inside."""
    square = violation_squared(body_pose)
    outside = square > _EPS
    return torch.where(outside, torch.where(outside, square, 1.0).sqrt(), 0.0)


def penalty(
    body_pose: Float[Tensor, "*batch 23 3"], weight: Float[Tensor, "*#batch 23"] | None = None
) -> Float[Tensor, "*batch"]:
    """Sum over joints of the squared violation (rad^2), each times ``weight`` (an absent joint's is 0)."""
    square = violation_squared(body_pose)
    return (square if weight is None else square * weight).sum(-1)


def _above(value: Tensor, lo: Tensor, hi: Tensor) -> Tensor:
    return torch.relu(lo - value) + torch.relu(value - hi)


def _wrap(angle: Tensor) -> Tensor:
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def _box(t: dict[str, Tensor], q: Tensor, twist: Tensor) -> Tensor:
    half = -0.5 * twist
    axis = torch.nn.functional.one_hot(t["twist_axis"], 3).to(q.dtype)
    undo = torch.cat([axis * torch.sin(half)[..., None], torch.cos(half)[..., None]], -1)
    swing = _rotvec(_multiply(undo, q))
    excess = _above(swing, t["swing"][:, 0], t["swing"][:, 1])
    return excess.square().sum(-1) + _above(twist, t["twist"][:, 0], t["twist"][:, 1]).square()


def _hinge(t: dict[str, Tensor], q: Tensor, twist: Tensor) -> Tensor:
    d = _rotate(q, t["bone"])
    along, ahead = (d * t["bone"]).sum(-1), (d * t["forward"]).sum(-1)
    lo, hi, tolerance = t["arc"].unbind(-1)
    middle = 0.5 * (lo + hi)
    flexion = middle + _wrap(_atan2(ahead, along) - middle)
    nearest = flexion.clamp(lo, hi)
    square = 2 - 2 * (along * nearest.cos() + ahead * nearest.sin())
    half_chord = 0.5 * _sqrt(square)
    reach = torch.relu(2 * torch.asin(half_chord.clamp(max=1 - 1e-6)) - tolerance)
    return reach.square() + _above(_wrap(twist), t["twist"][:, 0], t["twist"][:, 1]).square()


def _ball(t: dict[str, Tensor], q: Tensor, twist: Tensor) -> Tensor:
    d = _rotate(q, t["bone"])
    z, x, y = torch.einsum("...jc,jkc->...jk", d, t["centre"]).unbind(-1)
    knots = t["knots"].expand(*x.shape, 2, limits.NUM_KNOTS)
    angle = _atan2(y, x)
    right = torch.searchsorted(
        knots[..., 0, :].contiguous(), angle[..., None].detach().contiguous(), right=True
    )
    right = right.clamp(1, limits.NUM_KNOTS - 1)
    a0, r0 = (torch.gather(knots[..., k, :], -1, right - 1)[..., 0] for k in (0, 1))
    a1, r1 = (torch.gather(knots[..., k, :], -1, right)[..., 0] for k in (0, 1))
    rim = r0 + (angle - a0) / (a1 - a0) * (r1 - r0)
    reach = torch.relu(_atan2(_sqrt(x * x + y * y), z) - rim)

    dx, dy, dz = d.unbind(-1)
    radius = _sqrt(dy * dy + dz * dz)
    flexed = 2 * _atan2(dx * dz, ((1 + radius) * (radius - dy)).clamp(min=1e-6))
    middle = torch.where(t["hip"], flexed, (t["slope"] * d).sum(-1))
    return reach.square() + _above(_wrap(twist - middle), t["twist"][:, 0], t["twist"][:, 1]).square()


def _sqrt(square: Tensor) -> Tensor:
    """Root with a finite gradient at zero."""
    positive = square > _EPS
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)


def _atan2(y: Tensor, x: Tensor) -> Tensor:
    """atan2 with a finite gradient at the origin."""
    origin = x * x + y * y < _EPS
    return torch.where(origin, 0.0, torch.atan2(torch.where(origin, 0.0, y), torch.where(origin, 1.0, x)))


def _quaternions(rotvec: Tensor) -> Tensor:
    """(x, y, z, w) of rotation vectors."""
    square = rotvec.square().sum(-1, keepdim=True)
    half = 0.5 * _sqrt(square)
    sinc = torch.where(
        square > _EPS, torch.sin(half) / torch.where(square > _EPS, 2 * half, 1.0), 0.5 - square / 48
    )
    return torch.cat([rotvec * sinc, torch.cos(half)], -1)


def _rotvec(q: Tensor) -> Tensor:
    q = torch.where(q[..., 3:] < 0, -q, q)
    v, w = q[..., :3], q[..., 3:]
    sine = _sqrt(v.square().sum(-1, keepdim=True))
    small = sine < 1e-6
    factor = torch.where(small, 2.0, 2 * torch.atan2(sine, w) / torch.where(small, 1.0, sine))
    return v * factor


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    av, aw, bv, bw = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    av, bv = torch.broadcast_tensors(av, bv)
    vector = aw * bv + bw * av + torch.linalg.cross(av, bv, dim=-1)
    return torch.cat([vector, aw * bw - (av * bv).sum(-1, keepdim=True)], -1)


def _rotate(q: Tensor, v: Tensor) -> Tensor:
    u, w = q[..., :3], q[..., 3:]
    v = v.expand_as(u)
    twice = 2 * torch.linalg.cross(u, v, dim=-1)
    return v + w * twice + torch.linalg.cross(u, twice, dim=-1)
