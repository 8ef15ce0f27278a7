"""The body that the tokenizers' losses and metrics see: root at identity, mean shape, flat hands.

Departure from TokenHMR: its true meshes have the body file's mean hand pose and its decoded ones flat hands, a
constant error of the fingers in its vertex loss and MVE. Here both have flat hands.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ajahr.anatomy import NUM_JOINTS, NUM_TOKENIZER_JOINTS
from ajahr.body.body import Body
from ajahr.body.data import load_body


class PoseMesh(nn.Module):
    """Rotations of the 21 body joints to vertices and joints (m): `tokenizer.losses.MeshFn`.

    Args:
        path: An SMPL-format file; None for the embedded body.
        gender: Which body, where there are several.
    """

    betas: Float[Tensor, "1 betas"]
    faces: Int[Tensor, "faces 3"]

    def __init__(self, path: str | Path | None = None, gender: str = "neutral") -> None:
        super().__init__()
        data = load_body(path, gender=gender)
        self.body = Body(data)
        self.register_buffer("betas", torch.zeros(1, self.body.num_betas), persistent=False)
        self.register_buffer("faces", torch.from_numpy(data.faces.astype("int64")), persistent=False)

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
