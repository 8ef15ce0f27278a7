"""A regressor whose answers are known: an upright body that fills the crop, its limbs told by the colour.

What a crop's red channel says is lost: dark nothing, middle the left forearm, bright the right leg to the hip.
"""

from __future__ import annotations

import numpy as np
import torch

from ajahr.body.body import Body
from ajahr.geometry.cameras import crop_translation, project_crop
from ajahr.models.config import RegressorConfig
from ajahr.models.outputs import RegressorOutput

INTACT, ELBOW, HIP = (0, 0, 0, 0), (2, 0, 0, 0), (0, 0, 0, 3)
RED = {INTACT: 20, ELBOW: 120, HIP: 220}
"""Red of a picture that shows each."""


def picture(levels=INTACT, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    """A plain picture (width, height) in which the puppet sees people with these limbs."""
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    image[..., 0] = RED[levels]
    return image


class Puppet(torch.nn.Module):
    """See the module.

    ``residual`` is the lambda and standard deviation it says of every limb; ``calls`` has the limb levels given to
    each call, None for none.
    """

    def __init__(self, body: Body, sure: float = 0.9, residual: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.body, self.sure, self.residual = body, sure, residual
        if residual is not None:
            self.config = RegressorConfig(residual_head=True)
        self.calls: list[torch.Tensor | None] = []
        self.keypoints: list[torch.Tensor] = []

    def forward(self, image, bpac_keypoints=None, *, limb_levels=None) -> RegressorOutput:
        self.calls.append(limb_levels)
        self.keypoints.append(bpac_keypoints)
        count = len(image)
        red = (image[:, 0, 96:160, 96:160].mean((1, 2)) * 0.229 + 0.485) * 255
        answers = torch.tensor([INTACT, ELBOW, HIP])
        shades = torch.tensor([float(RED[tuple(a.tolist())]) for a in answers])
        said = answers[(red[:, None] - shades).abs().argmin(1)]
        probabilities = torch.full((count, 4, 4), (1 - self.sure) / 3)
        probabilities.scatter_(2, said[..., None], self.sure)
        levels = said if limb_levels is None else torch.where(limb_levels >= 0, limb_levels, said)
        from ajahr.anatomy import absent_joint_mask

        absent = torch.from_numpy(absent_joint_mask(levels.numpy()))
        pose = torch.eye(3).repeat(count, 24, 1, 1)
        pose[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        amputee = (levels > 0).any(1)
        pose[amputee, 15] = torch.tensor(
            [[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]
        )  # a head aslant: who decoded it
        betas = torch.zeros(count, 10)
        betas[:, 0] = red / 255
        posed = self.body(betas, pose, absent)
        camera = torch.tensor([[1.0, 0.0, -0.1]]).repeat(count, 1)
        translation = crop_translation(camera)
        ends = {}
        if self.residual is not None:
            fraction, std = (torch.full((count, 8), value) for value in self.residual)
            ends = {"residual_lambda": fraction, "residual_log_std": std.log(), "residual_std": std}
        return RegressorOutput(
            **ends,
            limb_logits=probabilities.log(), limb_probabilities=probabilities, limb_levels=levels,
            absent_joints=absent, amputee=amputee, code_logits=None, pose_rotmat=pose, betas=betas,
            crop_camera=camera, crop_translation=translation, vertices=posed.vertices,
            joints=posed.joints, keypoints_3d=posed.keypoints_44,
            keypoints_2d=project_crop(posed.keypoints_44 + translation[:, None]),
        )  # fmt: skip
