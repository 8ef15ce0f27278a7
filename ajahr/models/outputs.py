"""What the regressor returns."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(eq=False)
class RegressorOutput:
    """One person per row; everything differentiable but `limb_levels`, `absent_joints` and `amputee`."""

    limb_logits: Float[Tensor, "batch limbs=4 levels=4"] | None
    """BPAC-Net's, in `Limb` order, level 0 intact; None without BPAC-Net."""
    limb_probabilities: Float[Tensor, "batch limbs=4 levels=4"] | None
    """Of the logits, calibrated by BPAC-Net's temperatures; for reports, not for the loss."""
    limb_levels: Int[Tensor, "batch limbs=4"]
    """What removes body parts below: BPAC-Net's decision, or given levels."""
    absent_joints: Bool[Tensor, "batch joints=24"]
    amputee: Bool[Tensor, " batch"]
    """Which tokenizer decoded: True the amputee one."""
    code_logits: Float[Tensor, "batch tokens codes"] | None
    """None for the linear pose head (HMR2)."""
    pose_rotmat: Float[Tensor, "batch joints=24 3 3"]
    """global_orient first; as regressed, absent joints not yet zeroed (they are supervised, Sec. 3.3.1)."""
    betas: Float[Tensor, "batch betas=10"]
    crop_camera: Float[Tensor, "batch styx=3"]
    """s, tx, ty of HMR's crop camera."""
    crop_translation: Float[Tensor, "batch xyz=3"]
    """(tx, ty, 2 x 5000 / (256 s)), m."""
    vertices: Float[Tensor, "batch vertices 3"]
    """Body frame, m, without translation; absent parts collapsed. None at all (0 vertices) where keypoints alone were
    asked for."""
    joints: Float[Tensor, "batch joints=24 3"]
    keypoints_3d: Float[Tensor, "batch j44=44 3"]
    keypoints_2d: Float[Tensor, "batch j44=44 2"]
    """Crop units: the square crop is -0.5..0.5."""
    residual_lambda: Float[Tensor, "batch segments=8"] | None = None
    """Where a limb ends if it ends in this segment (`ajahr.residual_limb.segments.SEGMENTS`): 0 at the distal joint,
    1 at the proximal one. Whether it ends there, `limb_levels` says. None without the residual head."""
    residual_log_std: Float[Tensor, "batch segments=8"] | None = None
    """Natural logarithm of its standard deviation, as learned."""
    residual_std: Float[Tensor, "batch segments=8"] | None = None
    """Standard deviation, calibrated; for reports, not for the loss."""
