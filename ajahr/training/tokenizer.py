"""What a tokenizer's training adds to `tokenizer.module`: pictures of reconstructions, and the run's curves.

The body that the loss sees is `ajahr.training.pose_mesh.PoseMesh`; the YAML passes it in.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ajahr.data.pose_banks.limb_levels import level_names, levels_of
from ajahr.geometry.cameras import Camera
from ajahr.render.compositing import composite_over
from ajahr.render.contact_sheet import save_contact_sheet
from ajahr.render.rasterizer import Rasterizer
from ajahr.training.pose_mesh import PoseMesh
from tokenizer.banks import PoseBank
from tokenizer.datamodule import PoseDataModule
from tokenizer.losses import position_error_mm
from tokenizer.rotations import rotmat_to_rot6d, zero_absent_joints
from tokenizer.vqvae import PoseTokenizer

_SIZE, _FOCAL, _DISTANCE = 224, 520.0, 5.2
_CLAY, _OURS, _PAPER = (196, 186, 172), (126, 170, 214), (245, 245, 243)


class PosePainter:
    """Draws meshes of one body, facing the camera.

    Args:
        body: Of all vertices.
    """

    def __init__(self, body: PoseMesh) -> None:
        data = body.body.data
        self._rasterizer = Rasterizer(data.faces, part_labels=data.part_labels)
        self._camera = Camera(_SIZE, _SIZE, _FOCAL, (_SIZE / 2, _SIZE / 2))

    def draw(
        self, vertices: Float[Tensor, "vertices 3"], colour: tuple[int, int, int]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """One mesh in one colour."""
        v = vertices.detach().cpu().numpy()
        middle = (v.min(0) + v.max(0)) / 2
        in_camera = (v - middle) * np.array([1, -1, -1]) + np.array([0, 0, _DISTANCE])
        tint = np.tile(np.array([*colour, 1], np.float32), (len(v), 1))
        result = self._rasterizer.render(in_camera.astype(np.float32), self._camera, vertex_tint=tint)
        return composite_over(np.full((_SIZE, _SIZE, 3), _PAPER, np.uint8), result)


@torch.no_grad()
def reconstruction_sheet(
    tokenizer: PoseTokenizer,
    body: PoseMesh,
    banks: list[PoseBank],
    path: str | Path,
    *,
    poses: int = 12,
    title: str = "Reconstructions",
) -> Path:
    """A PNG of poses (left) beside what the tokenizer makes of them (right), absent joints zeroed in both.

    Args:
        tokenizer: In evaluation mode, on the CPU.
        body: Of all vertices, on the CPU.
        banks: The poses are spread evenly over each.
        poses: How many altogether.
    """
    painter, pictures, captions = PosePainter(body), [], []
    shares = np.array_split(np.arange(poses), len(banks))
    for bank, share in zip(banks, shares, strict=True):
        if not len(share):
            continue
        rows = np.linspace(0, len(bank) - 1, len(share)).astype(int)
        truth, absent = bank.rotmats(rows), bank.absent(rows)
        ours = tokenizer(rotmat_to_rot6d(truth)).rotmats
        errors = position_error_mm(body(ours)[1], body(truth)[1])
        levels = levels_of(absent.numpy())
        left, right = (body(zero_absent_joints(rotmats, absent))[0] for rotmats in (truth, ours))
        for i in range(len(rows)):
            pair = [painter.draw(left[i], _CLAY), painter.draw(right[i], _OURS)]
            pictures.append(np.concatenate(pair, axis=1))
            captions.append(f"{level_names(levels[i])}\nMPJPE {float(errors[i]):.1f} mm")
    subtitle = "left: pose, right: encoded and decoded; absent limbs are taken off after decoding"
    return save_contact_sheet(
        path, pictures, captions, title=title, subtitle=subtitle, cell=(2 * _SIZE, _SIZE)
    )


def _log_folder(trainer: pl.Trainer) -> Path | None:
    """Where the run logs; without a logger Lightning names the working directory, which nobody asked for."""
    return Path(trainer.log_dir) if trainer.loggers and trainer.log_dir is not None else None


class ReconstructionPictures(pl.Callback):
    """After each validation, ``reconstructions.png`` beside the run's logs: validation poses and ours.

    Args:
        body: An SMPL-format file to draw with; None for the embedded body.
        poses: How many.
        keep_all: One picture for each validation, named by its step, instead of the latest alone.
    """

    def __init__(self, body: Path | None = None, poses: int = 12, keep_all: bool = False) -> None:
        self.body, self.poses, self.keep_all = body, poses, keep_all
        self._mesh: PoseMesh | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        folder = _log_folder(trainer)
        if trainer.sanity_checking or not trainer.is_global_zero or folder is None:
            return
        data, tokenizer = getattr(trainer, "datamodule", None), getattr(pl_module, "tokenizer", None)
        if not isinstance(data, PoseDataModule) or not isinstance(tokenizer, PoseTokenizer):
            return
        banks = list(dict.fromkeys(bank for bank, _ in data.val_dataloader().batches))
        if not banks:
            return
        self._mesh = self._mesh or PoseMesh(self.body)
        step = trainer.global_step
        name = f"reconstructions_{step:07d}.png" if self.keep_all else "reconstructions.png"
        # a copy: moving the module itself to the CPU would take its parameters from the optimiser
        copy = PoseTokenizer(tokenizer.config)
        copy.load_state_dict({k: v.detach().cpu() for k, v in tokenizer.state_dict().items()})
        reconstruction_sheet(
            copy.eval(), self._mesh, banks, folder / name, poses=self.poses,
            title=f"Reconstructions after {step} steps",
        )  # fmt: skip


class Curves(pl.Callback):
    """After the run, ``curves.png`` out of the CSV log: losses, errors, use of the codebook."""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        folder = _log_folder(trainer)
        if not trainer.is_global_zero or folder is None:
            return
        metrics = folder / "metrics.csv"
        if metrics.is_file():
            from ajahr.training.curves import draw_curves

            draw_curves(metrics, metrics.with_name("curves.png"))
