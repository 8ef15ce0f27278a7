from __future__ import annotations

import contextlib
import copy
import dataclasses
import pickle

import pytest
import torch
from small_regressor import TOKENIZER, inputs, small_body, small_config, small_regressor
from torch import Tensor

from ajahr.anatomy import Limb, absent_joint_mask
from ajahr.errors import UserError
from ajahr.geometry.cameras import crop_translation
from ajahr.geometry.rotations import rot6d_to_rotmat
from ajahr.models.config import RegressorConfig
from ajahr.models.outputs import RegressorOutput
from ajahr.models.regressor import Regressor, limited
from tokenizer.vqvae import PoseTokenizer

KINDS = [
    {},
    {"bpac": None},
    {"pose_head": "tokenhmr", "bpac": None},
    {"pose_head": "tokenhmr"},
    {"pose_head": "hmr2", "bpac": None},
    {"pose_head": "hmr2", "rot6d": "column"},
    {"bpac_cross_attention": False},
    {"token_residual": False},
    {"betas_limit": 6.0},
]
MIXED = torch.tensor([[0, 0, 0, 0], [3, 0, 0, 2], [-1, -1, -1, -1], [1, 3, 3, 1]])
ALL_LOST = torch.full((4, 4), 3)


def values(out: RegressorOutput) -> dict[str, Tensor]:
    return {f.name: getattr(out, f.name) for f in dataclasses.fields(out) if getattr(out, f.name) is not None}


# ---------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_people_do_not_see_each_other(kind: dict) -> None:
    regressor = small_regressor(**kind)
    image, keypoints = inputs(4)
    with torch.no_grad():
        together = values(regressor(image, keypoints, limb_levels=MIXED))
        for i in range(4):
            alone = regressor(image[i : i + 1], keypoints[i : i + 1], limb_levels=MIXED[i : i + 1])
            for name, value in values(alone).items():
                torch.testing.assert_close(together[name][i], value[0], atol=2e-5, rtol=1e-4, msg=name)
    assert ("limb_logits" in together) is (regressor.bpac is not None)


def test_outputs_agree_with_each_other() -> None:
    regressor = small_regressor()
    image, keypoints = inputs(4)
    with torch.no_grad():
        out = regressor(image, keypoints)
    assert torch.equal(out.limb_levels, out.limb_logits.argmax(-1))
    absent = torch.from_numpy(absent_joint_mask(out.limb_levels.numpy()))
    assert torch.equal(out.absent_joints, absent)
    assert torch.equal(out.amputee, (out.limb_levels > 0).any(1))
    posed = regressor.body(out.betas, out.pose_rotmat, absent)
    torch.testing.assert_close(out.vertices, posed.vertices)
    torch.testing.assert_close(out.keypoints_3d, posed.keypoints_44)
    torch.testing.assert_close(out.crop_translation, crop_translation(out.crop_camera))
    points = out.keypoints_3d + out.crop_translation[:, None]
    torch.testing.assert_close(out.keypoints_2d, points[..., :2] / points[..., 2:] * (5000 / 256))
    identity = torch.eye(3).expand_as(out.pose_rotmat)
    torch.testing.assert_close(out.pose_rotmat @ out.pose_rotmat.mT, identity, atol=1e-5, rtol=0)


def test_without_a_mesh_all_else_is_the_same() -> None:
    regressor = small_regressor()
    image, keypoints = inputs(4)
    with torch.no_grad():
        whole = values(regressor(image, keypoints, limb_levels=MIXED))
        light = values(regressor(image, keypoints, limb_levels=MIXED, mesh=False))
    assert light.pop("vertices").shape == (4, 0, 3) and whole.pop("vertices").shape[1] > 0
    for name, value in whole.items():
        torch.testing.assert_close(light[name], value, msg=name)


