"""Predictions drawn: labels on the crop, the predicted mesh over it, and the mesh from the side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from ajahr.anatomy import ABSENT_TABLE, BODY25, JOINT_LIMB, LIMBS, NUM_JOINTS, Limb, class_name
from ajahr.body.body import Body
from ajahr.data.batch import CROP_SIZE, Batch
from ajahr.data.hmr.collate import IMAGE_MEAN, IMAGE_STD
from ajahr.errors import UserError
from ajahr.geometry.cameras import Camera
from ajahr.models.outputs import RegressorOutput
from ajahr.models.regressor import Regressor
from ajahr.render.compositing import composite_over
from ajahr.render.contact_sheet import contact_sheet
from ajahr.render.overlay import LIMB_COLOURS, draw_mesh, draw_skeleton
from ajahr.render.rasterizer import Rasterizer
from ajahr.training.hmr_data import HmrDataModule
from ajahr.training.hmr_losses import absent_joints
from ajahr.training.hmr_validation import person_errors
from ajahr.training.interruption import run_folder

_FOCAL = 5000.0
_PAPER = (245, 245, 243)
_CELL = 208
_WHITENING = 0.45

Picture = UInt8[np.ndarray, "height width 3"]


class PredictionPainter:
    """Draws predictions of one body in their crops; limbs in `ajahr.render.overlay`'s colours."""

    def __init__(self, body: Body) -> None:
        data = body.data
        self._rasterizer = Rasterizer(data.faces, part_labels=data.part_labels)
        middle = CROP_SIZE / 2
        self._camera = Camera(CROP_SIZE, CROP_SIZE, _FOCAL, (middle, middle))
        limbs = np.array([JOINT_LIMB[joint] for joint in range(NUM_JOINTS)])[data.part_labels]
        colours = np.array([LIMB_COLOURS[int(limb)] for limb in limbs], np.float32)
        colours += _WHITENING * (255 - colours)
        self._tint = np.concatenate([colours, np.ones((len(colours), 1), np.float32)], 1)

    def over(
        self,
        crop: Picture,
        vertices: Float[np.ndarray, "vertices 3"],
        translation: Float[np.ndarray, "xyz=3"],
    ) -> Picture:
        """The mesh over its crop."""
        result = self._rasterizer.render(
            (vertices + translation).astype(np.float32), self._camera, vertex_tint=self._tint
        )
        return draw_mesh(crop, result, opacity=0.85)

    def aside(
        self, vertices: Float[np.ndarray, "vertices 3"], translation: Float[np.ndarray, "xyz=3"]
    ) -> Picture:
        """The mesh seen from its right, at the same distance, on paper."""
        middle = (vertices.min(0) + vertices.max(0)) / 2
        turned = (vertices - middle) @ np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
        place = np.array([0.0, 0.0, translation[2] + middle[2]])
        result = self._rasterizer.render(
            (turned + place).astype(np.float32), self._camera, vertex_tint=self._tint
        )
        return composite_over(np.full((CROP_SIZE, CROP_SIZE, 3), _PAPER, np.uint8), result)


def crop_picture(image: Float[Tensor, "3 height width"]) -> Picture:
    """RGB of a normalised crop."""
    mean, std = (image.new_tensor(v)[:, None, None] for v in (IMAGE_MEAN, IMAGE_STD))
    pixels = ((image * std + mean).clamp(0, 1) * 255).round()
    return pixels.permute(1, 2, 0).to("cpu", torch.uint8).numpy().copy()


@torch.no_grad()
def prediction_sheet(regressor: Regressor, batch: Batch, *, title: str) -> Picture:
    """Every person of a batch: labels, prediction over the crop, prediction from the side.

    Args:
        regressor: In evaluation mode, on the batch's device.
    """
    output = regressor(batch.image, batch.bpac_keypoints)
    table = torch.tensor(ABSENT_TABLE, device=batch.image.device)
    errors = person_errors(output, batch, regressor.body, absent_joints(batch.limb_levels, table))
    painter = PredictionPainter(regressor.body)
    pictures, captions = [], []
    for i in range(len(batch)):
        crop = crop_picture(batch.image[i])
        points = batch.keypoints_2d[i, : len(BODY25)].cpu().numpy()
        labelled = draw_skeleton(crop, (points[:, :2] + 0.5) * CROP_SIZE, BODY25, absent=points[:, 2] <= 0)
        vertices, place = output.vertices[i].cpu().numpy(), output.crop_translation[i].cpu().numpy()
        panels = [labelled, painter.over(crop, vertices, place), painter.aside(vertices, place)]
        pictures.append(np.concatenate(panels, 1))
        error = f"{float(errors.values[1, i]):.0f} mm" if bool(errors.measured[1, i]) else "-"
        captions.append(
            f"{batch.keys[i]}  PA-MPJPE {error}\nlabel: {_label(batch, i)}\nsaid: {_said(output, i)}"
        )
    return contact_sheet(
        pictures, captions, title=title, subtitle="labels, prediction, prediction from the side",
        cell=(3 * _CELL, _CELL), caption_lines=3,
    )  # fmt: skip


def _label(batch: Batch, i: int) -> str:
    levels = batch.limb_levels[i].tolist()
    if min(levels) < 0:
        return "unknown"
    return ", ".join(_name(limb, levels[limb]) for limb in LIMBS if levels[limb]) or "intact"


def _name(limb: Limb, level: int) -> str:
    return class_name(limb, level).replace("_", " ")


def _said(output: RegressorOutput, i: int) -> str:
    """Limb status with the probability of each loss, or of the least sure limb where nothing is lost."""
    levels = output.limb_levels[i].tolist()
    if output.limb_probabilities is None:
        return "nothing (no BPAC-Net)"
    sure = [round(100 * float(output.limb_probabilities[i, limb, levels[limb]])) for limb in LIMBS]
    lost = [f"{_name(limb, levels[limb])} {sure[limb]} %" for limb in LIMBS if levels[limb]]
    return ", ".join(lost) or f"intact {min(sure)} %"


class PredictionPictures(pl.Callback):
    """After each validation, ``predictions.png`` beside the run's logs, and on TensorBoard.

    Args:
        people: How many, spread over the validation data; the same ones every time.
        keep_all: One picture for each validation, named by its step, instead of the latest alone.
    """

    def __init__(self, people: int = 12, keep_all: bool = False) -> None:
        if people < 1:
            raise UserError(f"people is {people}; draw at least 1, or leave the pictures out")
        self.people, self.keep_all = people, keep_all
        self._examples: Batch | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        data, regressor = getattr(trainer, "datamodule", None), getattr(pl_module, "regressor", None)
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        folder = run_folder(trainer)
        if folder is None or not isinstance(data, HmrDataModule) or not isinstance(regressor, Regressor):
            return
        self._examples = self._examples or data.examples(self.people)
        step = trainer.global_step
        regressor.eval()  # Lightning has it so here, and puts it back
        sheet = prediction_sheet(
            regressor, self._examples.to(pl_module.device), title=f"Predictions after {step} steps"
        )
        name = f"predictions_{step:07d}.png" if self.keep_all else "predictions.png"
        save_png(sheet, folder / name)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("predictions", sheet, step, dataformats="HWC")


def save_png(picture: Picture, path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(picture).save(part, format="PNG")
    part.replace(path)
