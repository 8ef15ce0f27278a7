from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
from small_regressor import TOKENIZER, inputs, small_body, small_config, small_regressor

from ajahr.body.body import Body
from ajahr.errors import UserError
from ajahr.models.config import RegressorConfig
from ajahr.models.pretrained import (
    body_kind,
    initialise_from,
    load_backbone,
    load_pretrained,
    load_weights,
    save_backbone,
    save_pretrained,
)
from ajahr.models.regressor import Regressor


def renamed_body(name: str) -> Body:
    return Body(dataclasses.replace(small_body().data, name=name))


def test_a_folder_is_whole(tmp_path: Path) -> None:
    """Tokenizers, means and calibration included."""
    regressor = small_regressor()
    regressor.bpac.temperature.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    regressor.mean_betas.fill_(0.5)
    save_pretrained(regressor, tmp_path / "w")
    files = sorted((tmp_path / "w").iterdir())
    assert [path.name for path in files] == ["config.json", "model.safetensors"]
    assert files[0].stat().st_mode == files[1].stat().st_mode, "others may read one as the other"
    image, keypoints = inputs(3)
    for path in (tmp_path / "w", tmp_path / "w" / "model.safetensors"):
        again = load_pretrained(path)
        assert not again.training and again.config == regressor.config
        with torch.no_grad():
            before, after = regressor(image, keypoints), again(image, keypoints)
        # not bit by bit: products of memory that lies otherwise may sum in another order
        torch.testing.assert_close(after.vertices, before.vertices, atol=1e-6, rtol=0)
        torch.testing.assert_close(after.limb_probabilities, before.limb_probabilities, atol=1e-6, rtol=0)


def test_loaded_weights_train_and_tokenizers_do_not(tmp_path: Path) -> None:
    again = load_pretrained(save_pretrained(small_regressor(), tmp_path)).train()
    image, keypoints = inputs(2)
    again(image, keypoints).vertices.square().mean().backward()
    assert again.backbone.vit.pos_embed.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in again.switch.parameters())
    torch.optim.SGD([p for p in again.parameters() if p.requires_grad], 1e-3).step()


def test_half_precision_file(tmp_path: Path) -> None:
    regressor = small_regressor()
    full = save_pretrained(regressor, tmp_path / "full") / "model.safetensors"
    half = save_pretrained(regressor, tmp_path / "half", half=True) / "model.safetensors"
    assert half.stat().st_size < 0.55 * full.stat().st_size
    again = load_pretrained(tmp_path / "half")
    assert {value.dtype for value in again.parameters()} == {torch.float32}
    image, keypoints = inputs(2)
    levels = torch.zeros(2, 4, dtype=torch.long)
    with torch.no_grad():
        offset = again(image, keypoints, limb_levels=levels).vertices
        offset = offset - regressor(image, keypoints, limb_levels=levels).vertices
    assert offset.norm(dim=-1).max() < 0.005


def test_tiny_is_small(tmp_path: Path) -> None:
    tiny = Regressor(RegressorConfig.preset("tiny"), small_body())
    file = save_pretrained(tiny, tmp_path, half=True) / "model.safetensors"
    assert file.stat().st_size <= 25e6


def test_weights_of_another_preset(tmp_path: Path) -> None:
    save_pretrained(small_regressor(), tmp_path)
    tiny = Regressor(RegressorConfig.preset("tiny"), small_body())
    with pytest.raises(
        UserError, match=r"weights of 'test', not of 'tiny' \(backbone.width 64, here 192;"
    ) as e:
        load_weights(tiny, tmp_path)
    assert "\n" not in str(e.value)


def test_weights_of_other_tokenizers(tmp_path: Path) -> None:
    save_pretrained(small_regressor(), tmp_path)
    shape = dataclasses.replace(TOKENIZER, num_tokens=40)
    other = small_regressor(tokenizers={"amputee": shape, "intact": shape})
    with pytest.raises(UserError, match="20 tokens of 32 codes, here 40 tokens of 32 codes"):
        load_weights(other, tmp_path)


def test_settings_that_change_no_shape_are_the_readers(tmp_path: Path) -> None:
    source = small_regressor()
    save_pretrained(source, tmp_path)
    other = small_regressor(seed=5, bpac_cross_attention=False)
    load_weights(other, tmp_path)
    assert torch.equal(other.decoder.query, source.decoder.query)


