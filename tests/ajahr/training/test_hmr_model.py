from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hmr_runs import smallest, spec, write_tokenizers

from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.model import KeypointModel, save_keypoints
from ajahr.models.config import RegressorConfig
from ajahr.models.pretrained import save_pretrained
from ajahr.training.hmr_model import (
    FirstWeights,
    ModelSpec,
    build_regressor,
    config_difference,
    load_first_weights,
)


def test_every_setting_reaches_the_config() -> None:
    plain = ModelSpec().config()
    assert plain == RegressorConfig.preset("paper")
    changed = {
        "preset": ("tiny", lambda c: c.backbone.width == 192),
        "pose_head": ("hmr2", lambda c: c.tokenizer_names == ()),
        "bpac": (False, lambda c: c.bpac is None),
        "bpac_inputs": ("image", lambda c: c.bpac.inputs == "image"),
        "bpac_cross_attention": (False, lambda c: not c.bpac_cross_attention),
        "keypoint_noise": (50.0, lambda c: c.bpac.noise_ratio == 50),
        "single": ("amputee", lambda c: c.tokenizer_names == ("single",)),
        "drop_path": (0.1, lambda c: c.backbone.drop_path == 0.1),
        "checkpointing": (True, lambda c: c.backbone.checkpointing),
        "residual_head": (True, lambda c: c.residual_head),
        "whole": (smallest(), lambda c: c.name == "smallest"),
    }
    assert set(changed) == set(ModelSpec.__dataclass_fields__)
    for name, (value, arrived) in changed.items():
        config = ModelSpec(**{name: value}).config()
        assert arrived(config) and config != plain, name


def test_tokenizers_are_those_of_the_files(tmp_path: Path) -> None:
    paths = write_tokenizers(tmp_path)
    regressor = build_regressor(spec(), paths)
    from tokenizer.module import load_trained

    for name, path in paths.items():
        ours = regressor.switch.decoders[name].codebook
        assert torch.equal(ours, load_trained(path).quantizer.codebook)
    assert build_regressor(spec(pose_head="hmr2"), paths).switch is None


def test_first_weights_are_taken_where_they_fit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(1)
    baseline = build_regressor(spec(pose_head="hmr2", bpac=False))
    save_pretrained(baseline, tmp_path / "hmr2")
    torch.manual_seed(2)
    regressor = build_regressor(spec(), write_tokenizers(tmp_path))
    head = regressor.token_head.state_dict()
    with caplog.at_level("INFO"):
        load_first_weights(regressor, FirstWeights(regressor=tmp_path / "hmr2"))
    assert "taken: backbone, decoder" in caplog.text and "token_head" in caplog.text
    for name, value in baseline.backbone.state_dict().items():
        assert torch.equal(regressor.backbone.state_dict()[name], value)
    assert all(torch.equal(head[k], v) for k, v in regressor.token_head.state_dict().items())
    with pytest.raises(UserError, match="no BPAC-Net"):
        load_first_weights(baseline, FirstWeights(bpac_imagenet=tmp_path / "resnet34.pth"))


def test_the_backbone_starts_as_a_keypoint_model_s(tmp_path: Path) -> None:
    torch.manual_seed(3)
    keypoints = KeypointModel(KeypointConfig("vit_tiny_stem", presence="body"))
    save_keypoints(keypoints, tmp_path / "trunk")
    regressor = build_regressor(ModelSpec(preset="tiny", pose_head="hmr2", bpac=False))
    decoder = {name: value.clone() for name, value in regressor.decoder.state_dict().items()}
    load_first_weights(regressor, FirstWeights(keypoints=tmp_path / "trunk"))
    assert all(
        torch.equal(value, regressor.backbone.state_dict()[name])
        for name, value in keypoints.backbone.state_dict().items()
    )
    assert all(torch.equal(value, regressor.decoder.state_dict()[name]) for name, value in decoder.items())
    assert regressor.point_reader is not None and keypoints.presence_head is not None
    for mine, theirs in (
        (regressor.point_reader.head, keypoints.head),
        (regressor.point_reader.presence_head, keypoints.presence_head),
    ):
        taken = mine.state_dict()
        assert all(torch.equal(value, taken[name]) for name, value in theirs.state_dict().items())
    save_keypoints(KeypointModel(KeypointConfig("vit_tiny_stem", presence="pool")), tmp_path / "pool")
    with pytest.raises(UserError, match="has the presence head pool; train one with body"):
        load_first_weights(regressor, FirstWeights(keypoints=tmp_path / "pool"))
    with pytest.raises(UserError, match="its backbone is not the regressor's"):
        load_first_weights(build_regressor(spec()), FirstWeights(keypoints=tmp_path / "trunk"))


def test_differences_that_matter() -> None:
    ours = smallest()
    assert config_difference(ours, RegressorConfig.from_dict(ours.to_dict())) == ""
    other = replace(ours, name="x", backbone=replace(ours.backbone, drop_path=0.9, checkpointing=True))
    assert config_difference(other, ours) == ""
    assert config_difference(replace(ours, rot6d="column"), ours) == "rot6d is column there and row here"
