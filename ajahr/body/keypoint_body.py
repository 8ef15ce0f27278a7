"""The 44 keypoints of a body without its mesh: what training on keypoints needs.

A keypoint off the joints is a weighted sum of vertices, and a vertex is a weighted sum of its joints' transforms of
a rest point that is linear in betas and pose feature. So both sums can be taken once, before anybody is posed: of
each keypoint and joint, one rest point and its share. The numbers are `Body`'s to rounding, for a fiftieth of the work.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ajahr.anatomy import J44_FROM_SMPL45, NUM_JOINTS
from ajahr.body.body import Body, joint_transforms, pose_feature, without_lost


class KeypointBody(nn.Module):
    """`Body` for keypoints alone. Its arrays stay out of the state dict, as the body's do.

    Args:
        body: Whose joints and keypoints these are.
    """

    template: Float[Tensor, " rest"]
    """Rest points (joint, x y z, keypoint)."""
    shapedirs: Float[Tensor, "betas rest"]
    posedirs: Float[Tensor, "207 rest"] | None
    shares: Float[Tensor, "24 1 keypoints"]

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._body = [body]  # not a submodule: it belongs to somebody else
        named = torch.zeros(len(body._vertex_ids), body.num_vertices, dtype=torch.float64)
        named[torch.arange(len(named)), body._vertex_ids.cpu()] = 1
        regressed = torch.zeros(len(body._J19), body.num_vertices, dtype=torch.float64)
        regressed[:, body._J19_vertices.cpu()] = body._J19.double().cpu()
        of_vertices = torch.cat([named, regressed])
        used = of_vertices.any(0).nonzero()[:, 0]
        of_vertices, weights = of_vertices[:, used], body.weights.double().cpu()[:, used]
        mixed = (weights[:, None] * of_vertices).flatten(0, 1)  # (24 x keypoints, used)

        def rest(coordinates: Tensor) -> Tensor:
            """(n, 3 x vertices) to (n, 24 x 3 x keypoints)."""
            points = coordinates.double().cpu().unflatten(1, (3, -1))[..., used]
            mixed_points = torch.einsum("nav,mv->nma", points, mixed).unflatten(1, (NUM_JOINTS, -1))
            return mixed_points.transpose(2, 3).flatten(1).to(body.v_template)

        def keep(name: str, value: Tensor | None) -> None:
            self.register_buffer(name, value, persistent=False)

        keep("template", rest(body.v_template.flatten()[None])[0])
        keep("shapedirs", rest(body.shapedirs))
        keep("posedirs", None if body.posedirs is None else rest(body.posedirs))
        keep("shares", mixed.sum(1).view(NUM_JOINTS, 1, -1).to(body.v_template))
        self._named = len(named)

    def forward(
        self,
        betas: Float[Tensor, "batch betas"],
        rotmats: Float[Tensor, "batch 24 3 3"],
        absent_joints: Bool[Tensor, "batch 24"] | None = None,
    ) -> tuple[Float[Tensor, "batch 24 3"], Float[Tensor, "batch 44 3"]]:
        """Joints and keypoints in the frame the root's rotation maps to, m, as `Body` and its `keypoints_44`."""
        (body,) = self._body
        with torch.autocast(betas.device.type, enabled=False):
            b = betas.to(self.template)
            local, seen = without_lost(body, rotmats, absent_joints)
            joints_at_rest = torch.addmm(body.J_template.flatten(), b, body.J_shapedirs[: b.shape[1]])
            joints, transforms = joint_transforms(local, joints_at_rest.view(-1, NUM_JOINTS, 3))
            points = torch.addmm(self.template, b, self.shapedirs[: b.shape[1]])
            if self.posedirs is not None:
                points = torch.addmm(points, pose_feature(seen), self.posedirs)
            shares = self.shares.expand(len(b), -1, -1, -1)
            points = torch.cat([points.view(len(b), NUM_JOINTS, 3, -1), shares], 2).flatten(1, 2)
            found = (transforms.transpose(1, 2).flatten(2) @ points).mT
            named, regressed = found[:, : self._named], found[:, self._named :]
            all_45 = torch.cat([joints, named], 1)
            return joints, torch.cat([all_45[:, list(J44_FROM_SMPL45)], regressed], 1)
