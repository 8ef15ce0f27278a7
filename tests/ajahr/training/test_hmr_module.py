from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hmr_batches import random_batch
from hmr_runs import TOKENIZER, smallest, spec, write_run, write_tokenizers
from torch import Tensor

from ajahr.anatomy import ABSENT_TABLE, J44
from ajahr.cli.main import main
from ajahr.data.batch import Batch
from ajahr.errors import UserError
from ajahr.geometry.cameras import crop_translation, project_crop
from ajahr.geometry.rotations import rot6d_to_rotmat, rotvec_to_rotmat
from ajahr.models.config import BackboneConfig
from ajahr.training.hmr_data import HmrDataModule
from ajahr.training.hmr_losses import LossConfig, absent_joints
from ajahr.training.hmr_model import ModelSpec
from ajahr.training.hmr_module import HmrModule, load_trained, parameter_groups
from ajahr.training.residual_validation import ResidualMeter

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start.*"),
]
HEADS = [
    ("ajahr", True), ("ajahr", False), ("tokenhmr", True), ("tokenhmr", False), ("hmr2", True), ("hmr2", False),
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_tokenizers(tmp_path_factory.mktemp("tokenizers"), "amputee", "intact", "single")


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def build(tokenizers: dict[str, Path], pose_head: str = "ajahr", bpac: bool = True, **options) -> HmrModule:
    torch.manual_seed(0)
    changes = options.pop("config", {})
    module = HmrModule(spec(pose_head=pose_head, bpac=bpac, **changes), tokenizers, **options)
    module.configure_model()
    return module.train()


def people(module: HmrModule, count: int = 4) -> Batch:
    """A batch that somebody could be: labels are of one body, in a pose the tokenizers know, in one camera."""
    batch = random_batch(count, image=256)
    g = torch.Generator().manual_seed(1)
    batch.pose_rotmat = rotvec_to_rotmat(0.2 * torch.randn(count, 24, 3, generator=g))
    batch.limb_levels[0] = 0
    switch = module.regressor.switch
    if switch is not None:
        logits = 20 * torch.randn(count, TOKENIZER.num_tokens, TOKENIZER.num_codes, generator=g)
        batch.pose_rotmat[:, 1:22] = rot6d_to_rotmat(switch(logits, (batch.limb_levels > 0).any(1)))
    absent = absent_joints(batch.limb_levels, torch.tensor(ABSENT_TABLE))
    points = module.body(batch.betas, batch.pose_rotmat, absent).keypoints_44
    translation = crop_translation(torch.tensor([0.9, 0.0, 0.1]).expand(count, 3))
    ones = torch.ones(count, 44, 1)
    batch.keypoints_3d = torch.cat([points + translation[:, None], ones], -1)
    seen = (~absent[:, list(J44.anchors)]).float()[..., None]
    batch.keypoints_2d = torch.cat([project_crop(points + translation[:, None]), seen], -1)
    return batch


def step(module: HmrModule, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
    terms = module.loss(module.training_output(batch), batch)
    optimizer.zero_grad()
    terms.total.backward()
    optimizer.step()
    return terms.total.detach()


# ------------------------------------------------------------------------------------------- learning


def test_overfits_one_batch(tokenizers: dict[str, Path]) -> None:
    loss = LossConfig(body_pose=0.05, global_orient=0.05, classification=1.0)
    module = build(tokenizers, learning_rate=0.01, weight_decay=0.0, loss=loss)
    batch = people(module)
    optimizer = module.configure_optimizers()["optimizer"]
    first = float(step(module, optimizer, batch))
    for _ in range(70):
        last = float(step(module, optimizer, batch))
    assert last < 0.02 * first
    output = module.eval()(batch)
    assert torch.equal(output.limb_levels, batch.limb_levels)


def test_overfits_the_ends_of_residual_limbs(tokenizers: dict[str, Path]) -> None:
    """Means and standard deviations both, and the stated ones are calibrated by a validation."""
    module = build(
        tokenizers,
        learning_rate=0.01,
        weight_decay=0.0,
        loss=LossConfig(residual=1.0),
        config={"residual_head": True},
    )
    batch = people(module)
    known = torch.isfinite(batch.residual)
    batch.residual[known] = torch.linspace(0.1, 0.9, int(known.sum()))
    optimizer = module.configure_optimizers()["optimizer"]
    for _ in range(70):
        step(module, optimizer, batch)
    with torch.no_grad():
        output = module.training_output(batch)
    assert output.residual_lambda is not None and output.residual_std is not None
    assert float((output.residual_lambda - batch.residual)[known].abs().mean()) < 0.02
    assert float(output.residual_std[known].mean()) < 0.1
    meter = ResidualMeter("cpu")
    meter.add(output, batch, module.body)
    scales = meter.std_scales()
    module.regressor.residual_head.std_scale.copy_(scales)
    with torch.no_grad():
        again = module.training_output(batch)
    torch.testing.assert_close(again.residual_std, again.residual_log_std.exp() * scales)


@pytest.mark.parametrize(("pose_head", "bpac"), HEADS)
def test_every_parameter_that_learns_gets_a_gradient(
    tokenizers: dict[str, Path], pose_head: str, bpac: bool
) -> None:
    """What DDP asks for; and the frozen tokenizers stay as they are."""
    for attends, ends in ((True, True), (True, False), (False, True), (False, False)):
        changes = {"bpac_cross_attention": attends, "residual_head": ends}
        module = build(tokenizers, pose_head, bpac, config=changes)
        before = {k: v.clone() for k, v in module.regressor.state_dict().items()}
        optimizer = module.configure_optimizers()["optimizer"]
        step(module, optimizer, people(module))
        dead = [n for n, p in module.regressor.named_parameters() if p.requires_grad and p.grad is None]
        assert dead == []
        for name, value in module.regressor.state_dict().items():
            if name.startswith("switch."):
                assert torch.equal(value, before[name])


def test_half_precision_is_close(tokenizers: dict[str, Path]) -> None:
    module = build(tokenizers)
    batch = people(module)
    with torch.no_grad():
        full = module.loss(module.training_output(batch), batch).total
    with torch.autocast("cpu", torch.bfloat16):
        half = module.loss(module.training_output(batch), batch).total
    half.backward()
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.detach(), full, rtol=0.03, atol=0.0)
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)


