"""What the regressor is trained on: AJAHR's five terms (Eq. 6), with TokenHMR's loose supervision as an option, and
the ends of residual limbs.

Every term is worked out for each person first, so that a loss that is not finite can be laid at a sample's door.
Nothing here waits for the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ajahr.anatomy import ABSENT_TABLE, J44, NUM_JOINTS
from ajahr.data.batch import Batch
from ajahr.errors import UserError
from ajahr.geometry.rotations import geodesic_angle, is_absent
from ajahr.models.outputs import RegressorOutput

PELVIS = J44.index["pelvis_mpii_extra"]
"""What 3D keypoints are relative to: number 39, as in HMR2.0 and TokenHMR."""
_SURE = 0.5


@dataclass(frozen=True)
class LooseSupervision:
    """TokenHMR's threshold-adaptive loose supervision (TALS): fits of 2D datasets are wrong by about so much.

    A prediction nearer to a label than the label's own error learns little from it, so it gets ``weight``
    instead of 1. Labels of batches' ``trusted_3d`` people are never loosened in 3D. TokenHMR's tables are in
    configs/hmr/shared/loose_supervision.yaml.

    Args:
        keypoints_2d: For each of the 44 keypoints, squared distance in crop units (crops are 1 wide).
        body_pose: Angle for each of the 23 joints, rad.
        global_orient: Angle of the root, rad.
        weight: Of what lies within.
    """

    keypoints_2d: tuple[float, ...]
    body_pose: tuple[float, ...]
    global_orient: float
    weight: float = 0.05

    def __post_init__(self) -> None:
        for name, want in (("keypoints_2d", len(J44)), ("body_pose", NUM_JOINTS - 1)):
            if len(getattr(self, name)) != want:
                raise UserError(f"loose.{name} has {len(getattr(self, name))} thresholds; give {want}")


@dataclass(frozen=True)
class LossConfig:
    """Weights and forms of the terms; the defaults are the paper's.

    Args:
        keypoints_3d, keypoints_2d, global_orient, body_pose, betas, classification: Weights of the terms.
        residual: Weight of the ends of residual limbs, which the paper has not: nothing without the residual head.
        keypoint_norm: ``l1`` as HMR2.0 and TokenHMR compute it, ``l2`` (squared) as Eq. 6 is worded.
        reduction: Both sum over a person's joints and coordinates, so the paper's weights mean the same.
            ``mean`` is then averaged over the batch and does not change its size with it; ``sum`` is upstream's
            form. The classification term is a mean over labelled people in both (PyTorch's default).
        amputated_regions: Factor on pose and 3D keypoints of amputated joints (Sec. 3.3.1 (1) names no number).
        absent_3d: Learn 3D keypoints of absent joints too, where they are labelled (Sec. 3.2).
        loose: Loosened labels; None for the plain form.
    """

    keypoints_3d: float = 0.05
    keypoints_2d: float = 0.01
    global_orient: float = 1e-3
    body_pose: float = 1e-3
    betas: float = 5e-4
    classification: float = 1e-2
    residual: float = 0.1
    keypoint_norm: Literal["l1", "l2"] = "l1"
    reduction: Literal["mean", "sum"] = "mean"
    amputated_regions: float = 1.0
    absent_3d: bool = True
    loose: LooseSupervision | None = None


class LossTerms(NamedTuple):
    """The loss and its terms, not weighted."""

    total: Float[Tensor, ""]
    keypoints_3d: Float[Tensor, ""]
    keypoints_2d: Float[Tensor, ""]
    global_orient: Float[Tensor, ""]
    body_pose: Float[Tensor, ""]
    betas: Float[Tensor, ""]
    classification: Float[Tensor, ""]
    residual: Float[Tensor, ""]
    per_person: Float[Tensor, " batch"]
    """Weighted sum of a person's own terms, without gradient: tells whose are not finite."""


class HmrLoss(nn.Module):
    """The loss of a batch. Labels that are missing (confidence <= 0, level -1, no flag) have no say at all."""

    _absent_table: Bool[Tensor, "limbs levels joints"]
    _keypoint_anchors: Int[Tensor, " j44"]
    _loose_2d: Float[Tensor, " j44"]
    _loose_pose: Float[Tensor, " joints"]

    def __init__(self, config: LossConfig | None = None) -> None:
        super().__init__()
        self.config = config or LossConfig()

        def constant(name: str, value: Tensor) -> None:
            self.register_buffer(name, value, persistent=False)

        constant("_absent_table", torch.from_numpy(ABSENT_TABLE.copy()))
        constant("_keypoint_anchors", torch.tensor(J44.anchors))
        loose = self.config.loose
        if loose is not None:
            constant("_loose_2d", torch.tensor(loose.keypoints_2d))
            constant("_loose_pose", torch.tensor((loose.global_orient, *loose.body_pose)))

    def forward(self, output: RegressorOutput, batch: Batch) -> LossTerms:
        """The terms of a batch.

        ``output``'s keypoints are of the body that the labels are of, absent joints taken off where the label
        says so (`HmrModule` sees to it).
        """
        absent = absent_joints(batch.limb_levels, self._absent_table)
        sharp_2d, loss_2d = self._keypoints_2d(output, batch)
        orient, pose = self._rotations(output, batch, absent)
        cross_entropy, labelled = _cross_entropy(output.limb_logits, batch.limb_levels)
        likelihood, ends = _residual_likelihood(output, batch)
        people = {
            "keypoints_3d": self._keypoints_3d(output, batch, absent, sharp_2d),
            "keypoints_2d": loss_2d,
            "global_orient": orient,
            "body_pose": pose,
            "betas": self._betas(output, batch),
            "classification": cross_entropy.sum(-1),
            "residual": likelihood.sum(-1),
        }
        terms = {name: self._reduce(value) for name, value in people.items()}
        per_head = cross_entropy.sum(0) / labelled.sum(0).clamp(min=1)  # nobody labelled: 0, not 0 / 0
        terms["classification"] = per_head.sum()
        terms["residual"] = likelihood.sum() / ends.sum().clamp(min=1)
        total = sum_weighted(self.config, terms)
        return LossTerms(total, **terms, per_person=sum_weighted(self.config, people).detach())

    def _reduce(self, people: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
        return people.sum() if self.config.reduction == "sum" else people.mean()

    def _norm(self, difference: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return difference.abs() if self.config.keypoint_norm == "l1" else difference.square()

    def _keypoints_2d(
        self, output: RegressorOutput, batch: Batch
    ) -> tuple[Float[Tensor, "batch j44"], Float[Tensor, " batch"]]:
        """Confidence of the keypoints that are still far from their labels, and the loss of all."""
        confidence = batch.keypoints_2d[..., 2].clamp(min=0)
        difference = _difference(output.keypoints_2d, batch.keypoints_2d[..., :2], confidence > 0)
        sharp, weight = confidence, confidence
        loose = self.config.loose
        if loose is not None:
            far = confidence * difference.detach().square().sum(-1) > self._loose_2d
            sharp = torch.where(far, confidence, 0.0)
            weight = torch.where(far, confidence, loose.weight * confidence)
        return sharp, (weight * self._norm(difference).sum(-1)).sum(-1)

    def _keypoints_3d(
        self,
        output: RegressorOutput,
        batch: Batch,
        absent: Bool[Tensor, "batch joints"],
        sharp_2d: Float[Tensor, "batch j44"],
    ) -> Float[Tensor, " batch"]:
        """Relative to the pelvis; people whose pelvis is not labelled have no 3D keypoints."""
        confidence = batch.keypoints_3d[..., 3].clamp(min=0)
        confidence = confidence * (confidence[:, PELVIS, None] > 0)
        if self.config.loose is not None:  # what fits in 2D already is not pulled by an unsure 3D label
            confidence = confidence * (batch.trusted_3d[:, None] | (sharp_2d > _SURE))
        absent_keypoints = absent[:, self._keypoint_anchors]
        if not self.config.absent_3d:
            confidence = torch.where(absent_keypoints, 0.0, confidence)
        weight = torch.where(absent_keypoints, self.config.amputated_regions * confidence, confidence)
        ours = _full(output.keypoints_3d)
        ours = ours - ours[:, PELVIS, None]
        theirs = batch.keypoints_3d[..., :3] - batch.keypoints_3d[:, PELVIS, None, :3]
        difference = _difference(ours, theirs, confidence > 0)
        return (weight * self._norm(difference).sum(-1)).sum(-1)

    def _rotations(
        self, output: RegressorOutput, batch: Batch, absent: Bool[Tensor, "batch joints"]
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Squared Frobenius distances of the root and of the body's joints.

        Absent joints are learned where their original rotation is known (Sec. 3.2); a label that is the zero
        matrix says only that the joint is absent and is skipped. Departure from TokenHMR: trusted people need
        their flag, too.
        """
        known = batch.has_pose & ~is_absent(batch.pose_rotmat)
        difference = _difference(output.pose_rotmat, batch.pose_rotmat, known)
        weight = known.to(difference)
        loose = self.config.loose
        if loose is not None:
            with torch.no_grad():  # the angle decides, the chord is learned: no gradient of an arc sine
                angle = geodesic_angle(_full(output.pose_rotmat), batch.pose_rotmat.to(difference))
                sharp = batch.trusted_3d[:, None] | (angle > self._loose_pose)
            weight = torch.where(sharp, weight, loose.weight * weight)
        weight = torch.where(absent, self.config.amputated_regions * weight, weight)
        joints = weight * difference.square().sum((-2, -1))
        return joints[:, 0], joints[:, 1:].sum(-1)

    def _betas(self, output: RegressorOutput, batch: Batch) -> Float[Tensor, " batch"]:
        known = batch.has_betas
        if self.config.loose is not None:  # as TokenHMR: the shape of a loose fit is not learned
            known = known & batch.trusted_3d
        return _difference(output.betas, batch.betas, known[:, None]).square().sum(-1)


def sum_weighted(config: LossConfig, terms: dict[str, Tensor]) -> Tensor:
    """Eq. 6: the terms by their weights."""
    return torch.stack([getattr(config, name) * value for name, value in terms.items()]).sum(0)


def absent_joints(
    limb_levels: Int[Tensor, "batch limbs=4"], table: Bool[Tensor, "limbs=4 levels=4 joints=24"]
) -> Bool[Tensor, "batch joints=24"]:
    """Joints known to be absent, by `ajahr.anatomy.ABSENT_TABLE`; an unknown level (-1) takes none away."""
    limbs = torch.arange(4, device=limb_levels.device)
    return table[limbs, limb_levels.clamp(min=0)].any(1)


def _difference(
    ours: Float[Tensor, "batch points *shape"],
    theirs: Float[Tensor, "batch points *shape"],
    known: Bool[Tensor, "batch #points"],
) -> Float[Tensor, "batch points *shape"]:
    """``ours - theirs`` where known, else 0, whatever ``theirs`` holds there, NaN included."""
    ours = _full(ours)
    known = known.reshape(*known.shape, *(1,) * (ours.ndim - known.ndim))
    return ours - torch.where(known, theirs.to(ours), ours)


def _full(value: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """At least single precision: sums of 44 keypoints of a person do not bear half."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def _cross_entropy(
    logits: Float[Tensor, "batch limbs=4 levels=4"] | None, limb_levels: Int[Tensor, "batch limbs=4"]
) -> tuple[Float[Tensor, "batch limbs=4"], Bool[Tensor, "batch limbs=4"]]:
    """Eq. 2 head by head, 0 where the label is unknown, and which are known. Zero without BPAC-Net."""
    known = limb_levels >= 0
    if logits is None:
        return torch.zeros(limb_levels.shape, device=limb_levels.device), known
    flat = F.cross_entropy(
        _full(logits).flatten(0, 1), limb_levels.flatten().long(), ignore_index=-1, reduction="none"
    )
    return flat.view(limb_levels.shape), known


def _residual_likelihood(
    output: RegressorOutput, batch: Batch
) -> tuple[Float[Tensor, "batch segments=8"], Bool[Tensor, "batch segments=8"]]:
    """Negative log likelihood of the labelled lambdas (without its constant), 0 elsewhere, and which are labelled.

    Its gradient is multiplied by the standard deviation, as a constant (beta-NLL, Seitzer et al. 2022, beta 1/2):
    by itself the likelihood pulls hardest at ends that are good already, and the others are left to be called
    uncertain.
    """
    known = torch.isfinite(batch.residual)
    if output.residual_lambda is None or output.residual_log_std is None:
        return torch.zeros(known.shape, device=known.device), known
    error = _difference(output.residual_lambda, batch.residual, known)
    log_std = _full(output.residual_log_std)
    value = log_std + (error * (-log_std).exp()).square() / 2
    learned = value * log_std.detach().exp()
    return torch.where(known, value.detach() + learned - learned.detach(), 0.0), known
