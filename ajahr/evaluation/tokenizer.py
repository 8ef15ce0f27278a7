"""How well a pose tokenizer reconstructs a bank: MPJPE and MVE, per limb and per level of amputation.

As in AJAHR's Table C (TokenHMR's protocol): root at identity, betas 0, no alignment, joints 1..21, every vertex.
Departures: every pose counts (upstream drops the last incomplete batch and divides by one batch too few), and
hands are flat on both sides (upstream's true meshes have the body file's mean hands, a constant error in MVE).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ajahr.anatomy import JOINT_LIMB, LIMBS, NUM_LEVELS, NUM_TOKENIZER_JOINTS, level_name
from ajahr.data.pose_banks.limb_levels import levels_of
from ajahr.training.pose_mesh import PoseMesh
from tokenizer.banks import PoseBank
from tokenizer.module import load_trained
from tokenizer.quantizer import perplexity
from tokenizer.rotations import geodesic_angle, rotmat_to_rot6d
from tokenizer.upstream import import_published
from tokenizer.vqvae import PoseTokenizer

LIMB_NAMES: tuple[str, ...] = (*(limb.name.lower() for limb in LIMBS), "trunk_and_head")


def load_tokenizer(path: str | Path) -> PoseTokenizer:
    """A tokenizer in evaluation mode: a training checkpoint (.ckpt), a saved one (.safetensors), or a published
    one of TokenHMR or AJAHR (.pth).

    Raises:
        InputError: missing, truncated or foreign file.
    """
    suffix = Path(path).suffix
    readers = {".safetensors": PoseTokenizer.load, ".pth": import_published}
    return readers.get(suffix, load_trained)(path).eval()


@dataclass
class Errors:
    """Means over some poses, mm. ``present`` counts only joints and vertices of what is not lost."""

    poses: int
    mpjpe_mm: float
    mve_mm: float
    present_mpjpe_mm: float
    present_mve_mm: float


@dataclass
class LimbErrors:
    """Means over all poses of the joints and the vertices of one limb, mm. Lost ones count as they were."""

    mpjpe_mm: float
    mve_mm: float


@dataclass
class BankScores:
    """What one tokenizer makes of one bank."""

    bank: str
    whole: Errors
    rotation_deg: float
    perplexity: float
    dead_codes: float
    """Share of codes that no token of the bank uses."""
    by_limb: dict[str, LimbErrors] = field(default_factory=dict)
    by_level: dict[str, Errors] = field(default_factory=dict)
    """Those that occur of "intact", "amputee" (anything lost), "hand", "elbow", "shoulder", "foot", "knee", "hip";
    who lost more than one limb counts in each."""


@torch.no_grad()
def evaluate_banks(
    tokenizer: PoseTokenizer,
    body: PoseMesh,
    name: str,
    banks: list[PoseBank],
    *,
    batch_size: int = 256,
    limit: int | None = None,
) -> BankScores:
    """Encode and decode every pose and measure what came back.

    Args:
        tokenizer, body: On the same device; the body with all of its vertices.
        name: Of the banks together, as "AMASS" is of many files.
        limit: Poses per bank, spread evenly over it; None for all.
    """
    device = body.betas.device
    joint_limb = torch.tensor(JOINT_LIMB[1 : 1 + NUM_TOKENIZER_JOINTS], device=device)
    part = torch.from_numpy(body.body.data.part_labels.astype(np.int64)).to(device)
    vertex_limb = torch.tensor(JOINT_LIMB, device=device)[part]
    counts = torch.zeros(tokenizer.config.num_codes, dtype=torch.long, device=device)
    rows: list[Tensor] = []
    limb_rows: list[Tensor] = []
    degrees: list[Tensor] = []
    levels: list[np.ndarray] = []
    for truth, absent in _batches(banks, batch_size, limit):
        levels.append(levels_of(absent.numpy()))
        truth, absent = truth.to(device), absent.to(device)
        reconstruction = tokenizer(rotmat_to_rot6d(truth))
        vertices, joints = body(reconstruction.rotmats)
        true_vertices, true_joints = body(truth)
        joint_mm = (joints - true_joints).norm(dim=-1) * 1000
        vertex_mm = (vertices - true_vertices).norm(dim=-1) * 1000
        gone = _absent_parts(absent)[:, part]
        rows.append(
            torch.stack(
                [joint_mm.mean(1), vertex_mm.mean(1), _mean(joint_mm, ~absent), _mean(vertex_mm, ~gone)], 1
            ).cpu()
        )
        limbs = [*LIMBS, -1]
        limb_rows.append(
            torch.stack(
                [
                    torch.stack([joint_mm[:, joint_limb == limb].mean(1) for limb in limbs], 1),
                    torch.stack([vertex_mm[:, vertex_limb == limb].mean(1) for limb in limbs], 1),
                ],
                2,
            ).cpu()
        )
        degrees.append(geodesic_angle(reconstruction.rotmats, truth).mean(-1).rad2deg().cpu())
        counts += torch.bincount(reconstruction.quantized.indices.flatten(), minlength=len(counts))
    errors, limb_errors = torch.cat(rows).double().numpy(), torch.cat(limb_rows).double().mean(0)
    return BankScores(
        name,
        _errors(errors),
        float(torch.cat(degrees).double().mean()),
        float(perplexity(counts)),
        float((counts == 0).float().mean()),
        {limb: LimbErrors(float(j), float(v)) for limb, (j, v) in zip(LIMB_NAMES, limb_errors, strict=True)},
        _by_level(errors, np.concatenate(levels)),
    )


def _batches(banks: list[PoseBank], batch_size: int, limit: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    for bank in banks:
        rows = np.arange(len(bank))
        if limit is not None and limit < len(bank):
            rows = np.linspace(0, len(bank) - 1, limit).astype(int)
        for start in range(0, len(rows), batch_size):
            some = rows[start : start + batch_size]
            yield bank.rotmats(some), bank.absent(some)


def _absent_parts(absent: Tensor) -> Tensor:
    """(poses, 24): a hand goes with its wrist, the root stays."""
    pelvis = torch.zeros_like(absent[:, :1])
    return torch.cat([pelvis, absent, absent[:, -2:]], 1)  # wrists are the last two body joints


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum(1) / where.sum(1).clamp(min=1)


def _errors(rows: np.ndarray) -> Errors:
    return Errors(len(rows), *(float(mean) for mean in rows.mean(0)))


def _by_level(errors: np.ndarray, levels: np.ndarray) -> dict[str, Errors]:
    groups = {"intact": ~levels.any(1), "amputee": levels.any(1)}
    for limbs in (LIMBS[:2], LIMBS[2:]):
        for level in range(1, NUM_LEVELS):
            groups[level_name(limbs[0], level)] = (levels[:, list(limbs)] == level).any(1)
    return {name: _errors(errors[mine]) for name, mine in groups.items() if mine.any()}
