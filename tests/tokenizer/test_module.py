from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn

from tokenizer.banks import write_bank
from tokenizer.config import TokenizerConfig
from tokenizer.datamodule import BankSpec, PoseBatch, PoseDataModule
from tokenizer.errors import InputError
from tokenizer.losses import LossWeights, area_vertex_weights
from tokenizer.module import TokenizerModule, load_trained, may_fuse
from tokenizer.rotations import geodesic_angle, rotmat_to_rot6d
from tokenizer.sampling import PartNoise

# pytorch-lightning 2.6 with torch 2.15; the deprecated call is Lightning's own
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

BODILESS = LossWeights(joints=0.0, vertices=0.0)


class ToyBody(nn.Module):
    """A joint is its own bone turned; a vertex lies at every joint and at three times every joint."""

    faces: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bone", torch.tensor([0.1, 0.2, 0.3]))
        self.register_buffer("faces", torch.tensor([[0, 1, 2], [2, 3, 30]], dtype=torch.int32))

    def forward(self, rotmats: Tensor) -> tuple[Tensor, Tensor]:
        joints = rotmats @ self.bone
        return torch.cat((joints, 3 * joints), 1), joints


@pytest.fixture
def data(tmp_path: Path, make_rotvecs):
    """Builds the same data module every time: 40 intact and 20 amputee poses."""
    absent = np.zeros((20, 21), bool)
    absent[:, [18, 20]] = True
    write_bank(tmp_path / "intact.npz", make_rotvecs(40))
    write_bank(tmp_path / "amputee.npz", make_rotvecs(20, seed=1), absent)
    intact, amputee = [BankSpec(tmp_path / "intact.npz")], [BankSpec(tmp_path / "amputee.npz")]
    noise = PartNoise([[0, 3]], [0], [0.1])
    return lambda: PoseDataModule(intact, amputee, intact + amputee, batch_size=8, noise=noise)


def _trainer(folder: Path, max_steps: int, **options) -> pl.Trainer:
    settings = {
        "accelerator": "cpu",
        "logger": CSVLogger(folder, name="log"),
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "log_every_n_steps": 1,
        "limit_val_batches": 0,
    }
    return pl.Trainer(max_steps=max_steps, **(settings | options))


