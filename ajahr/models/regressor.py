"""The regressor: a crop and keypoints in, limb status and a body out (AJAHR Fig. 2).

`Regressor.forward` reads as the paper does: features -> BPAC -> decoder -> tokens -> codebook -> pose -> absent
limbs -> body -> camera. The baselines are configs of the same class: HMR2.0's linear head, TokenHMR's single
tokenizer, each with or without BPAC-Net (Table 4c).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ajahr.anatomy import ABSENT_TABLE, NUM_JOINTS, NUM_LIMBS, NUM_TOKENIZER_JOINTS
from ajahr.body.body import Body
from ajahr.body.keypoint_body import KeypointBody
from ajahr.errors import UserError
from ajahr.geometry.cameras import crop_translation, project_crop
from ajahr.geometry.rotations import hmr2_rot6d_to_rotmat, rot6d_to_rotmat
from ajahr.models.backbone import Backbone
from ajahr.models.bpac import BpacNet, LimbStatus
from ajahr.models.config import RegressorConfig
from ajahr.models.decoder import Decoder
from ajahr.models.mean_parameters import MeanParameters
from ajahr.models.outputs import RegressorOutput
from ajahr.models.point_reader import PointMixer, PointReader
from ajahr.models.residual_head import ResidualHead
from ajahr.models.switch import TokenizerSwitch
from ajahr.models.token_head import TokenHead
from tokenizer.vqvae import PoseTokenizer

TrainablePart = Literal["all", "partial", "heads", "bpac"]
"""``all`` but the tokenizers; ``partial``, the paper's partial fine-tuning (supplementary F); ``heads``, all but
the backbone and what reads points off it; ``bpac`` alone."""
NUM_BETAS = 10
_CAMERA = 3
_PARTIAL_BLOCKS, _PARTIAL_LAYERS = 4, 2
_HANDS = NUM_JOINTS - 1 - NUM_TOKENIZER_JOINTS


class Regressor(nn.Module):
    """AJAHR.

    Args:
        config: Sizes and switches; a preset or a change of one.
        body: What turns pose and betas into a mesh. Its arrays stay out of the state dict.
        tokenizers: Trained ones by name (``amputee`` and ``intact``, or ``single``); their shapes replace the
            config's. None: untrained ones of the config's shapes, to be filled by `load_state_dict`.
        mean: Where the regression starts; a person who stands before the camera if not given.
        empty: Leave the large parts without memory (meta device), to be filled with ``assign=True``.
    """

    mean_pose: Float[Tensor, "joints=24 6"]
    mean_betas: Float[Tensor, "betas=10"]
    mean_camera: Float[Tensor, "styx=3"]
    _absent: Bool[Tensor, "limbs=4 levels=4 joints=24"]
    _from_tokens: Bool[Tensor, "joints=24"]

    def __init__(
        self,
        config: RegressorConfig,
        body: Body,
        tokenizers: Mapping[str, PoseTokenizer] | None = None,
        *,
        mean: MeanParameters | None = None,
        empty: bool = False,
    ) -> None:
        super().__init__()
        if tokenizers is not None:
            config = with_tokenizers(config, tokenizers)
        self.config = config
        self.body, self.keypoint_body = body, KeypointBody(body)
        width = config.decoder.width
        with torch.device("meta") if empty else contextlib.nullcontext():
            self.backbone = Backbone(config.backbone)
            self.bpac = None
            if config.bpac is not None:
                detail_width = self.backbone.detail_width if config.bpac.reads == "features" else 0
                self.bpac = BpacNet(
                    config.bpac, config.backbone.width, detail_width, hears_points=config.point_reader
                )
            self.decoder = Decoder(config.decoder, config.backbone.width, self.backbone.num_tokens)
            self.point_reader = self.point_start = None
            if config.point_reader:
                self.point_reader = PointReader(self.backbone.detail_width)
                self.point_start = PointMixer(width)
            self.readout = Readout(width, NUM_JOINTS if config.pose_head == "hmr2" else 1 + _HANDS)
            self.residual_head = None
            if config.residual_head:
                token_width = 0 if config.bpac is None else config.backbone.width
                hears = config.residual_points and config.point_reader
                self.residual_head = ResidualHead(width, token_width, hears_points=hears)
            self.token_head = None
            if config.tokenizer_names:
                codes = config.tokenizer_config(config.tokenizer_names[0]).num_codes
                self.token_head = TokenHead(config.token_head, width, config.tokens, codes)
        self.switch = TokenizerSwitch(config, tokenizers) if config.tokenizer_names else None
        mean = mean or MeanParameters.default(config.rot6d)
        self.register_buffer("mean_pose", mean.pose.clone())
        self.register_buffer("mean_betas", mean.betas.clone())
        self.register_buffer("mean_camera", mean.camera.clone())
        self.register_buffer("_absent", torch.tensor(ABSENT_TABLE), persistent=False)
        decoded = (torch.arange(NUM_JOINTS) > 0) & (torch.arange(NUM_JOINTS) <= NUM_TOKENIZER_JOINTS)
        self.register_buffer("_from_tokens", decoded, persistent=False)

    def forward(
        self,
        image: Float[Tensor, "batch 3 256 256"],
        bpac_keypoints: Float[Tensor, "batch coco12=12 3"] | None = None,
        *,
        limb_levels: Int[Tensor, "batch limbs=4"] | None = None,
        removal: Int[Tensor, "batch limbs=4"] | None = None,
        mesh: bool = True,
    ) -> RegressorOutput:
        """Bodies of the people in the crops.

        Args:
            image: RGB, ImageNet-normalised; the backbone sees columns 32..223.
            bpac_keypoints: COCO joints 5..16 in the frame of `RegressorConfig.keypoint_frame`, and their
                confidence; 0 for none. Not needed where BPAC-Net does not see keypoints.
            limb_levels: Known levels, which overrule BPAC-Net's; -1 where unknown.
            removal: Levels that take body parts off where these shall differ from those that choose the
                tokenizer: in training, the labels' own, so that keypoints are compared with their like; -1
                where unknown.
            mesh: False leaves the vertices out (there are none in the output), which no loss reads.
        """
        detail = points = None
        if self.point_reader is not None or (self.bpac is not None and self.bpac.reads_features):
            features, detail = self.backbone.with_detail(image)
        else:
            features = self.backbone(image)
        if self.point_reader is not None:
            points = self.point_reader(detail)
        status = None if self.bpac is None else self.bpac(image, bpac_keypoints, detail, points)
        levels = self._decide(status, limb_levels, features)
        amputee = (levels > 0).any(-1)
        if removal is not None:
            levels = torch.where(removal >= 0, removal.to(levels.dtype), levels)
        absent = self._absent_joints(levels)

        bpac_token = status.token if status is not None and self.config.bpac_cross_attention else None
        start = None if self.point_start is None else self.point_start(points)
        token = self.decoder(features, bpac_token, start)

        rot6d, betas, camera = self.readout(token)
        residual = None
        if self.residual_head is not None:
            residual = self.residual_head(token, None if status is None else status.token, points)
        code_logits = None
        if self.token_head is not None and self.switch is not None:
            code_logits = self.token_head(token)
            rot6d = _insert_body(rot6d, self.switch(code_logits, amputee))
        with torch.autocast(image.device.type, enabled=False):  # geometry needs all its digits
            rotmats = self._rotations(rot6d.float())
            betas, camera = betas.float() + self.mean_betas, camera.float() + self.mean_camera
            if self.config.betas_limit is not None:
                betas = limited(betas, self.config.betas_limit)
            if mesh:
                posed = self.body(betas, rotmats, absent)
                vertices, joints, keypoints = posed.vertices, posed.joints, posed.keypoints_44
            else:
                joints, keypoints = self.keypoint_body(betas, rotmats, absent)
                vertices = joints.new_empty(len(joints), 0, 3)
            translation = crop_translation(camera)
            projected = project_crop(keypoints + translation[:, None])
        return RegressorOutput(
            limb_logits=None if status is None else status.logits,
            limb_probabilities=None if status is None else status.probabilities,
            limb_levels=levels,
            absent_joints=absent,
            amputee=amputee,
            code_logits=code_logits,
            pose_rotmat=rotmats,
            betas=betas,
            crop_camera=camera,
            crop_translation=translation,
            vertices=vertices,
            joints=joints,
            keypoints_3d=keypoints,
            keypoints_2d=projected,
            residual_lambda=None if residual is None else residual.fraction,
            residual_log_std=None if residual is None else residual.log_std,
            residual_std=None if residual is None else residual.std,
        )

    # ------------------------------------------------------------------------------- steps of forward

    def _decide(
        self, status: LimbStatus | None, given: Int[Tensor, "batch limbs=4"] | None, features: Tensor
    ) -> Int[Tensor, "batch limbs=4"]:
        """BPAC-Net's level of each limb (Eq. 1), or intact without it; given levels come first."""
        if status is None:
            levels = torch.zeros(len(features), NUM_LIMBS, dtype=torch.long, device=features.device)
        else:
            assert self.bpac is not None
            levels = self.bpac.decide(status.probabilities)
        return levels if given is None else torch.where(given >= 0, given.to(levels.dtype), levels)

    def _absent_joints(self, levels: Int[Tensor, "batch limbs=4"]) -> Bool[Tensor, "batch joints=24"]:
        """Table lookup of all four limbs at once."""
        limbs = torch.arange(NUM_LIMBS, device=levels.device)
        return self._absent[limbs, levels].any(1)

    def _rotations(self, rot6d: Float[Tensor, "batch joints=24 6"]) -> Float[Tensor, "batch joints=24 3 3"]:
        """The regressed six numbers as residuals to the mean pose, made orthonormal."""
        mean = self.mean_pose
        if self.token_head is not None and not self.config.token_residual:
            mean = torch.where(self._from_tokens[:, None], 0.0, mean)
        to_rotmat = rot6d_to_rotmat if self.config.rot6d == "row" else hmr2_rot6d_to_rotmat
        return to_rotmat(rot6d + mean)

    @property
    def loss_threshold(self) -> float | None:
        """`decide_levels`'s, for those who decide by probabilities of their own."""
        if self.bpac is None or not self.bpac.config.loss_first:
            return None
        return float(self.bpac.loss_threshold)

    # --------------------------------------------------------------------------------------- training

    def set_trainable(self, part: TrainablePart) -> None:
        """Which parameters learn; the tokenizers never do. Call `train` afterwards as usual.

        Raises:
            UserError: BPAC-Net is asked for and not there.
        """
        self.requires_grad_(part != "bpac")
        if self.bpac is not None:
            self.bpac.requires_grad_(True)
        elif part == "bpac":
            raise UserError("this regressor has no BPAC-Net to train; choose another part")
        if part in ("partial", "heads"):
            self.backbone.requires_grad_(False)
            if self.point_reader is not None:
                self.point_reader.requires_grad_(False)
        if part == "partial":
            self.backbone.unfreeze_ends(_PARTIAL_BLOCKS)
            self.decoder.requires_grad_(False)
            self.decoder.layers[-_PARTIAL_LAYERS:].requires_grad_(True)
        if self.switch is not None:
            self.switch.requires_grad_(False)

    def train(self, mode: bool = True) -> Regressor:
        """Parts whose parameters are all frozen stay in evaluation mode: no drop path, no batch statistics.

        Upstream's frozen backbone is put back into training mode and goes on dropping blocks (facts 5.12).
        """
        super().train(mode)
        if mode:
            for module in self.modules():
                parameters = list(module.parameters())
                if parameters and not any(one.requires_grad for one in parameters):
                    module.eval()
        return self


