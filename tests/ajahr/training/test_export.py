from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hmr_batches import random_batch
from hmr_runs import spec, write_tokenizers
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.model import load_keypoints
from ajahr.models.pretrained import load_pretrained
from ajahr.training.export import ExportPretrained, export
from ajahr.training.hmr_module import HmrModule
from ajahr.training.keypoints_module import KeypointModule


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    module = HmrModule(spec(), write_tokenizers(folder))
    module.configure_model()
    module.regressor.bpac.temperature.fill_(1.7)
    checkpoint: dict = {"state_dict": dict(module.state_dict())}
    module.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "best.ckpt")
    return folder, module.eval()


@torch.no_grad()
def test_what_is_exported_predicts_the_same(run, tmp_path: Path) -> None:
    folder, module = run
    batch = random_batch(2, image=256)
    ours = load_pretrained(export(folder / "best.ckpt", tmp_path / "out"))
    a, b = ours(batch.image, batch.bpac_keypoints), module(batch)
    assert torch.equal(a.vertices, b.vertices) and torch.equal(a.limb_probabilities, b.limb_probabilities)


def test_best_and_last(run, tmp_path: Path) -> None:
    folder, module = run
    best = module.regressor.mean_betas.clone()
    module.regressor.mean_betas += 1  # trained on since
    for which, expected in (("best", best), ("last", best + 1)):
        callback = ModelCheckpoint()
        callback.best_model_path = str(folder / "best.ckpt")
        logger = CSVLogger(tmp_path, name=which, version=0)
        trainer = pl.Trainer(
            logger=logger, callbacks=[callback], accelerator="cpu", enable_progress_bar=False
        )
        ExportPretrained(which).on_fit_end(trainer, module)
        assert torch.equal(
            load_pretrained(tmp_path / which / "version_0" / "pretrained").mean_betas, expected
        )
    module.regressor.mean_betas -= 1


def test_a_keypoint_model(tmp_path: Path) -> None:
    module = KeypointModule(KeypointConfig("vit_tiny_stem"))
    trainer = pl.Trainer(
        logger=CSVLogger(tmp_path, name="k", version=0), accelerator="cpu", enable_progress_bar=False
    )
    ExportPretrained("last").on_fit_end(trainer, module)
    found = load_keypoints(tmp_path / "k" / "version_0" / "pretrained").state_dict()
    assert all(torch.equal(value, found[name]) for name, value in module.model.state_dict().items())


def test_other_checkpoints(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "none.ckpt")
    with pytest.raises(UserError, match="not one of a regressor"):
        export(tmp_path / "none.ckpt", tmp_path / "out")
    assert not (tmp_path / "out").exists()
