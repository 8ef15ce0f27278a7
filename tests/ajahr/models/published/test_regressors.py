"""Published state dicts, by the names and shapes of tests/support/published_shapes.py, against plain arithmetic."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from published_shapes import SMALL, Sizes, random_state, shapes_of
from small_regressor import inputs, small_body, small_regressor
from torch import Tensor

from ajahr.anatomy import Limb
from ajahr.errors import UserError
from ajahr.models.config import RegressorConfig
from ajahr.models.published.regressors import (
    export_regressor,
    from_published,
    import_regressor,
    published_layout,
    to_published,
)
from ajahr.models.published.sizes import config_of
from ajahr.models.regressor import Regressor
from tokenizer.config import TokenizerConfig
from tokenizer.errors import InputError
from tokenizer.upstream import to_published as tokenizer_to_published
from tokenizer.vqvae import PoseTokenizer

LENGTHS = TokenizerConfig(num_tokens=20).decoder_lengths


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    """scripts/plain_hmr.py."""
    path = Path(__file__).parents[4] / "scripts" / "plain_hmr.py"
    spec = importlib.util.spec_from_file_location("plain_hmr", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plain_hmr"] = module
    spec.loader.exec_module(module)
    return module


def small_config_of(kind: str, state: dict[str, Tensor]) -> RegressorConfig:
    config = config_of(kind, state, {}, "state")
    assert config.backbone.width == 64 and config.backbone.depth == 2
    config = replace(config, backbone=replace(config.backbone, heads=2))  # no shape tells the heads
    return replace(config, bpac=None if config.bpac is None else replace(config.bpac, legacy_demo=True))


def make_half_intact(plain: ModuleType, state: dict[str, Tensor], image: Tensor, points: Tensor) -> None:
    """Move the heads' biases until the first half of the people has all limbs: both tokenizers get people."""
    logits, _ = plain.classifier(state, image, points)
    for head in range(4):
        margin = (logits[: len(image) // 2, head, :3].amax(-1) - logits[: len(image) // 2, head, 3]).max()
        state[f"classifier.head{head + 1}.bias"][3] += margin + 1e-3


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


# ---------------------------------------------------------------------------------------- arithmetic


def test_ajahr_outputs_equal_plain_arithmetic(plain: ModuleType) -> None:
    state = random_state(shapes_of("ajahr", SMALL))
    image, _ = inputs(4)
    points = torch.rand(4, 12, 2) * 300  # whole-image pixels, some beyond the canvas
    points[0, :6] = 0  # uncertain: drawn in the corner
    keypoints = torch.cat((points, torch.ones(4, 12, 1)), -1)
    keypoints[0, :6] = torch.tensor((77.0, 50.0, 0.5))
    make_half_intact(plain, state, image, points)
    regressor = from_published(small_config_of("ajahr", state), state, small_body())
    with torch.no_grad():
        expected = plain.plain_forward(
            state, image, points, heads=2, decoder_lengths={"amp": LENGTHS, "normal": LENGTHS}
        )
        out = regressor(image, keypoints)
    logits = expected.limb_logits
    released = {Limb.LEFT_ARM: 1, Limb.RIGHT_ARM: 0, Limb.LEFT_LEG: 2, Limb.RIGHT_LEG: 3}
    for limb, head in released.items():
        close(out.limb_logits[:, limb, 0], logits[:, head, 3])
        close(out.limb_logits[:, limb, 1:], logits[:, head, :3])
    assert torch.equal(out.amputee, (logits.argmax(-1) < 3).any(1))
    assert out.amputee.any() and not out.amputee.all(), "both tokenizers must be used"
    close(out.code_logits, expected.code_logits)
    close(out.pose_rotmat, expected.rotmats)
    close(out.betas, expected.betas)
    close(out.crop_camera, expected.camera)


def test_hmr2_outputs_equal_plain_arithmetic(plain: ModuleType) -> None:
    state = random_state(shapes_of("hmr2", SMALL), seed=2)
    regressor = from_published(small_config_of("hmr2", state), state, small_body())
    image, _ = inputs(2)
    with torch.no_grad():
        expected = plain.plain_forward(state, image, heads=2)
        out = regressor(image)
    close(out.pose_rotmat, expected.rotmats)
    close(out.betas, expected.betas)
    close(out.crop_camera, expected.camera)
    assert out.code_logits is None and out.limb_logits is None


def test_tokenhmr_outputs_equal_plain_arithmetic(plain: ModuleType) -> None:
    state = random_state(shapes_of("tokenhmr", SMALL), seed=3)
    shape = TokenizerConfig(num_tokens=20, num_codes=32, code_dim=8, width=16)
    torch.manual_seed(0)
    tokenizer = PoseTokenizer(shape).eval()
    tokenizer.quantizer.set_codebook(torch.randn(32, 8))
    config = replace(small_config_of("tokenhmr", state), tokenizers={"single": shape})
    regressor = from_published(config, state, small_body(), tokenizer)
    image, _ = inputs(2)
    with torch.no_grad():
        net = tokenizer_to_published(tokenizer)
        expected = plain.plain_forward(
            state, image, heads=2, decoder_lengths={"single": LENGTHS}, tokenizer=net
        )
        out = regressor(image)
    close(out.pose_rotmat, expected.rotmats)


def test_second_pass_over_the_same_layers(plain: ModuleType) -> None:
    state = random_state(shapes_of("ajahr", SMALL), seed=4)
    config = replace(small_config_of("ajahr", state), bpac_cross_attention=True)
    regressor = from_published(config, state, small_body())
    image, _ = inputs(2)
    points = torch.rand(2, 12, 2) * 256
    with torch.no_grad():
        expected = plain.plain_forward(
            state,
            image,
            points,
            heads=2,
            decoder_lengths={"amp": LENGTHS, "normal": LENGTHS},
            bpac_pass=True,
        )
        out = regressor(image, torch.cat((points, torch.ones(2, 12, 1)), -1))
    close(out.betas, expected.betas)
    close(out.pose_rotmat, expected.rotmats)


def test_decoder_made_for_other_tokens(plain: ModuleType) -> None:
    """A 40-token tokenizer behind a 20-token head: resampled, as the released code does silently."""
    state = random_state(shapes_of("ajahr", SMALL), seed=5)
    config = config_of("ajahr", state, {"intact": 40}, "state")
    assert config.tokens == 20 and config.tokenizer_config("intact").num_tokens == 40
    config = replace(
        config, backbone=replace(config.backbone, heads=2), bpac=replace(config.bpac, legacy_demo=True)
    )
    image, _ = inputs(4)
    points = torch.rand(4, 12, 2) * 256
    make_half_intact(plain, state, image, points)
    regressor = from_published(config, state, small_body())
    lengths = {"amp": LENGTHS, "normal": TokenizerConfig(num_tokens=40).decoder_lengths}
    with torch.no_grad():
        expected = plain.plain_forward(state, image, points, heads=2, decoder_lengths=lengths)
        out = regressor(image, torch.cat((points, torch.ones(4, 12, 1)), -1))
    assert not out.amputee.all()
    close(out.pose_rotmat, expected.rotmats)


# -------------------------------------------------------------------------------------------- layout


@pytest.mark.parametrize(
    ("kind", "backbone", "head", "classifier"),
    [("hmr2", 389, None, 0), ("tokenhmr", 389, None, 0), ("ajahr", 389, 221, 276)],
)
def test_names_and_shapes_at_the_papers_size(
    kind: str, backbone: int, head: int | None, classifier: int
) -> None:
    config = RegressorConfig(
        pose_head=kind,
        rot6d="column" if kind == "hmr2" else "row",
        **({} if kind == "ajahr" else {"bpac": None}),
    )
    regressor = Regressor(config, small_body(), empty=True)
    written = {name: tuple(value.shape) for name, value in to_published(regressor).items()}
    assert written == shapes_of(kind, Sizes())
    count = lambda prefix: sum(name.startswith(prefix) for name in written)  # noqa: E731
    assert count("backbone.") == backbone and count("classifier.") == classifier
    if head is not None:
        assert count("smpl_head.") == head


def test_export_then_import_gives_the_same_weights(tmp_path: Path) -> None:
    state = random_state(shapes_of("ajahr", SMALL), seed=6)
    config = small_config_of("ajahr", state)
    regressor = from_published(config, state, small_body())
    export_regressor(regressor, tmp_path / "x.ckpt")
    again = torch.load(tmp_path / "x.ckpt", weights_only=True)["state_dict"]
    assert set(again) == set(state)
    folded = {
        "backbone.pos_embed",
        "smpl_head.transformer.pos_embedding",
        "smpl_head.transformer.to_token_embedding.bias",
        "smpl_head.transformer.to_token_embedding.weight",
        "classifier.heatmap_generator.x_grid",
        "classifier.heatmap_generator.y_grid",
    }
    for name in set(state) - folded:
        assert torch.equal(again[name], state[name]), name
    twice = from_published(config, again, small_body()).state_dict()
    for name, value in regressor.state_dict().items():
        torch.testing.assert_close(twice[name], value, atol=1e-7, rtol=0)


def test_body_and_discriminator_are_left_out() -> None:
    state = random_state(shapes_of("hmr2", SMALL))
    extra = {"smpl.v_template": torch.zeros(3), "discriminator.D_conv1.weight": torch.zeros(1)}
    extra["initialized"] = torch.tensor(True)
    regressor = from_published(small_config_of("hmr2", state), {**state, **extra}, small_body())
    assert not any("template" in name for name in to_published(regressor))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("classifier.head2.weight"), r"1 tensors are missing \(classifier.head2.weight\)"),
        (lambda s: s.update({"neck.weight": torch.zeros(1)}), r"1 are unexpected \(neck.weight\)"),
        (
            lambda s: s.update({"smpl_head.deccam.weight": torch.zeros(3, 47)}),
            r"deccam.weight \(3, 47\).* does not fit readout.linear.weight \(31, 48\)",
        ),
    ],
)
def test_strict(change, message: str) -> None:
    state = random_state(shapes_of("ajahr", SMALL))
    config = small_config_of("ajahr", state)
    change(state)
    with pytest.raises(UserError, match=message):
        from_published(config, state, small_body())


