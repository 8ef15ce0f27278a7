"""Files that cannot be shipped: where they are looked for, what each is good for, where it comes from.

Paths are relative to the data root (`data_root`). Nothing here downloads anything or reads a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

DATA_ROOT_VARIABLE = "AJAHR_DATA"
REGISTRATION = "registration, non-commercial research"


def data_root(given: str | Path | None = None) -> Path:
    """``given``, else what the variable ``AJAHR_DATA`` names, else ``data`` in the working folder."""
    return Path(given or os.environ.get(DATA_ROOT_VARIABLE) or "data")


@dataclass(frozen=True)
class Asset:
    """One asset.

    Attributes:
        key: short name, as configs and errors use it.
        kind: ``body``, ``data`` or ``weights``.
        patterns: glob patterns below the data root; alternatives, so that one match is enough.
        unlocks: what it is good for.
        source: where it comes from.
        licence: what kind of licence its owner gives.
    """

    key: str
    kind: str
    patterns: tuple[str, ...]
    unlocks: str
    source: str
    licence: str

    def find(self, root: Path, limit: int = 3) -> list[Path]:
        """Up to ``limit`` files or folders that match below ``root``."""
        found: list[Path] = []
        for pattern in self.patterns:
            try:
                found += islice(root.glob(pattern), limit - len(found))
            except OSError:
                continue  # a folder without permission
            if len(found) >= limit:
                break
        return found


ASSETS: tuple[Asset, ...] = (
    Asset(
        "smpl", "body",
        ("body_models/smpl/SMPL_*.pkl", "body_models/smpl/SMPL_*.npz", "body_models/smpl/basic*odel_*.pkl"),
        "SMPL bodies instead of the embedded one; figures comparable with papers",
        "https://smpl.is.tue.mpg.de (neutral of v1.0: https://smplify.is.tue.mpg.de)", REGISTRATION,
    ),
    Asset(
        "smplx", "body", ("body_models/smplx/SMPLX_*.npz", "body_models/smplx/SMPLX_*.pkl"),
        "SMPL-X bodies in fitting and residual-limb surfaces", "https://smpl-x.is.tue.mpg.de", REGISTRATION,
    ),
    Asset(
        "smpl-uv", "body", ("body_models/smpl_uv.obj", "body_models/smpl/smpl_uv.obj"),
        "textures on SMPL bodies", "https://smpl.is.tue.mpg.de", REGISTRATION,
    ),
    Asset(
        "j19", "body", ("body_models/SMPL_to_J19.*", "body_models/smpl/SMPL_to_J19.*"),
        "HMR2.0's own regressor for joints 25..43 of SMPL bodies: 3DPW and A3D protocols",
        "4D-Humans data package (https://github.com/shubham-goel/4D-Humans)", "with SMPL",
    ),
    Asset(
        "j-h36m", "body", ("J_regressor_h36m.npy", "body_models/J_regressor_h36m.npy"),
        "the 3DPW protocol of SPIN and BEDLAM",
        "SPIN data package (https://github.com/nkolot/SPIN)", "with SMPL",
    ),
    Asset(
        "mean-params", "body", ("body_models/smpl_mean_params.npz",),
        "start of the regressor as in HMR2.0; published checkpoints", "4D-Humans data package", "with SMPL",
    ),
    Asset(
        "amass", "data", ("amass/**/*.npz",),
        "motion-captured poses: tokenizers, generation", "https://amass.is.tue.mpg.de", REGISTRATION,
    ),
    Asset(
        "moyo", "data", ("moyo/**/*.npz", "moyo/**/*.pkl"),
        "yoga poses: tokenizers, generation", "https://moyo.is.tue.mpg.de", REGISTRATION,
    ),
    Asset(
        "a3d", "data", ("A3D_Dataset/*/annotation*", "A3D_Dataset/*/[Ii]mages"),
        "A3D as released: training, evaluation", "request form at https://chojinie.github.io/project_AJAHR/",
        "on request, research",
    ),
    Asset(
        "itw-amputee", "data", ("ITW_amputee/**/*.npz", "AJAHR_IDW/**/*.npz"),
        "evaluation on photographs of amputees", "authors of AJAHR", "on request, research",
    ),
    Asset(
        "3dpw", "data", ("3dpw/sequenceFiles/*/*.pkl", "3dpw_test.npz"),
        "evaluation: false amputations, MPJPE", "https://virtualhumans.mpi-inf.mpg.de/3DPW", REGISTRATION,
    ),
    Asset(
        "emdb", "data", ("emdb/P*/*/*_data.pkl", "emdb*.npz"),
        "evaluation: moving camera", "https://eth-ait.github.io/emdb", REGISTRATION,
    ),
    Asset(
        "3doh50k", "data", ("3doh50k/**/annots.json", "3DOH50K/**/annots.json"),
        "evaluation: occluded, not amputated",
        "authors of OOH (Zhang et al., CVPR 2020)", "research",
    ),
    Asset(
        "bedlam", "data", ("dataset_tars/bedlam/*/*.tar", "bedlam/*/*.tar"),
        "synthetic training people with limbs", "https://bedlam.is.tue.mpg.de", REGISTRATION,
    ),
    Asset(
        "bedlam-textures", "data", ("bedlam_textures/**/*.png", "bedlam_textures/**/*.jpg"),
        "A3D's skins and clothes instead of the procedural ones",
        "https://bedlam.is.tue.mpg.de", REGISTRATION,
    ),
    Asset(
        "h36m", "data", ("h36m/**/*.npz", "dataset_tars/h36m-train/*.tar"),
        "backgrounds and poses of A3D's Human3.6M part; training", "http://vision.imar.ro/human3.6m",
        REGISTRATION,
    ),
    Asset(
        "coco", "data", ("coco/annotations/person_keypoints_*.json",),
        "photographs and people for generation; 2D training", "https://cocodataset.org",
        "annotations CC BY 4.0, pictures by their owners",
    ),
    Asset(
        "mpii", "data", ("mpii/**/*.json", "mpii/**/*.mat"),
        "photographs and people for generation",
        "http://human-pose.mpi-inf.mpg.de", "non-commercial research",
    ),
    Asset(
        "ldpose", "data", ("ldpose/**/*.json",),
        "2D keypoints of people with limb loss: training, evaluation", "authors of LDPose (ICCV 2025)",
        "on request, research",
    ),
    Asset(
        "yolo11", "weights", ("checkpoints/yolo11*.pt",),
        "people found in any photograph", "https://github.com/ultralytics/assets/releases", "AGPL-3.0",
    ),
    Asset(
        "sam", "weights", ("checkpoints/sam_vit_*.pth",),
        "masks of people from their boxes",
        "https://github.com/facebookresearch/segment-anything", "Apache-2.0",
    ),
    Asset(
        "lama", "weights", ("checkpoints/big-lama*",),
        "people removed cleanly from photographs", "https://github.com/advimman/lama", "Apache-2.0",
    ),
    Asset(
        "vitpose", "weights", ("checkpoints/vitpose*", "vitpose-h-multi-coco.pth", "vitpose_backbone.pth"),
        "2D keypoints of any photograph; start of the backbone",
        "https://github.com/ViTAE-Transformer/ViTPose", "Apache-2.0",
    ),
    Asset(
        "hmr2", "weights", ("checkpoints/hmr2*", "logs/train/multiruns/hmr2/0/checkpoints/*.ckpt"),
        "HMR2.0 as baseline and start", "https://github.com/shubham-goel/4D-Humans", "MIT; needs SMPL",
    ),
    Asset(
        "tokenhmr", "weights", ("checkpoints/tokenizer.pth", "checkpoints/tokenhmr*.ckpt"),
        "TokenHMR as baseline, its tokenizer", "https://tokenhmr.is.tue.mpg.de", REGISTRATION,
    ),
    Asset(
        "ajahr", "weights", ("checkpoints/ajahr*.ckpt",),
        "the published AJAHR model", "https://chojinie.github.io/project_AJAHR/", "non-commercial research",
    ),
)  # fmt: skip