def test_another_body_is_refused(tmp_path: Path) -> None:
    save_pretrained(small_regressor(), tmp_path)
    with pytest.raises(UserError, match="trained with the body ajahr-default-body, not other; give that"):
        load_pretrained(tmp_path, renamed_body("other"))
    assert load_pretrained(tmp_path, renamed_body("other"), any_body=True).body.data.name == "other"


def test_any_file_of_smpls_is_smpl(tmp_path: Path) -> None:
    save_pretrained(small_regressor(), tmp_path, body="SMPL")
    with pytest.raises(UserError, match="trained with the body SMPL, not ajahr-default-body"):
        load_pretrained(tmp_path)
    for name in ("SMPL_NEUTRAL.pkl", "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"):
        load_pretrained(tmp_path, renamed_body(name))
    assert body_kind(renamed_body("smpl.npz")) == "smpl.npz"


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights; train some"):
        load_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"no safetensors at all, but long enough to have a header")
    with pytest.raises(UserError, match="no whole safetensors file"):
        load_pretrained(tmp_path)
    save_backbone(small_regressor().backbone, file)
    with pytest.raises(UserError, match="no weights of a regressor; published ones go through"):
        load_pretrained(tmp_path)


def test_file_cut_short(tmp_path: Path) -> None:
    file = save_pretrained(small_regressor(), tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="no whole safetensors file"):
        load_pretrained(tmp_path)


def test_config_json_says_what_is_in_the_file(tmp_path: Path) -> None:
    regressor = small_regressor()
    save_pretrained(regressor, tmp_path)
    stamp = json.loads((tmp_path / "config.json").read_text())
    assert stamp["body"] == "ajahr-default-body"
    assert RegressorConfig.from_dict(stamp["config"]) == regressor.config


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            '"min_confidence": 0.3',
            '"min_confidence": 0.5',
            "config.bpac.min_confidence 0.5, in model.safetensors 0.3",
        ),
        ("ajahr-default-body", "SMPL", "body SMPL, in model.safetensors ajahr-default-body"),
        ('"sigma": 2.0,', "", "config.bpac.sigma None, in model.safetensors 2.0"),
        ("}", "", "no readable copy"),
    ],
)
def test_an_edited_config_json_is_refused(tmp_path: Path, old: str, new: str, what: str) -> None:
    """The weights hold their config: an edit beside them would do nothing, in silence."""
    file = save_pretrained(small_regressor(), tmp_path) / "config.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=re.escape(what)) as error:
        load_pretrained(tmp_path)
    assert "\n" not in str(error.value) and "delete config.json" in str(error.value)
    file.unlink()
    load_pretrained(tmp_path)


def test_start_from_another_kind(tmp_path: Path) -> None:
    """AJAHR from TokenHMR: everything but BPAC-Net and the tokenizers."""
    source = small_regressor(seed=3, pose_head="tokenhmr", bpac=None)
    save_pretrained(source, tmp_path)
    target = small_regressor(seed=4)
    codebook = target.switch.decoders["intact"].codebook.clone()
    report = initialise_from(target, tmp_path)
    assert report == {
        "taken": ["backbone", "decoder", "readout", "token_head"],
        "partly": [],
        "left": ["bpac"],
    }
    assert torch.equal(target.token_head.classes.weight, source.token_head.classes.weight)
    assert torch.equal(target.switch.decoders["intact"].codebook, codebook)


def test_start_from_another_token_count(tmp_path: Path) -> None:
    shape = dataclasses.replace(TOKENIZER, num_tokens=40)
    source = small_regressor(pose_head="tokenhmr", bpac=None, tokenizers={"single": shape})
    report = initialise_from(small_regressor(), save_pretrained(source, tmp_path))
    assert report["partly"] == ["token_head"]


def test_start_from_a_backbone(tmp_path: Path) -> None:
    source, target = small_regressor(seed=3), small_regressor(seed=4)
    save_backbone(source.backbone, tmp_path / "b.safetensors")
    report = initialise_from(target, tmp_path / "b.safetensors")
    assert report["taken"] == ["backbone"] and report["partly"] == []
    image, _ = inputs(1)
    assert torch.equal(target.backbone(image), source.backbone(image))
    assert torch.equal(load_backbone(tmp_path / "b.safetensors")(image), source.backbone(image))


def test_start_from_another_size(tmp_path: Path) -> None:
    save_pretrained(small_regressor(), tmp_path)
    wide = dataclasses.replace(small_config().backbone, width=32)
    with pytest.raises(UserError, match="its backbone is not of this size"):
        initialise_from(small_regressor(backbone=wide), tmp_path)