# ------------------------------------------------------------------------------------------- settings


def test_what_partial_fine_tuning_trains(tokenizers: dict[str, Path]) -> None:
    deep = smallest(backbone=BackboneConfig(32, 6, 2, drop_path=0.5))
    deep = replace(deep, decoder=replace(deep.decoder, depth=3))

    def learning(part: str) -> set[str]:
        module = HmrModule(ModelSpec(whole=deep), tokenizers, fine_tune=part)
        module.configure_model()
        module.train()
        assert module.regressor.backbone.vit.blocks[0].training == (part == "all")
        return {n for n, p in module.regressor.named_parameters() if p.requires_grad}

    everything, partial = learning("all"), learning("partial")
    frozen = everything - partial
    assert {n.split(".")[0] for n in frozen} == {"backbone", "decoder"}
    blocks = {n.split(".")[3] for n in frozen if n.startswith("backbone.vit.blocks")}
    assert blocks == {"0", "1"}  # the last four of six learn
    assert not any("patch_embed" in n or "pos_embed" in n for n in frozen)
    assert any(n.startswith("decoder.layers.0") for n in frozen)
    assert not any(n.startswith(("decoder.layers.1", "decoder.layers.2")) for n in frozen)
    assert {n.split(".")[0] for n in everything - learning("heads")} == {"backbone"}
    assert {n.split(".")[0] for n in learning("bpac")} == {"bpac"}


def test_weight_decay_may_spare_vectors(tokenizers: dict[str, Path]) -> None:
    regressor = build(tokenizers).regressor
    (everything,) = parameter_groups(regressor, 0.1, everything=True)
    decayed, spared = parameter_groups(regressor, 0.1, everything=False)
    assert everything["weight_decay"] == decayed["weight_decay"] == 0.1 and spared["weight_decay"] == 0
    assert all(p.ndim <= 1 for p in spared["params"]) and spared["params"]
    assert len(everything["params"]) == len(decayed["params"]) + len(spared["params"])
    groups = build(tokenizers, decay_norms_and_biases=False).configure_optimizers()["optimizer"].param_groups
    assert len(groups) == 2


def test_optimiser_settings_arrive(tokenizers: dict[str, Path]) -> None:
    module = build(tokenizers, learning_rate=0.02, betas=(0.8, 0.9), weight_decay=0.3)
    group = module.configure_optimizers()["optimizer"].param_groups[0]
    assert (group["initial_lr"], group["betas"], group["weight_decay"]) == (0.02, (0.8, 0.9), 0.3)
    paper = HmrModule()
    assert (paper.learning_rate, paper.weight_decay, paper.spec.preset) == (5e-6, 1e-4, "paper")


def test_schedules(tokenizers: dict[str, Path]) -> None:
    module = build(tokenizers, warmup_steps=4)
    assert [module.learning_rate_factor(s) for s in (0, 1, 3, 4, 10**6)] == [0.2, 0.4, 0.8, 1.0, 1.0]
    module = build(tokenizers, warmup_steps=9, schedule="cosine")
    module.trainer = pl.Trainer(max_steps=109, logger=False, enable_checkpointing=False, accelerator="cpu")
    factors = [module.learning_rate_factor(s) for s in range(112)]
    assert factors[0] == 0.1 and max(factors) == factors[9] == 1.0
    assert factors[59] == pytest.approx(0.505) and factors[109] == factors[111] == pytest.approx(0.01)
    module.trainer = pl.Trainer(max_steps=-1, max_epochs=1, logger=False, enable_checkpointing=False,
                                accelerator="cpu")  # fmt: skip
    with pytest.raises(UserError, match="max_steps"):
        module.learning_rate_factor(3)


