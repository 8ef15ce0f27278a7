from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fake_dataset import write_dataset
from hmr_runs import spec, write_tokenizers
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.data.hmr.collate import normalise
from ajahr.errors import UserError
from ajahr.geometry.cameras import crop_translation
from ajahr.training.hmr_data import DatasetSpec, HmrDataModule
from ajahr.training.hmr_module import HmrModule
from ajahr.training.hmr_pictures import PredictionPainter, PredictionPictures, crop_picture, prediction_sheet

UPRIGHT = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])


def test_the_mesh_lies_where_the_crop_camera_has_it() -> None:
    body = Body(load_body())
    pose = torch.eye(3).repeat(1, 24, 1, 1)
    pose[:, 0] = UPRIGHT
    absent = torch.zeros(1, 24, dtype=torch.bool)
    absent[0, [4, 7, 10]] = True  # left knee and below
    painter, grey = PredictionPainter(body), np.full((256, 256, 3), 90, np.uint8)
    place = crop_translation(torch.tensor([[0.9, 0.0, 0.35]]))[0].numpy()
    drawn = {}
    for name, lost in (("whole", None), ("cut", absent)):
        vertices = body(torch.zeros(1, 10), pose, lost).vertices[0].numpy()
        picture = painter.over(grey, vertices, place)
        drawn[name] = (np.abs(picture.astype(int) - 90) > 6).any(-1)
        side = (painter.aside(vertices, place) != (245, 245, 243)).any(-1)
        rows, columns = np.nonzero(side)
        assert np.ptp(columns) < 0.5 * np.ptp(rows)  # thinner from the side than it is tall
    rows, columns = np.nonzero(drawn["whole"])
    assert abs(columns.mean() - 128) < 3 and 0.6 * 256 < np.ptp(rows) < 256
    gone = drawn["whole"] & ~drawn["cut"]
    assert gone.sum() > 200 and np.nonzero(gone)[1].min() > 128  # the person's left is the viewer's right
    assert not (drawn["cut"] & ~drawn["whole"])[: rows.max() - 5].any()


def test_the_crop_comes_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
    assert np.array_equal(crop_picture(normalise(torch.from_numpy(pixels))[0]), pixels[0])


@pytest.fixture
def trainer_and_module(tmp_path: Path):
    write_dataset(tmp_path / "ds", shards=1)
    data = HmrDataModule(validation=[DatasetSpec("shards", {"folder": str(tmp_path / "ds")})], workers=0)
    data.setup("validate")
    loggers = [CSVLogger(tmp_path, name=""), TensorBoardLogger(tmp_path, name="", version=0)]
    trainer = pl.Trainer(logger=loggers, accelerator="cpu", enable_progress_bar=False)
    trainer.datamodule = data
    trainer.state.fn = "fit"
    torch.manual_seed(0)
    module = HmrModule(spec(), write_tokenizers(tmp_path))
    module.configure_model()
    return trainer, module.eval()


def test_callback_writes_and_logs(trainer_and_module, tmp_path: Path) -> None:
    trainer, module = trainer_and_module
    PredictionPictures(people=2).on_validation_end(trainer, module)
    PredictionPictures(people=4, keep_all=True).on_validation_end(trainer, module)
    latest = np.array(Image.open(tmp_path / "version_0" / "predictions.png"))
    many = np.array(Image.open(tmp_path / "version_0" / "predictions_0000000.png"))
    assert latest.std() > 5 and many.size > latest.size
    trainer.loggers[1].finalize("success")
    events = next((tmp_path / "version_0").glob("events*"))
    assert b"predictions" in events.read_bytes()


def test_sheet_is_of_this_regressor(trainer_and_module) -> None:
    trainer, module = trainer_and_module
    batch = trainer.datamodule.examples(2)
    before = prediction_sheet(module.regressor, batch, title="x")
    assert np.array_equal(before, prediction_sheet(module.regressor, batch, title="x"))
    with torch.no_grad():
        module.regressor.mean_betas += 1.0
    assert not np.array_equal(before, prediction_sheet(module.regressor, batch, title="x"))
    batch.limb_levels[:] = -1
    prediction_sheet(module.regressor, batch, title="x")


def test_nobody_to_draw() -> None:
    with pytest.raises(UserError, match="at least 1"):
        PredictionPictures(people=0)
