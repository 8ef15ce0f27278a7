"""The keypoint model: crop -> features -> heat maps (or SimCC's vectors) and presence of each point.

model = KeypointModel(KeypointConfig("vit_base", presence="pool"))
output = model(crops)            # (batch, 3, 256, 192), normalised by ImageNet's mean and deviation
save_keypoints(model, "weights/mine"); model = load_keypoints("weights/mine")
model = with_residual_ends(model_of_17_points)
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ajahr.data.ldpose import LIMB_POINTS
from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.crops import INPUT_SIZE
from ajahr.keypoints.heads import ClassicHead, SimCCHead, SimpleHead
from ajahr.keypoints.output import KeypointOutput
from ajahr.keypoints.students import StudentBackbone, StudentHead
from ajahr.models.backbone import PATCH_SIZE, Backbone
from ajahr.models.point_heads import PresenceHead, ShuffleHead

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = "ajahr-keypoints"
"""What a folder's config.json calls itself."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, RGB in 0..1: what every backbone here wants."""


class KeypointModel(nn.Module):
    """One person's crop to keypoints.

    Args:
        config: its parts.
        pretrained: ImageNet weights for a student's backbone, from timm or torchvision (downloads).
    """

    def __init__(self, config: KeypointConfig, *, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        if config.has_stem:
            self.backbone: nn.Module = Backbone(config.vit)  # whole, so that the regressor takes it as it is
            self.width, stride = self.backbone.detail_width, PATCH_SIZE
        elif config.is_vit:
            # the regressor's Backbone cuts columns off a square crop first; what it encodes with is the same
            self.backbone = Backbone(config.vit).vit
            self.width, stride = config.vit.width, PATCH_SIZE
        else:
            student = StudentBackbone(config.backbone, config.feature_source, pretrained)
            self.backbone, self.width, stride = student, student.channels, 32
        self.grid = (INPUT_SIZE[0] // stride, INPUT_SIZE[1] // stride)
        self.head = _head(config, self.width, self.grid)
        self.presence_head = (
            None if config.presence == "none" else PresenceHead(self.width, config.points, config.presence)
        )

    def features(self, image: Float[Tensor, "batch 3 256 192"]) -> Float[Tensor, "batch width rows columns"]:
        """The backbone's map: 16 x 12 cells of a ViT, 8 x 6 of a student."""
        if isinstance(self.backbone, Backbone):
            return self.backbone.look(self.backbone.shrunk(image))[1]
        if not self.config.is_vit:
            return self.backbone(image)
        assert isinstance(self.backbone, VisionTransformer)
        tokens = self.backbone.forward_features(image)
        return tokens.transpose(1, 2).unflatten(2, self.grid)

    def forward(self, image: Float[Tensor, "batch 3 256 192"]) -> KeypointOutput:
        features = self.features(image)
        heatmaps = simcc = None
        if self.config.head_kind == "simcc":
            simcc = self.head(features)
        else:
            heatmaps = self.head(features)
        presence = None if self.presence_head is None else self.presence_head(features, heatmaps)
        return KeypointOutput(heatmaps, simcc, presence)


def _head(config: KeypointConfig, width: int, grid: tuple[int, int]) -> nn.Module:
    kind = config.head_kind
    if kind == "simcc":
        bins = (INPUT_SIZE[1] * config.split_ratio, INPUT_SIZE[0] * config.split_ratio)
        return SimCCHead(width, config.points, grid, bins)
    if kind in ("paper", "wide"):
        return StudentHead(width, config.points, kind)
    heads = {"classic": ClassicHead, "simple": SimpleHead, "shuffle": ShuffleHead}
    return heads[kind](width, config.points)


# ---------------------------------------------------------------------------------------- 17 -> 25 points


def with_residual_ends(model: KeypointModel) -> KeypointModel:
    """The model with 25 outputs instead of 17: the first 17 as they were, bit for bit on a CPU.

    The row of a residual end starts as the mean of the two joints it lies between: above an elbow those of shoulder
    and elbow, below it those of elbow and wrist. SimCC's points see each other, so there the rows are copied and
    the outputs differ.
    """
    if model.config.points != 17:
        raise UserError(f"the model has {model.config.points} points; residual ends are added to one of 17")
    grown = KeypointModel(dataclasses.replace(model.config, points=25))
    device = next(model.parameters()).device
    state = model.state_dict()
    for name, target in grown.state_dict().items():
        if target.shape != state[name].shape:
            state[name] = _grown(state[name], rows_per_point=len(target) // 25)
    grown.load_state_dict(state)
    return grown.to(device).train(model.training)


def _grown(rows: Tensor, rows_per_point: int) -> Tensor:
    points = rows.unflatten(0, (17, rows_per_point))
    return torch.cat([points, points[torch.tensor(_NEIGHBOURS)].mean(1)]).flatten(0, 1)


def _neighbours() -> list[list[int]]:
    between = {}
    for proximal, distal, above, below in LIMB_POINTS.tolist():
        root = proximal - 2  # shoulders stand two before elbows, hips two before knees
        between[above], between[below] = [root, proximal], [proximal, distal]
    return [between[k] for k in sorted(between)]


_NEIGHBOURS = _neighbours()


# ------------------------------------------------------------------------------------------------- files


def save_keypoints(model: KeypointModel, folder: str | Path) -> Path:
    """Write config.json and model.safetensors into ``folder``, made if need be."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stamp = {"format": FORMAT, "config": model.config.to_dict()}
        (folder / CONFIG).write_text(json.dumps(stamp, indent=1) + "\n")
        save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, folder / WEIGHTS)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another folder") from error
    return folder


def load_keypoints(folder: str | Path) -> KeypointModel:
    """The model in a folder that `save_keypoints` wrote, in evaluation mode on the CPU.

    Raises:
        UserError: no such folder, another kind of model, or weights that do not fit.
    """
    folder = Path(folder)
    try:
        stamp = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError):
        raise UserError(
            f"{folder}: no keypoint model (no readable {CONFIG}); train one with ajahr fit"
        ) from None
    if (
        not isinstance(stamp, dict)
        or stamp.get("format") != FORMAT
        or not isinstance(stamp.get("config"), dict)
    ):
        raise UserError(f"{folder}: holds another kind of model; give a keypoint model's folder")
    model = KeypointModel(KeypointConfig.from_dict(stamp["config"], str(folder / CONFIG)))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        cause = " ".join(str(error).split())[:160]
        raise UserError(
            f"{folder / WEIGHTS}: does not fit its {CONFIG} ({cause}); copy the folder again"
        ) from None
    return model.eval()
