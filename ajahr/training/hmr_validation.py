"""Errors of the regressor over a validation set, summed on the device: one number is read at the end.

The same definitions as `ajahr.evaluation.metrics`, which reports for a paper; here they choose checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ajahr.anatomy import J44, NUM_LEVELS, NUM_LIMBS
from ajahr.body.body import Body
from ajahr.data.batch import Batch
from ajahr.geometry.procrustes import procrustes_align
from ajahr.geometry.rotations import is_absent
from ajahr.models.outputs import RegressorOutput
from ajahr.training.hmr_losses import PELVIS

EVALUATION_JOINTS: tuple[int, ...] = (*range(25, 38), J44.index["head_h36m_extra"])
"""The fourteen joints of 3DPW and A3D (facts 1.7)."""
ERRORS = ("mpjpe_mm", "pa_mpjpe_mm", "mve_mm")
GROUPS = ("", "_intact", "_amputee")
_MM = 1000.0


@dataclass(frozen=True, eq=False)
class PersonErrors:
    """Errors of each person, mm, in the order of `ERRORS`, and which could be measured."""

    values: Float[Tensor, "errors=3 batch"]
    measured: Bool[Tensor, "errors=3 batch"]


@torch.no_grad()
def person_errors(
    output: RegressorOutput, batch: Batch, body: Body, absent: Bool[Tensor, "batch joints=24"]
) -> PersonErrors:
    """Predicted joints and mesh against the labels, each without the parts that it says are not there.

    People without SMPL labels have no MVE; those without a labelled pelvis no joint errors.

    Args:
        absent: Joints that the labels say are absent.
    """
    predicted = output.keypoints_3d.float()
    joints = list(EVALUATION_JOINTS)
    confidence = batch.keypoints_3d[..., 3]
    present = (confidence[:, joints] > 0) & (confidence[:, PELVIS, None] > 0)
    ours = (predicted - predicted[:, PELVIS, None])[:, joints]
    theirs = batch.keypoints_3d[..., :3] - batch.keypoints_3d[:, PELVIS, None, :3]
    theirs = torch.where(present[..., None], theirs[:, joints], 0.0)
    aligned = procrustes_align(ours.nan_to_num(), theirs, present.to(ours))
    weights = present.to(ours) / present.sum(1, keepdim=True).clamp(min=1)
    mpjpe = ((ours - theirs).norm(dim=-1) * weights).sum(1)
    finite = torch.isfinite(ours).all(-1).all(-1)
    pa_mpjpe = torch.where(finite, ((aligned - theirs).norm(dim=-1) * weights).sum(1), torch.nan)

    known = batch.has_pose.all(1) & batch.has_betas
    pose = torch.where(known[:, None, None, None], batch.pose_rotmat, torch.eye(3, device=predicted.device))
    betas = torch.where(known[:, None], batch.betas, 0.0)
    truth = body(betas, pose, absent | is_absent(pose))
    pelvis = truth.keypoints_44[:, PELVIS, None]
    difference = output.vertices.float() - predicted[:, PELVIS, None] - (truth.vertices - pelvis)
    mve = difference.norm(dim=-1).mean(-1)
    return PersonErrors(
        torch.stack([mpjpe, pa_mpjpe, mve]) * _MM,
        torch.stack([present.any(1), present.any(1), known]),
    )


class Meter:
    """Sums over a validation run: errors of all, intact and amputated people, and limb status.

    Args:
        device: Where batches are.
    """

    def __init__(self, device: torch.device | str) -> None:
        shape = (len(ERRORS), len(GROUPS))
        self.sums = torch.zeros(shape, dtype=torch.double, device=device)
        self.counts = torch.zeros(shape, dtype=torch.double, device=device)
        self.not_finite = torch.zeros((), dtype=torch.double, device=device)
        self.confusion = torch.zeros(NUM_LIMBS, NUM_LEVELS, NUM_LEVELS, dtype=torch.double, device=device)
        self.logits: list[Tensor] = []
        self.levels: list[Tensor] = []

    @torch.no_grad()
    def add(
        self, errors: PersonErrors, output: RegressorOutput, limb_levels: Int[Tensor, "batch limbs=4"]
    ) -> None:
        """People of a batch."""
        finite = torch.isfinite(errors.values)
        amputee = (limb_levels > 0).any(1)
        intact = (limb_levels == 0).all(1)
        groups = torch.stack([torch.ones_like(amputee), intact, amputee]).double()
        counted = (errors.measured & finite).double()
        values = torch.where(finite, errors.values, 0.0).double()
        self.sums += (values * counted) @ groups.T
        self.counts += counted @ groups.T
        self.not_finite += (errors.measured & ~finite).any(0).sum()
        self._confuse(limb_levels, output.limb_levels)
        if output.limb_logits is not None:
            self.logits.append(output.limb_logits.detach().float())
            self.levels.append(limb_levels)

    def _confuse(self, true: Int[Tensor, "batch limbs=4"], said: Int[Tensor, "batch limbs=4"]) -> None:
        known = true >= 0
        limb = torch.arange(NUM_LIMBS, device=true.device)
        place = (limb * NUM_LEVELS + true.clamp(min=0)) * NUM_LEVELS + said
        flat = torch.zeros(self.confusion.numel(), dtype=torch.double, device=true.device)
        flat.index_add_(0, place.flatten(), known.double().flatten())
        self.confusion += flat.view_as(self.confusion)

    def reduce(self, add: Callable[[Tensor], Tensor]) -> None:
        """Add what the other ranks counted; ``add`` sums a tensor over them."""
        for name in ("sums", "counts", "not_finite", "confusion"):
            setattr(self, name, add(getattr(self, name)))

    def results(self) -> dict[str, float]:
        """Everything that somebody was measured for."""
        sums, counts = self.sums.cpu(), self.counts.cpu()
        found = {
            f"{error}{group}": float(sums[i, j] / counts[i, j])
            for i, error in enumerate(ERRORS)
            for j, group in enumerate(GROUPS)
            if counts[i, j] > 0
        }
        return found | {"not_finite": float(self.not_finite)} | limb_scores(self.confusion.sum(0).cpu())


def limb_scores(confusion: Float[Tensor, "true=4 predicted=4"]) -> dict[str, float]:
    """Accuracy over levels; precision, recall and F1 of "amputated at all"; the two rates users see."""
    c = confusion.double()
    total, lost, kept = float(c.sum()), float(c[1:].sum()), float(c[0].sum())
    if not total:
        return {}
    hits, false, missed = float(c[1:, 1:].sum()), float(c[0, 1:].sum()), float(c[1:, 0].sum())
    scores = {"limb_accuracy": float(c.diagonal().sum()) / total}
    if lost:
        scores["limb_recall"] = hits / lost
        scores["limb_f1"] = 2 * hits / (2 * hits + false + missed)
        scores["hallucinated_limb_rate"] = float(c.tril(-1).sum()) / lost
    if hits + false:
        scores["limb_precision"] = hits / (hits + false)
    if kept:
        scores["false_amputation_rate"] = false / kept
    return scores