@torch.no_grad()
def test_labels_may_choose_the_tokenizer_at_first(tokenizers: dict[str, Path]) -> None:
    module = build(tokenizers, label_switch_steps=1).eval()
    batch = people(module)
    labels = (batch.limb_levels > 0).any(1)
    assert torch.equal(module.training_output(batch).amputee, labels)
    module.label_switch_steps = 0
    own = module.training_output(batch)
    said = (own.limb_logits.argmax(-1) > 0).any(1)
    assert torch.equal(own.amputee, said) and not torch.equal(said, labels)
    assert torch.equal(own.limb_levels, batch.limb_levels)  # what is off is the label's, always
    batch.limb_levels[1:] = -1
    assert (module.training_output(batch).limb_levels[1:] == 0).all()  # unknown limbs are drawn


# -------------------------------------------------------------------------------------- whole runs


def test_validation_calibrates_and_logs(
    tokenizers: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_run(tmp_path, max_steps=2, val_check_interval=1)
    argv = ["fit", "--config", str(config), "--output", str(tmp_path / "run")]
    assert main(argv) == 0
    run = tmp_path / "run" / "version_0"
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/total", "train/classification", "val/score", "val/mve_mm", "val/pa_mpjpe_mm_amputee",
            "val/limb_f1", "val/hallucinated_limb_rate"} <= set(header)  # fmt: skip
    trained = load_trained(run / "checkpoints" / "last.ckpt")
    assert (trained.bpac.temperature != 1).any() and not trained.training
    assert main([*argv, "--model.init_args.calibrate=false"]) == 0
    plain = load_trained(tmp_path / "run" / "version_1" / "checkpoints" / "last.ckpt")
    assert (plain.bpac.temperature == 1).all()
    assert torch.equal(plain.backbone.vit.pos_embed, trained.backbone.vit.pos_embed)

    assert main([*argv, "--model.init_args.seed=7", "--model.init_args.calibrate=false"]) == 0
    other = load_trained(tmp_path / "run" / "version_2" / "checkpoints" / "last.ckpt")
    assert not torch.equal(plain.backbone.vit.pos_embed, other.backbone.vit.pos_embed)  # other blocks dropped


def test_a_checkpoint_needs_neither_first_weights_nor_tokenizers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_run(tmp_path, max_steps=1, val_check_interval=1)
    argv = ["fit", "--config", str(config), "--output", str(tmp_path / "run")]
    assert main(argv) == 0
    last = str(tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt")
    bare = ["--model.init_args.first.regressor=nowhere", "--model.init_args.tokenizers=null"]
    assert main([*argv, *bare]) == 2  # a new run does
    assert "nowhere" in capsys.readouterr().err
    assert main(["validate", "--config", str(config), "--ckpt_path", last, *bare]) == 0
    assert "val/mve_mm" in capsys.readouterr().out
    assert main([*argv, *bare, "--ckpt_path", last, "--trainer.max_steps=2"]) == 0


def test_a_loss_that_is_not_finite_names_its_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unpack = HmrDataModule.on_after_batch_transfer
    poisoned = []

    def poison(self: HmrDataModule, batch, dataloader_idx: int) -> Batch:
        out = unpack(self, batch, dataloader_idx)
        if self.trainer.training and self.trainer.global_step == 1:
            out.betas[1] = torch.nan
            poisoned.append(out.keys[1])
        return out

    monkeypatch.setattr(HmrDataModule, "on_after_batch_transfer", poison)
    config = write_run(tmp_path)
    assert main(["fit", "--config", str(config), "--output", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("ajahr: error:") and poisoned[0] in error and "step 1" in error


def test_checkpoints_of_something_else(
    tokenizers: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = build(tokenizers)
    checkpoint: dict = {"state_dict": {f"regressor.{k}": v for k, v in module.regressor.state_dict().items()}}
    module.on_save_checkpoint(checkpoint)
    module.on_load_checkpoint(checkpoint)
    with pytest.raises(UserError, match=r"decoder.mlp_width is 32 there and 64 here"):
        wide = smallest()
        wide = replace(wide, decoder=replace(wide.decoder, mlp_width=64))
        build(tokenizers, config={"decoder": wide.decoder}).on_load_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "mine.ckpt")
    ours = load_trained(tmp_path / "mine.ckpt")
    batch = people(module)
    with torch.no_grad():
        a, b = ours(batch.image, batch.bpac_keypoints), module.eval()(batch)
    assert torch.equal(a.vertices, b.vertices)

    checkpoint["regressor"]["body"] = "SMPL"
    with pytest.raises(UserError, match="the body SMPL"):
        module.on_load_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "smpl.ckpt")
    with pytest.raises(UserError, match="the body SMPL"):
        load_trained(tmp_path / "smpl.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "none.ckpt")
    with pytest.raises(UserError, match="not one of a regressor"):
        load_trained(tmp_path / "none.ckpt")


def test_untrained_tokenizers_are_not_trained_with(tokenizers: dict[str, Path]) -> None:
    module = build(tokenizers)
    module.on_fit_start()
    module.tokenizers = None
    with pytest.raises(UserError, match=r"needs amputee and intact; train them"):
        module.on_fit_start()
    with pytest.raises(UserError, match="no tokenizer named intact"):
        HmrModule(spec(), {"amputee": tokenizers["amputee"]}).configure_model()
