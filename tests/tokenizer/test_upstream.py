"""On files made in the published layout, weights drawn at random under the published names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tokenizer.config import TokenizerConfig
from tokenizer.errors import InputError
from tokenizer.rotations import rot6d_to_rotmat, rotmat_to_rot6d
from tokenizer.upstream import export_published, from_published, import_published, to_published
from tokenizer.vqvae import PoseTokenizer

WIDTH, CODES, CODE_DIM = 64, 96, 32


def _state(doublings: int) -> dict[str, torch.Tensor]:
    """Names and shapes as the fact sheet lists them."""
    generator = torch.Generator().manual_seed(doublings)
    state: dict[str, torch.Tensor] = {}

    def conv(name: str, outputs: int, inputs: int, taps: int) -> None:
        bound = 2 / (inputs * taps) ** 0.5
        state[f"{name}.weight"] = (torch.rand(outputs, inputs, taps, generator=generator) * 2 - 1) * bound
        state[f"{name}.bias"] = (torch.rand(outputs, generator=generator) * 2 - 1) * bound

    def block(name: str) -> None:
        for unit in (0, 1):
            conv(f"{name}.model.{unit}.conv1", WIDTH, WIDTH, 3)
            conv(f"{name}.model.{unit}.conv2", WIDTH, WIDTH, 1)

    conv("encoder.encoder.0", WIDTH, 6, 3)
    for i in range(doublings):
        conv(f"encoder.encoder.{3 + 3 * i}", WIDTH, WIDTH, 3)
    last = 3 * doublings + 2
    conv(f"encoder.encoder.{last}.0", WIDTH, WIDTH, 4)
    block(f"encoder.encoder.{last}.1")
    conv(f"encoder.encoder.{last + 1}", CODE_DIM, WIDTH, 3)
    conv("decoder.decoder.0", WIDTH, CODE_DIM, 3)
    for i in (3, 6, 9, 12):
        conv(f"decoder.decoder.{i}", WIDTH, WIDTH, 3)
    block("decoder.decoder.14.0")
    conv("decoder.decoder.14.1", WIDTH, WIDTH, 3)
    conv("decoder.decoder.15", 6, WIDTH, 3)
    state["quantizer.codebook"] = torch.randn(CODES, CODE_DIM, generator=generator) / 4
    return state


def _hparams(cfg_node: type, **arch: object) -> dict:
    values = {
        "CODE_DIM": CODE_DIM, "NB_CODE": CODES, "WIDTH": WIDTH, "DEPTH": 2, "DILATION_RATE": 3, "DOWN_T": 1,
        "TOKEN_SIZE_MUL": 4, "TOKEN_SIZE_DIV": 4, "ROT_TYPE": "rot6d", "NB_JOINTS": 21,
    }  # fmt: skip
    return cfg_node({"EXP": {"NAME": "x", "SEED": 0}, "ARCH": values | arch})


@pytest.mark.parametrize("doublings", [1, 4, 5])
def test_encode_and_decode_by_the_published_arithmetic(
    tmp_path: Path, fake_yacs: type, published, make_rotmats, doublings: int
) -> None:
    state = _state(doublings)
    path = tmp_path / "tokenizer.pth"
    torch.save({"net": state, "hparams": _hparams(fake_yacs, TOKEN_SIZE_MUL=doublings)}, path)
    tokenizer = import_published(path)
    assert tokenizer.config.num_tokens == 10 * 2**doublings and not tokenizer.training

    twin = published(state, doublings, tokenizer.config.decoder_lengths)
    rotmats = make_rotmats(4)
    latents = twin.encode(rotmat_to_rot6d(rotmats))
    torch.testing.assert_close(tokenizer.encoder(rotmat_to_rot6d(rotmats)), latents, atol=1e-5, rtol=0)
    indices = tokenizer.encode(rotmats)
    assert torch.equal(indices, twin.nearest(latents))
    decoded = twin.decode(state["quantizer.codebook"][indices])
    torch.testing.assert_close(tokenizer.decode(indices), rot6d_to_rotmat(decoded), atol=1e-5, rtol=0)


def test_export_then_import_keeps_every_weight(tmp_path: Path, fake_yacs: type) -> None:
    tokenizer = PoseTokenizer(TokenizerConfig(num_tokens=80, num_codes=9, code_dim=5, width=8))
    tokenizer.quantizer.set_codebook(torch.randn(9, 5))
    export_published(tokenizer, tmp_path / "t.pth")
    again = import_published(tmp_path / "t.pth")
    assert again.config == tokenizer.config
    state = again.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in tokenizer.state_dict().items())


def test_export_has_the_published_layout(fake_yacs: type) -> None:
    config = TokenizerConfig(num_tokens=160, num_codes=CODES, code_dim=CODE_DIM, width=WIDTH)
    layout = {name: value.shape for name, value in _state(4).items()}
    assert {name: value.shape for name, value in to_published(PoseTokenizer(config)).items()} == layout


def test_a_regressor_s_decoder_alone() -> None:
    """Its checkpoint holds decoder and codebook, no encoder; old files also hold a body model."""
    state = {name: value for name, value in _state(4).items() if not name.startswith("encoder")}
    config = TokenizerConfig(num_tokens=160, num_codes=CODES, code_dim=CODE_DIM, width=WIDTH)
    tokenizer = PoseTokenizer(config)
    encoder = tokenizer.encoder.stem.weight.clone()
    from_published(tokenizer, state | {"body_model.betas": torch.zeros(1)}, encoder=False)
    assert torch.equal(tokenizer.encoder.stem.weight, encoder)
    assert torch.equal(tokenizer.quantizer.codebook, state["quantizer.codebook"])
    assert tokenizer.quantizer.initialized and (tokenizer.quantizer.code_count == 1).all()
    weight = state["decoder.decoder.12.weight"]
    assert torch.equal(tokenizer.decoder.resampling[3].weight, weight.permute(1, 2, 0))


def test_training_goes_on_from_an_imported_codebook(tmp_path: Path, fake_yacs: type) -> None:
    torch.save({"net": _state(4), "hparams": _hparams(fake_yacs)}, tmp_path / "t.pth")
    tokenizer = import_published(tmp_path / "t.pth").train()
    tokenizer(torch.randn(8, 21, 6))
    drift = (tokenizer.quantizer.codebook - _state(4)["quantizer.codebook"]).norm(dim=1)
    assert (drift < 0.5).float().mean() > 0.1  # codes in use moved a little; nothing was re-initialised


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TOKEN_SIZE_MUL": 5}, r"missing \(encoder\.encoder\.17.*token count"),
        ({"TOKEN_SIZE_MUL": 9}, "num_tokens is 5120"),
        ({"CODE_DIM": 16}, r"shape \(64, 3, 32\), expected \(64, 3, 16\)"),
        ({"DOWN_T": 2}, "DOWN_T is 2"),
        ({"ROT_TYPE": "rotmat"}, "ROT_TYPE is rotmat"),
    ],
)
def test_settings_that_do_not_fit_the_weights(
    tmp_path: Path, fake_yacs: type, change: dict, message: str
) -> None:
    torch.save({"net": _state(4), "hparams": _hparams(fake_yacs, **change)}, tmp_path / "t.pth")
    with pytest.raises(InputError, match=message) as caught:
        import_published(tmp_path / "t.pth")
    assert "t.pth" in str(caught.value) and "\n" not in str(caught.value)


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "r.ckpt")
    with pytest.raises(InputError, match="needs net and hparams"):
        import_published(tmp_path / "r.ckpt")
    torch.save({"net": {}, "hparams": {}}, tmp_path / "h.pth")
    with pytest.raises(InputError, match="no ARCH"):
        import_published(tmp_path / "h.pth")
    torch.save({"net": {}, "hparams": {"ARCH": {"WIDTH": 3}}}, tmp_path / "k.pth")
    with pytest.raises(InputError, match="lacks 'TOKEN_SIZE_MUL'"):
        import_published(tmp_path / "k.pth")


def test_export_without_yacs_says_what_to_install(
    tmp_path: Path, tiny: TokenizerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yacs.config", None)
    with pytest.raises(InputError, match="pip install yacs"):
        export_published(PoseTokenizer(tiny), tmp_path / "t.pth")