def test_given_levels_overrule_where_they_are_known() -> None:
    regressor = small_regressor()
    image, keypoints = inputs(4)
    with torch.no_grad():
        free, given = regressor(image, keypoints), regressor(image, keypoints, limb_levels=MIXED)
    assert torch.equal(given.limb_levels[[0, 1, 3]], MIXED[[0, 1, 3]])
    assert torch.equal(given.limb_levels[2], free.limb_levels[2])
    assert given.amputee[[0, 1, 3]].tolist() == [False, True, True]
    torch.testing.assert_close(given.limb_logits, free.limb_logits)
    torch.testing.assert_close(given.code_logits, free.code_logits)


def test_removal_takes_limbs_off_and_leaves_the_tokenizer_alone() -> None:
    regressor = small_regressor()
    image, keypoints = inputs(4)
    with torch.no_grad():
        free = regressor(image, keypoints)
        removed = regressor(image, keypoints, removal=MIXED)
    assert torch.equal(removed.amputee, free.amputee)
    torch.testing.assert_close(removed.pose_rotmat, free.pose_rotmat)
    assert torch.equal(removed.limb_levels[[0, 1, 3]], MIXED[[0, 1, 3]])
    assert torch.equal(removed.limb_levels[2], free.limb_levels[2])
    torch.testing.assert_close(
        removed.joints[1, 20], removed.joints[1, 16]
    )  # the left arm, from the shoulder


def test_without_bpac_everybody_is_intact_unless_told() -> None:
    regressor = small_regressor(bpac=None)
    image, _ = inputs(4)
    with torch.no_grad():
        assert not regressor(image).amputee.any()
        lost = regressor(image, limb_levels=MIXED)
    assert lost.limb_levels[2].eq(0).all() and lost.amputee.tolist() == [False, True, False, True]
    assert lost.absent_joints[1].nonzero()[:, 0].tolist() == [5, 8, 11, 16, 18, 20, 22]


def test_lost_limb_collapses_and_its_rotations_stay_regressed() -> None:
    regressor = small_regressor()
    image, keypoints = inputs(1)
    levels = torch.zeros(1, 4, dtype=torch.long)
    levels[0, Limb.LEFT_ARM] = 2
    with torch.no_grad():
        out = regressor(image, keypoints, limb_levels=levels)
    torch.testing.assert_close(out.joints[0, 20], out.joints[0, 18])
    assert out.pose_rotmat[0, 20].abs().max() > 0.1, "supervised, so not zeroed (Sec. 3.3.1)"


def test_zero_weights_give_the_mean_parameters() -> None:
    for kind in ({"pose_head": "hmr2"}, {"token_residual": False}, {}):
        regressor = small_regressor(**kind)
        torch.nn.init.zeros_(regressor.readout.linear.weight)
        image, keypoints = inputs(1)
        with torch.no_grad():
            out = regressor(image, keypoints)
        mean = rot6d_to_rotmat(regressor.mean_pose)
        torch.testing.assert_close(out.pose_rotmat[0, [0, 22, 23]], mean[[0, 22, 23]])
        assert out.betas.eq(0).all() and out.crop_camera[0].tolist() == pytest.approx([0.9, 0, 0])
        body_is_mean = torch.allclose(out.pose_rotmat[0, 1:22], mean[1:22], atol=1e-6)
        assert body_is_mean is (regressor.config.pose_head == "hmr2")


def test_wild_features_make_no_monster() -> None:
    """Our own weights keep betas those of a person; published ones keep upstream's arithmetic."""
    free, bounded = small_regressor(), small_regressor(betas_limit=6.0)
    image, keypoints = inputs(4)
    with torch.no_grad():
        for regressor in (free, bounded):
            regressor.readout.linear.weight.mul_(40)
            regressor.readout.linear.bias[-3] = 1.0  # a camera before the person all the same
        wild, tame = free(image, keypoints).betas, bounded(image, keypoints).betas
    assert wild.norm(dim=1).min() > 20
    assert tame.norm(dim=1).max() < 6
    torch.testing.assert_close(torch.nn.functional.normalize(tame), torch.nn.functional.normalize(wild))