class Losses(pl.Callback):
    """The bytes of every training loss."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
        self.seen.append(outputs["loss"].numpy().tobytes())


def _module(tiny: TokenizerConfig, **options) -> TokenizerModule:
    torch.manual_seed(0)
    return TokenizerModule(tiny, **({"mesh_fn": ToyBody(), "milestones": [3]} | options))


@pytest.mark.parametrize("stop", ["ended", "killed"])
def test_two_steps_save_resume_same_losses(tmp_path: Path, tiny: TokenizerConfig, data, stop: str) -> None:
    straight = Losses()
    _trainer(tmp_path, 5, callbacks=[straight]).fit(_module(tiny), data())
    head, tail, path = Losses(), Losses(), tmp_path / "two.ckpt"

    class SaveAtTwo(pl.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
            if trainer.global_step == 2:
                trainer.save_checkpoint(path)

    steps = 2 if stop == "ended" else 4
    _trainer(tmp_path, steps, callbacks=[head, SaveAtTwo()]).fit(_module(tiny), data())
    torch.manual_seed(77)  # a resumed process has other random numbers
    resumed = _module(tiny, learning_rate=9.0)  # overwritten by the checkpoint's
    _trainer(tmp_path, 5, callbacks=[tail]).fit(resumed, data(), ckpt_path=path, weights_only=True)
    assert len(straight.seen) == 5 and len(set(straight.seen)) == 5
    assert head.seen[:2] + tail.seen == straight.seen


def test_overfits_one_batch(tiny: TokenizerConfig, make_rotmats) -> None:
    module = _module(tiny)
    module.trainer = None
    rotmats = make_rotmats(4)
    batch = PoseBatch(rotmats, rotmat_to_rot6d(rotmats), torch.zeros(4, 21, dtype=torch.bool))
    optimizer = torch.optim.AdamW(module.parameters(), 2e-3)
    losses = []
    for _ in range(150):
        _, terms, _, _ = module._reconstruct(batch)
        optimizer.zero_grad()
        terms.total.backward()
        optimizer.step()
        losses.append(terms.pose.item())
    module.eval()
    error = geodesic_angle(module.tokenizer.decode(module.tokenizer.encode(rotmats)), rotmats)
    assert error.rad2deg().mean() < 10  # from 90
    assert losses[-1] < losses[0] / 40


def test_validation_measures_every_pose(tmp_path: Path, tiny: TokenizerConfig, data) -> None:
    module = _module(tiny)
    module.tokenizer.quantizer.set_codebook(torch.randn(48, 32) / 10)
    banks = data()
    banks.batch_size = 7  # uneven last batches
    (metrics,) = _trainer(tmp_path, 1, limit_val_batches=1.0).validate(module, banks, verbose=False)

    banks.batch_size = 100
    body, poses = ToyBody(), torch.cat([batch.rotmats for batch in banks.val_dataloader()])
    decoded = module.tokenizer.decode(module.tokenizer.encode(poses))
    (vertices, joints), (true_vertices, true_joints) = body(decoded), body(poses)
    joint_error = (joints - true_joints).norm(dim=-1).mean(1) * 1000
    vertex_error = (vertices - true_vertices).norm(dim=-1).mean(1) * 1000
    used = module.tokenizer.encode(poses).unique()
    expected = {
        "val/mpjpe_mm": joint_error.mean(),
        "val/mve_mm": vertex_error.mean(),
        "val/mpjpe_mm_intact": joint_error[:40].mean(),
        "val/mve_mm_amputee": vertex_error[40:].mean(),
        "val/score": (joint_error + vertex_error).mean(),
        "val/dead_codes": torch.tensor(1 - len(used) / 48),
    }
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value.item(), rel=1e-4), name


def test_training_logs_its_terms(tmp_path: Path, tiny: TokenizerConfig, data) -> None:
    trainer = _trainer(tmp_path, 1)
    trainer.fit(_module(tiny), data())
    metrics = trainer.logged_metrics
    weights = LossWeights()
    total = sum(
        getattr(weights, name) * metrics[f"train/{name}"]
        for name in ("pose", "joints", "vertices", "codebook", "commitment")
    )
    assert metrics["train/total"].item() == pytest.approx(float(total), rel=1e-5)
    assert 1 <= metrics["train/perplexity"] <= 48 and 0 <= metrics["train/dead_codes"] <= 1


def test_learning_rate_falls_at_its_milestones(tmp_path: Path, tiny: TokenizerConfig, data) -> None:
    """Upstream's milestones are strings, so its rate never falls, and its warm-up leaves it at two thirds."""
    rates = []

    class Rates(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    _trainer(tmp_path, 5, callbacks=[Rates()]).fit(_module(tiny, milestones=[1, 4], gamma=0.1), data())
    assert rates == pytest.approx([2e-4, 2e-5, 2e-5, 2e-5, 2e-6])
    warmed = _module(tiny, milestones=[], warmup_steps=3)
    assert [warmed.learning_rate_factor(step) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]


def test_codebook_freezes_when_told_to(tmp_path: Path, tiny: TokenizerConfig, data) -> None:
    updates = {}
    for freeze in (None, 2):
        module = _module(tiny, freeze_codebook_after=freeze)
        _trainer(tmp_path, 4).fit(module, data())
        updates[freeze] = int(module.tokenizer.quantizer.num_updates)
    assert updates == {None: 4, 2: 2}


def test_area_weights_change_the_vertex_loss_alone(tiny: TokenizerConfig, rotmats: Tensor) -> None:
    batch = PoseBatch(rotmats, rotmat_to_rot6d(rotmats), torch.zeros(6, 21, dtype=torch.bool))
    weighted_loss = dataclasses.replace(LossWeights(), area_weighted_vertices=True)
    plain, weighted = (
        _module(tiny, loss=loss).eval()._reconstruct(batch) for loss in (LossWeights(), weighted_loss)
    )
    assert weighted[1].joints == plain[1].joints
    body = ToyBody()
    rest, _ = body(torch.eye(3).expand(1, 21, 3, 3))
    mesh, target = weighted[2], weighted[3]
    assert mesh is not None and target is not None
    squares = (mesh.vertices - target.vertices).square()
    expected = (squares * area_vertex_weights(rest[0], body.faces)[:, None]).mean()
    torch.testing.assert_close(weighted[1].vertices, expected)


def test_the_body_stays_out_of_checkpoints_and_follows_the_module(tiny: TokenizerConfig) -> None:
    module = _module(tiny)
    assert all(name.startswith("tokenizer.") for name in module.state_dict())
    module.double()
    assert isinstance(module.mesh_fn, ToyBody) and module.mesh_fn.bone.dtype == torch.float64


def test_without_a_body_rotations_alone_are_learned(tmp_path: Path, tiny: TokenizerConfig, data) -> None:
    with pytest.raises(InputError, match="give mesh_fn"):
        TokenizerModule(tiny)
    trainer = _trainer(tmp_path, 1, limit_val_batches=1)
    trainer.fit(_module(tiny, mesh_fn=None, loss=BODILESS), data())
    (metrics,) = trainer.validate(_module(tiny, mesh_fn=None, loss=BODILESS), data(), verbose=False)
    assert metrics["val/score"] == metrics["val/rotation_deg"] and "val/mpjpe_mm" not in metrics


def test_checkpoints_load_as_tokenizers_and_only_into_their_own_shape(
    tmp_path: Path, tiny: TokenizerConfig, data
) -> None:
    module = _module(tiny)
    trainer = _trainer(tmp_path, 1)
    trainer.fit(module, data())
    path = tmp_path / "one.ckpt"
    trainer.save_checkpoint(path)
    loaded, state = load_trained(path), module.tokenizer.state_dict()
    assert not loaded.training
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    larger = dataclasses.replace(tiny, num_tokens=80)
    with pytest.raises(InputError, match=r"num_tokens 40 \(config: 80\)"):
        _trainer(tmp_path, 2).fit(_module(larger), data(), ckpt_path=path, weights_only=True)
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="not one of a pose tokenizer"):
        load_trained(tmp_path / "other.ckpt")


class Norms(pl.Callback):
    """Of the gradients a step was taken with."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        grads = [p.grad for p in pl_module.parameters() if p.grad is not None]
        self.seen.append(float(torch.nn.utils.get_total_norm(grads)))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_fused_optimiser_steps_with_clipped_gradients(
    tmp_path: Path, tiny: TokenizerConfig, data, precision: str
) -> None:
    """Lightning refuses to clip the gradients of a fused optimiser in mixed precision."""
    losses, norms = Losses(), Norms()
    trainer = _trainer(tmp_path, 2, precision=precision, gradient_clip_val=1e-3, callbacks=[losses, norms])
    assert may_fuse(trainer)
    trainer.fit(_module(tiny), data())
    assert trainer.optimizers[0].defaults["fused"]
    assert norms.seen == pytest.approx([1e-3] * 2, rel=1e-3)
    assert (
        len(losses.seen) == 2 and np.isfinite([np.frombuffer(one, np.float32) for one in losses.seen]).all()
    )


def test_float16_unscales_before_it_clips() -> None:
    trainer = pl.Trainer(logger=False, gradient_clip_val=1.0, accelerator="cpu")
    trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu")
    assert not may_fuse(trainer)
