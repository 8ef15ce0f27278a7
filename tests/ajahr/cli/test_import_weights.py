from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_regressor import TOKENIZER, inputs, small_regressor

from ajahr.cli.main import main
from ajahr.models.pretrained import load_pretrained, save_pretrained
from ajahr.models.published import regressors
from ajahr.models.regressor import Regressor
from tokenizer.vqvae import PoseTokenizer


def published_size(**changes) -> Regressor:
    """A regressor whose sizes can be told from its tensors, as the published ones' can."""
    from ajahr.models.config import BackboneConfig, BpacConfig, DecoderConfig, TokenHeadConfig

    fields = {
        "backbone": BackboneConfig(64, 2, 1, drop_path=0.1),
        "bpac": BpacConfig(widths=(16, 16, 32, 32), blocks=(1, 1, 1, 1), legacy_demo=True),
        "decoder": DecoderConfig(width=48, depth=1, heads=2, mlp_width=40),
        "token_head": TokenHeadConfig(width=16, mixers=1, token_mlp_width=12, channel_mlp_width=24),
        "bpac_cross_attention": False,
    }
    return small_regressor(**{**fields, **changes})


def same(a: Regressor, b: Regressor) -> None:
    image, keypoints = inputs(2)
    with torch.no_grad():
        first, second = a(image, keypoints * 256), b(image, keypoints * 256)
    torch.testing.assert_close(second.vertices, first.vertices, atol=1e-5, rtol=0)
    assert torch.equal(second.limb_levels, first.limb_levels)


@pytest.mark.parametrize("kind", ["ajahr", "hmr2"])
def test_export_and_import(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {} if kind == "ajahr" else {"pose_head": kind, "bpac": None, "rot6d": "column"}
    regressor = published_size(**changes)
    folder, checkpoint = save_pretrained(regressor, tmp_path / "ours"), tmp_path / "theirs.ckpt"
    argv = ["import-weights", kind]
    assert main([*argv, str(folder), "--output", str(checkpoint), "--export", "true"]) == 0
    assert main([*argv, str(checkpoint), "--output", str(tmp_path / "again")]) == 0
    again = load_pretrained(tmp_path / "again", any_body=True)
    same(regressor, again)
    assert again.config.keypoint_frame == ("image" if kind == "ajahr" else "crop")
    assert "for SMPL's body" in capsys.readouterr().out


def test_keypoints_in_the_crop(tmp_path: Path) -> None:
    regressors.export_regressor(published_size(), tmp_path / "x.ckpt")
    argv = ["import-weights", "ajahr", str(tmp_path / "x.ckpt"), "--output", str(tmp_path / "w")]
    assert main([*argv, "--keypoints", "crop", "--half", "true"]) == 0
    assert load_pretrained(tmp_path / "w", any_body=True).config.keypoint_frame == "crop"


def test_tokenhmr_with_its_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yacs = pytest.importorskip("yacs")
    del yacs
    tokenizer = PoseTokenizer(TOKENIZER).eval()
    tokenizer.quantizer.set_codebook(torch.randn(32, 8))
    tokenizer.save(tmp_path / "t.safetensors")
    pth = str(tmp_path / "t.pth")
    argv = ["import-weights", "tokenizer", str(tmp_path / "t.safetensors"), "--output", pth]
    assert main([*argv, "--export", "true"]) == 0
    regressor = published_size(pose_head="tokenhmr", bpac=None)
    regressors.export_regressor(regressor, tmp_path / "x.ckpt")
    argv = ["import-weights", "tokenhmr", str(tmp_path / "x.ckpt"), "--output", str(tmp_path / "w")]
    assert main(argv) == 2
    assert "give its tokenizer.pth too" in capsys.readouterr().err
    assert main([*argv, "--tokenizer", pth]) == 0
    again = load_pretrained(tmp_path / "w", any_body=True)
    assert torch.equal(again.switch.decoders["single"].codebook, tokenizer.quantizer.codebook)


def test_vitpose_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    regressors.export_regressor(published_size(), tmp_path / "x.ckpt")
    ours, theirs = tmp_path / "v.safetensors", tmp_path / "v.pth"
    assert main(["import-weights", "vitpose", str(tmp_path / "x.ckpt"), "--output", str(ours)]) == 0
    assert main(["import-weights", "vitpose", str(ours), "--output", str(theirs), "--export", "true"]) == 0
    written = torch.load(theirs, weights_only=True)["state_dict"]
    original = torch.load(tmp_path / "x.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, original[f"backbone.{name}"]) for name, value in written.items())
    assert "a backbone of 0.2 million weights" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["clip", "x.pth", "--output", "w"], "kind"),
        (["hmr2", "missing.ckpt", "--output", "w"], "missing.ckpt: no such checkpoint"),
        (["hmr2", "file", "--output", "folder"], "file: no torch checkpoint"),
        (["vitpose", "file", "--output", "folder"], "folder: is a folder; choose another"),
        (["hmr2", "file", "--output", "file"], "file: is a file; choose another"),
        (["hmr2", "file", "--output", "w", "--tokenzier", "x"], "did you mean --tokenizer?"),
        (["hmr2", "folder", "--output", "out.ckpt", "--export", "true"], "no such weights"),
    ],
)
def test_mistakes_in_one_line(
    argv: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("not a checkpoint")
    assert main(["import-weights", *argv]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_export_under_another_kinds_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_pretrained(published_size(), tmp_path / "ours")
    argv = ["import-weights", "hmr2", str(folder), "--output", str(tmp_path / "x.ckpt"), "--export", "true"]
    assert main(argv) == 2
    assert "holds ajahr's pose head" in capsys.readouterr().err
