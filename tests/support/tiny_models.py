"""Weights files of the real classes at reduced width, random: every call that real weights would see."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import torch


def save_yolo(path: Path, names: list[str], task: str = "detect") -> Path:
    """An ultralytics YOLO11 checkpoint of the task, built from its own YAML."""
    import ultralytics
    import yaml

    name = "yolo11.yaml" if task == "detect" else f"yolo11-{task}.yaml"
    plan = yaml.safe_load((Path(ultralytics.__file__).parent / "cfg" / "models" / "11" / name).read_text())
    plan |= {"nc": len(names), "scales": {"n": [0.33, 0.0625, 128]}}
    # ultralytics tells the scale and the task from the file's name
    described = path.with_name(name.replace("yolo11", "yolo11n"))
    described.write_text(yaml.safe_dump(plan))
    torch.manual_seed(0)
    model = ultralytics.YOLO(str(described), verbose=False)
    model.model.names = dict(enumerate(names))
    with torch.no_grad():
        for layer in model.model.modules():  # so that scores and classes differ from place to place
            if isinstance(layer, torch.nn.Conv2d) and layer.weight.requires_grad:
                torch.nn.init.kaiming_normal_(layer.weight)
    model.save(str(path))
    return path


def tiny_sam() -> torch.nn.Module:
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    torch.manual_seed(0)
    return Sam(
        image_encoder=ImageEncoderViT(
            depth=3,
            embed_dim=16,
            img_size=64,
            mlp_ratio=2,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=2,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=(1,),
            window_size=2,
            out_chans=32,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=32, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=8
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=24, num_heads=8),
            transformer_dim=32,
            iou_head_depth=3,
            iou_head_hidden_dim=20,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    ).eval()


def save_sam(path: Path) -> Path:
    torch.save(tiny_sam().state_dict(), path)
    return path


class Orange(torch.nn.Module):
    """Stands in for LaMa: refuses what LaMa would choke on and fills the hole with (255, 128, 0)."""

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert image.size(1) == 3 and mask.size(1) == 1
        assert image.size(2) % 8 == 0 and image.size(3) % 8 == 0 and image.shape[2:] == mask.shape[2:]
        assert bool(image.min() >= 0) and bool(image.max() <= 1) and bool(((mask == 0) | (mask == 1)).all())
        colour = torch.tensor([1.0, 128.0 / 255.0, -0.5]).view(1, 3, 1, 1)
        # like LaMa's, pixels outside the hole come back a little changed
        return torch.where(mask > 0, colour.expand_as(image), image * 0.9)


def save_lama(path: Path, module: torch.nn.Module | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch would rather export
        torch.jit.script(module or Orange()).save(str(path))
    return path


def save_vitpose(folder: Path, *, seen: bool = False, experts: int = 1, simple: bool = True) -> Path:
    """A ViTPose model that sees every keypoint everywhere, or none anywhere."""
    from transformers import (
        VitPoseBackboneConfig,
        VitPoseConfig,
        VitPoseForPoseEstimation,
        VitPoseImageProcessor,
    )

    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48],
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        mlp_ratio=2,
        num_experts=experts,
        part_features=4,
        out_indices=[1],
    )
    config = VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=simple)
    model = VitPoseForPoseEstimation(config)
    last = model.head.conv
    with torch.no_grad():
        last.weight.mul_(1e-3)
        last.bias.fill_(0.9 if seen else 0.1)
    model.save_pretrained(folder)
    VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(folder)
    return folder


def save_trunk(path: Path, name: str) -> Path:
    """Torchvision's network under LPIPS, without its classifier."""
    import torchvision

    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None)
    state = {key: value for key, value in model.state_dict().items() if key.startswith("features.")}
    torch.save(state, path)
    return path