def test_a_limit_leaves_usual_betas_nearly_alone() -> None:
    usual = torch.randn(1000, 10, generator=torch.Generator().manual_seed(0))
    shrunk, norm = (limited(usual, 6.0) / usual)[:, 0], usual.norm(dim=1)
    assert shrunk[norm < 3].min() > 0.98 and shrunk.min() > 0.85
    zero = torch.zeros(2, 10, requires_grad=True)
    limited(zero, 6.0).sum().backward()
    assert zero.grad is not None and zero.grad.eq(1).all()


def test_presets_of_our_own_limit_betas() -> None:
    limits = {name: RegressorConfig.preset(name).betas_limit for name in ("paper", "base", "small", "tiny")}
    assert limits == {"paper": None, "base": 6.0, "small": 6.0, "tiny": 6.0}
    with pytest.raises(UserError, match="betas_limit is 0; give a positive norm"):
        RegressorConfig(betas_limit=0)


def test_without_residual_the_pose_is_what_the_tokenizer_decodes() -> None:
    regressor = small_regressor(token_residual=False)
    image, keypoints = inputs(2)
    with torch.no_grad():
        out = regressor(image, keypoints)
        decoded = regressor.switch(out.code_logits, out.amputee)
    torch.testing.assert_close(out.pose_rotmat[:, 1:22], rot6d_to_rotmat(decoded))


def test_tokenizers_are_the_given_ones() -> None:
    torch.manual_seed(0)
    made = {name: PoseTokenizer(TOKENIZER).eval() for name in ("amputee", "intact")}
    made["amputee"].quantizer.set_codebook(torch.randn(32, 8))
    config = RegressorConfig.preset("tiny")  # says 80 tokens: the tokenizers decide
    regressor = Regressor(config, small_body(), made)
    assert regressor.config.tokens == 20
    codebook = regressor.switch.decoders["amputee"].codebook
    assert torch.equal(codebook, made["amputee"].quantizer.codebook)


# --------------------------------------------------------------------------------- gradients, freezing


def learned_by(regressor: Regressor, levels: Tensor = MIXED) -> set[str]:
    image, keypoints = inputs(len(levels))
    out = regressor(image, keypoints, limb_levels=levels)
    loss = out.keypoints_2d.square().mean() + out.vertices.square().mean() + out.betas.square().mean()
    regressor.zero_grad()
    loss.backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in regressor.parameters())
    return {
        name
        for name, p in regressor.named_parameters()
        if p.grad is not None and bool(p.grad.abs().sum() > 0)
    }


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_pose_loss_reaches_every_part_but_the_tokenizers(kind: dict) -> None:
    regressor = small_regressor(**kind).train()
    parts = {name.split(".")[0] for name in learned_by(regressor)}
    expected = {"backbone", "decoder", "readout"}
    expected |= {"token_head"} if regressor.token_head is not None else set()
    expected |= {"bpac"} if regressor.bpac is not None and regressor.config.bpac_cross_attention else set()
    assert parts == expected


def test_all_limbs_lost_is_finite_in_values_and_gradients() -> None:
    regressor = small_regressor().train()
    assert "backbone.vit.pos_embed" in learned_by(regressor, ALL_LOST)
    image, keypoints = inputs(4)
    for name, value in values(regressor(image, keypoints, limb_levels=ALL_LOST)).items():
        assert bool(value.isfinite().all()), name


def test_what_learns_in_each_plan() -> None:
    names = lambda r: {n for n, p in r.named_parameters() if p.requires_grad}  # noqa: E731
    regressor = small_regressor()
    every = {name for name, _ in regressor.named_parameters() if not name.startswith("switch.")}
    regressor.set_trainable("all")
    assert names(regressor) == every
    regressor.set_trainable("heads")
    assert names(regressor) == {name for name in every if not name.startswith("backbone.")}
    regressor.set_trainable("bpac")
    assert names(regressor) == {name for name in every if name.startswith("bpac.")}
    with pytest.raises(UserError, match="no BPAC-Net to train"):
        small_regressor(bpac=None).set_trainable("bpac")


