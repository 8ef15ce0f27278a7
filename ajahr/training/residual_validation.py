"""Errors of the residual head over a validation set, summed on the device, and what its uncertainty is worth.

Every labelled end counts, in the segment that the label names, whatever BPAC-Net said of the limb;
`ajahr.evaluation.residual` measures both together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ajahr.body.body import Body
from ajahr.data.batch import Batch
from ajahr.models.calibration import fit_std_scales
from ajahr.models.outputs import RegressorOutput
from ajahr.residual_limb.segments import SEGMENTS
from ajahr.training.hmr_losses import PELVIS

_NAMES = ("residual_lambda_mae", "residual_coverage_95", "residual_length_mm", "residual_end_mm")
_ANCHORS, _UPSTREAMS = [s.anchor for s in SEGMENTS], [s.upstream for s in SEGMENTS]
_MM, _95 = 1000.0, 1.959964


def bone_lengths(body: Body, betas: Float[Tensor, "batch betas"]) -> Float[Tensor, "batch segments=8"]:
    """Lengths of the bones of `SEGMENTS`, m: no pose changes them."""
    flat = torch.addmm(
        body.J_template.flatten(), betas.to(body.J_template), body.J_shapedirs[: betas.shape[1]]
    )
    joints = flat.unflatten(-1, (-1, 3))
    return (joints[:, _ANCHORS] - joints[:, _UPSTREAMS]).norm(dim=-1)


class ResidualMeter:
    """Sums over a validation run. Empty, and without results, where there is no residual head or no label.

    Args:
        device: Where batches are.
    """

    def __init__(self, device: torch.device | str) -> None:
        def zeros(count: int) -> Tensor:
            return torch.zeros(count, dtype=torch.double, device=device)

        self.sums, self.counts = zeros(len(_NAMES)), zeros(len(_NAMES))
        self.squares, self.ends = zeros(len(SEGMENTS)), zeros(len(SEGMENTS))

    @torch.no_grad()
    def add(self, output: RegressorOutput, batch: Batch, body: Body) -> None:
        """People of a batch."""
        fraction, log_std, std = output.residual_lambda, output.residual_log_std, output.residual_std
        if fraction is None or log_std is None or std is None:
            return
        known = torch.isfinite(batch.residual) & torch.isfinite(fraction)
        true = torch.where(known, batch.residual, 0.0)
        error = torch.where(known, fraction - true, 0.0)
        lengths = (1 - fraction) * bone_lengths(body, output.betas)
        theirs = (1 - true) * bone_lengths(body, torch.where(batch.has_betas[:, None], batch.betas, 0.0))
        anchor, upstream = output.joints[:, _ANCHORS], output.joints[:, _UPSTREAMS]
        ends = anchor + fraction[..., None] * (upstream - anchor) - output.keypoints_3d[:, None, PELVIS]
        targets = batch.residual_3d[..., :3] - batch.keypoints_3d[:, None, PELVIS, :3]
        seen = known & (batch.residual_3d[..., 3] > 0) & (batch.keypoints_3d[:, None, PELVIS, 3] > 0)
        values = (
            (error.abs(), known),
            ((error.abs() <= _95 * std).float(), known),
            (_MM * (lengths - theirs).abs(), known & batch.has_betas[:, None]),
            (_MM * (ends - targets).norm(dim=-1), seen),
        )
        self.sums += torch.stack([torch.where(of, value, 0.0).double().sum() for value, of in values])
        self.counts += torch.stack([of.double().sum() for _, of in values])
        self.squares += (error / log_std.exp()).square().double().sum(0)
        self.ends += known.double().sum(0)

    def reduce(self, add: Callable[[Tensor], Tensor]) -> None:
        """Add what the other ranks counted; ``add`` sums a tensor over them."""
        for name in ("sums", "counts", "squares", "ends"):
            setattr(self, name, add(getattr(self, name)))

    def results(self) -> dict[str, float]:
        """Mean absolute error of lambda; share of labels within the stated 95 %; errors of the length and of the place
        of the end (from the pelvis), mm. Those that somebody was measured for."""
        sums, counts = self.sums.tolist(), self.counts.tolist()
        return {name: s / n for name, s, n in zip(_NAMES, sums, counts, strict=True) if n > 0}

    def std_scales(self) -> Float[Tensor, "segments=8"]:
        """What the head's standard deviations must be multiplied by."""
        return fit_std_scales(self.squares, self.ends).float()
