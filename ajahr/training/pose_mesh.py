"""The body that the tokenizers' losses and metrics see: root at identity, mean shape, flat hands.

Departure from TokenHMR: its true meshes have the body file's mean hand pose and its decoded ones flat hands, a
constant error of the fingers in its vertex loss and MVE. Here both have flat hands.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ajahr.anatomy import NUM_JOINTS, NUM_TOKENIZER_JOINTS
from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.errors import UserError


class PoseMesh(nn.Module):
    """Rotations of the 21 body joints to vertices and joints (m): `tokenizer.losses.MeshFn`.

    Args:
        path: An SMPL-format file; None for the embedded body.
        gender: Which body, where there are several.
        num_vertices: Keep only so many vertices, spread over the body, and no faces: the errors of a few hundred
            say nearly the same as those of all at a tenth of the cost. None keeps all.
    """

    betas: Float[Tensor, "1 betas"]
    faces: Int[Tensor, "faces 3"]

    def __init__(
        self,
        path: str | Path | None = None,
        gender: str = "neutral",
        num_vertices: int | None = None,
    ) -> None:
        super().__init__()
        data = load_body(path, gender=gender)
        self.body, faces = Body(data), data.faces
        if num_vertices is not None:
            if not 1 <= num_vertices <= len(data.v_template):
                raise UserError(
                    f"num_vertices is {num_vertices}; the body {data.name} has {len(data.v_template)}"
                )
            faces = faces[:0]
            _keep_vertices(self.body, torch.from_numpy(spread_points(data.v_template, num_vertices)))
        self.register_buffer("betas", torch.zeros(1, self.body.num_betas), persistent=False)
        self.register_buffer("faces", torch.from_numpy(faces.astype("int64")), persistent=False)

    def forward(
        self, rotmats: Float[Tensor, "batch 21 3 3"]
    ) -> tuple[Float[Tensor, "batch vertices 3"], Float[Tensor, "batch 21 3"]]:
        """Vertices, and the joints of the rotations in their order."""
        ours = slice(1, 1 + NUM_TOKENIZER_JOINTS)  # after the root, before the hands
        identity = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
        root = identity.expand(len(rotmats), 1, 3, 3)
        hands = identity.expand(len(rotmats), NUM_JOINTS - ours.stop, 3, 3)
        posed = self.body.shape(self.betas).pose(torch.cat((root, rotmats, hands), 1))
        return posed.vertices, posed.joints[:, ours]


def spread_points(points: Float[np.ndarray, "points 3"], count: int) -> Int[np.ndarray, " count"]:
    """Ascending rows of points far from each other: each next one is the farthest from those before."""
    chosen = [int(points[:, 1].argmax())]
    distance = np.full(len(points), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.square(points - points[chosen[-1]]).sum(1))
        chosen.append(int(distance.argmax()))
    return np.array(sorted(chosen))


def _keep_vertices(body: Body, rows: Int[Tensor, " kept"]) -> None:
    """Drop the other vertices. Joints stay exact: their rest places were regressed from all vertices."""
    body.v_template = body.v_template[:, rows].contiguous()
    body.weights = body.weights[:, rows].contiguous()
    body.shapedirs = body.shapedirs.unflatten(1, (3, -1))[:, :, rows].flatten(1)
    if body.posedirs is not None:
        body.posedirs = body.posedirs.unflatten(1, (3, -1))[:, :, rows].flatten(1)