def test_checkpoint_of_another_kind(tmp_path: Path) -> None:
    torch.save({"state_dict": random_state(shapes_of("hmr2", SMALL))}, tmp_path / "hmr2.ckpt")
    with pytest.raises(UserError, match="another kind than ajahr"):
        import_regressor("ajahr", tmp_path / "hmr2.ckpt", small_body())


def test_tokenhmr_needs_its_tokenizer(tmp_path: Path) -> None:
    torch.save({"state_dict": random_state(shapes_of("tokenhmr", SMALL))}, tmp_path / "t.ckpt")
    with pytest.raises(UserError, match="holds no tokenizer; give its"):
        import_regressor("tokenhmr", tmp_path / "t.ckpt", small_body())


class _Foreign:
    def __reduce__(self):
        return (print, ("executed",))


def test_foreign_classes_are_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": _Foreign()}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"names the class \S*print"):
        import_regressor("ajahr", tmp_path / "x.ckpt", small_body())
    assert "executed" not in capsys.readouterr().out


def test_regressors_no_published_code_can_run() -> None:
    config = RegressorConfig.preset("tiny")
    with pytest.raises(UserError, match="token_residual can be exported"):
        to_published(Regressor(config, small_body()))


def test_limited_betas_are_no_published_code_s() -> None:
    with pytest.raises(UserError, match=r"trained with betas_limit 6\.0, which no published code has"):
        to_published(small_regressor(betas_limit=6.0))


def test_every_tensor_has_one_place() -> None:
    for kind in ("hmr2", "tokenhmr", "ajahr"):
        layout = published_layout(RegressorConfig(pose_head=kind))
        ours = [entry.ours for entry in layout.entries] + list(layout.only_ours)
        theirs = [name for entry in layout.entries for name in entry.theirs]
        assert len(set(ours)) == len(ours) and len(set(theirs)) == len(theirs)