def test_partial_fine_tuning_is_the_papers() -> None:
    """Supplementary F: last four blocks, patch and position embedding, last two decoder layers; not the last norm."""
    backbone = dataclasses.replace(small_config().backbone, depth=6)
    regressor = small_regressor(backbone=backbone)
    regressor.set_trainable("partial")
    learning = {name for name, p in regressor.named_parameters() if p.requires_grad}
    vit = {name.split("vit.")[1] for name in learning if name.startswith("backbone.")}
    assert {name.split(".")[1] for name in vit if name.startswith("blocks.")} == {"2", "3", "4", "5"}
    assert {name.split(".")[0] for name in vit} == {"blocks", "patch_embed", "pos_embed"}
    decoder = {name for name in learning if name.startswith("decoder.")}
    assert {".".join(name.split(".")[1:3]) for name in decoder} == {"layers.1", "layers.2"}
    assert {"readout", "token_head", "bpac"} < {name.split(".")[0] for name in learning}


def test_forward_never_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device, which has no numbers to ask for and takes a GPU's way, nothing asks."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    regressor = copy.deepcopy(small_regressor()).to("meta")
    image, keypoints = (one.to("meta") for one in inputs(4))
    out = regressor(image, keypoints, limb_levels=MIXED.to("meta"))
    assert out.vertices.device.type == "meta" and out.vertices.shape[0] == 4


def test_frozen_parts_stay_in_evaluation_mode() -> None:
    regressor = small_regressor()
    regressor.set_trainable("bpac")
    regressor.train()
    assert not any(m.training for part in (regressor.backbone, regressor.switch) for m in part.modules())
    assert all(module.training for module in regressor.bpac.modules())
    image, keypoints = inputs(2)
    again = [regressor.backbone(image) for _ in range(2)]
    assert torch.equal(*again), "drop path of a frozen backbone"
    regressor.set_trainable("all")
    regressor.train()
    assert not torch.equal(regressor.backbone(image), again[0])
    state = {name: value.clone() for name, value in regressor.switch.state_dict().items()}
    regressor(image, keypoints)
    assert all(torch.equal(value, state[name]) for name, value in regressor.switch.state_dict().items())


# ------------------------------------------------------------------------------------------ precision


def test_bfloat16_stays_close() -> None:
    regressor = small_regressor()
    image, keypoints = inputs(4)
    with torch.no_grad():
        exact = regressor(image, keypoints, limb_levels=MIXED)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = regressor(image, keypoints, limb_levels=MIXED)
    assert half.vertices.dtype == torch.float32
    offset = (half.vertices - exact.vertices).norm(dim=-1).mean() * 1000
    spread = (exact.vertices[0] - exact.vertices[3]).norm(dim=-1).mean() * 1000
    assert offset < 8 < spread, f"{offset:.1f} mm of {spread:.0f}"


# --------------------------------------------------------------------------------------------- errors


def test_travels_to_another_process() -> None:
    """As ddp_spawn and multiprocessing send it."""
    regressor = small_regressor()
    image, keypoints = inputs(1)
    with torch.no_grad():
        again = pickle.loads(pickle.dumps(regressor))(image, keypoints)
        assert torch.equal(again.vertices, regressor(image, keypoints).vertices)


def test_tokenizers_of_another_head() -> None:
    with pytest.raises(UserError, match="takes the tokenizers amputee and intact, not single"):
        Regressor(small_config(), small_body(), {"single": PoseTokenizer(TOKENIZER)})


def test_nobody() -> None:
    regressor = small_regressor()
    image, keypoints = inputs(1)
    out = regressor(image[:0], keypoints[:0])
    assert out.vertices.shape == (0, regressor.body.num_vertices, 3)
