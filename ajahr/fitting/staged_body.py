"""The vector that a staged fit moves, one row per person, and the rig's pose and place that it stands for.

Its parts in order: the turn of the root from a given one, the place, the body pose (or a VPoser's latent), shape,
expression, the hands' PCA components and the jaw. The place is in statures across the image and the logarithm of the
depth, so that all of it is of order one.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ajahr.anatomy import NUM_JOINTS, NUM_TOKENIZER_JOINTS, KeypointLayout
from ajahr.body.rig import RigData
from ajahr.fitting.rig_model import RigModel
from ajahr.fitting.staged_priors import PoseTerm, VPoser
from ajahr.geometry.rotations import rotvec_to_rotmat


class StagedBody:
    """A rig behind the vector of a staged fit.

    Args:
        prior: a `VPoser` puts its latent in the place of the pose.
        hand_components: PCA components of each hand.
    """

    def __init__(
        self, rig: RigData, layout: KeypointLayout, prior: PoseTerm | VPoser, hand_components: int
    ) -> None:
        self.rig, self.layout, self.prior = rig, layout, prior
        self.model = RigModel(rig, layout)
        self._hands = None
        if rig.hands is not None:
            self._hands = [torch.from_numpy(x) for x in rig.hands]
            self._hands[2:] = [x[:hand_components] for x in self._hands[2:]]

    @property
    def _pose_size(self) -> int:
        return self.prior.latent_size if isinstance(self.prior, VPoser) else 3 * (NUM_JOINTS - 1)

    @property
    def slices(self) -> dict[str, slice]:
        """Where each part of the vector lies."""
        sizes = {
            "root": 3,
            "place": 3,
            "pose": self._pose_size,
            "betas": self.rig.num_betas,
            "expression": self.rig.num_expressions,
            "hands": 0 if self._hands is None else 2 * len(self._hands[2]),
            "jaw": 3 if self.rig.is_smplx else 0,
        }
        slices, first = {}, 0
        for name, size in sizes.items():
            slices[name] = slice(first, first + size)
            first += size
        return slices

    def pose(self, latent: Tensor, kept: Bool[Tensor, "people 23"]) -> Tensor:
        """Rotation vectors of joints 1..23, absent ones at rest."""
        prior = self.prior
        pose = (
            prior.decode(latent) if isinstance(prior, VPoser) else latent.view(len(latent), NUM_JOINTS - 1, 3)
        )
        return pose * kept[..., None]

    def rotmats(
        self, x: Tensor, root: Float[Tensor, "people 3 3"], kept: Bool[Tensor, "people 23"]
    ) -> tuple[Tensor, Tensor]:
        """Body pose (rotation vectors) and all of the rig's rotations.

        Args:
            root: what the vector's turn of the root starts from.
            kept: joints that are there.
        """
        slices = self.slices
        pose = self.pose(x[:, slices["pose"]], kept)
        turned = rotvec_to_rotmat(x[:, slices["root"]]) @ root
        body = rotvec_to_rotmat(pose)
        if not self.rig.is_smplx:
            return pose, torch.cat([turned[:, None], body], 1)
        people = len(x)
        rest = torch.eye(3, dtype=x.dtype).expand(people, 1, 3, 3)
        parts = [
            turned[:, None],
            body[:, :NUM_TOKENIZER_JOINTS],
            rotvec_to_rotmat(x[:, None, slices["jaw"]]),
            rest,
            rest,
        ]
        for k, wrist in enumerate((20, 21)):
            if self._hands is None:
                parts.append(rest.expand(people, 15, 3, 3))
                continue
            own = x[:, slices["hands"]].view(people, 2, len(self._hands[2]))[:, k]
            fingers = (self._hands[k] + own @ self._hands[2 + k]).view(people, 15, 3)
            parts.append(rotvec_to_rotmat(fingers * kept[:, wrist - 1, None, None]))
        return pose, torch.cat(parts, 1)

    def shape(self, x: Tensor) -> Tensor:
        """Betas and expression."""
        return x[:, self.slices["betas"].start : self.slices["expression"].stop]

    def translation(
        self, x: Tensor, size: Float[Tensor, " people"], focal: Float[Tensor, " people"]
    ) -> Float[Tensor, "people 3"]:
        """SMPL's translation, m.

        Args:
            size: how tall the person would stand in the image, px.
            focal: px.
        """
        place = x[:, self.slices["place"]]
        depth = place[:, 2].exp()
        across = place[:, :2] * (size / focal * depth)[:, None]
        pelvis = torch.cat([across, depth[:, None]], 1)
        return pelvis - self.model.rest_joints(self.shape(x))[:, 0]