class Readout(nn.Module):
    """Root, hands (and, for HMR2.0, body) rotations, betas and camera, in one product."""

    def __init__(self, width: int, num_joints: int) -> None:
        super().__init__()
        self.sizes = (6 * num_joints, NUM_BETAS, _CAMERA)
        self.linear = nn.Linear(width, sum(self.sizes))
        nn.init.xavier_uniform_(self.linear.weight, gain=0.01)  # so that learning starts at the mean
        nn.init.zeros_(self.linear.bias)

    def forward(
        self, token: Float[Tensor, "batch width"]
    ) -> tuple[Float[Tensor, "batch read 6"], Float[Tensor, "batch betas=10"], Float[Tensor, "batch styx=3"]]:
        rot6d, betas, camera = self.linear(token).split(self.sizes, -1)
        return rot6d.unflatten(-1, (-1, 6)), betas, camera


def limited(betas: Float[Tensor, "*batch betas"], limit: float) -> Float[Tensor, "*batch betas"]:
    """Betas in the same direction with a norm below ``limit``: what they were, almost, up to half of it."""
    ratio = betas.square().sum(-1, keepdim=True) / limit**2
    return betas / (1 + ratio.square()) ** 0.25


def with_tokenizers(config: RegressorConfig, tokenizers: Mapping[str, PoseTokenizer]) -> RegressorConfig:
    """The config with these tokenizers' shapes.

    Raises:
        UserError: others than the pose head has, or shapes that do not go together.
    """
    if set(tokenizers) != set(config.tokenizer_names):
        raise UserError(
            f"the pose head {config.pose_head} takes the tokenizers "
            f"{' and '.join(config.tokenizer_names) or 'none'}, not {' and '.join(sorted(tokenizers)) or 'none'}"
        )
    return replace(config, tokenizers={name: one.config for name, one in tokenizers.items()})


def _insert_body(
    read: Float[Tensor, "batch root_and_hands=3 6"], body: Float[Tensor, "batch joints=21 6"]
) -> Float[Tensor, "batch joints=24 6"]:
    """Root, body, hands: the order of SMPL's joints."""
    return torch.cat((read[:, :1].to(body.dtype), body, read[:, 1:].to(body.dtype)), 1)
