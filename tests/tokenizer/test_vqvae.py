from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from tokenizer.config import TokenizerConfig
from tokenizer.errors import InputError
from tokenizer.rotations import is_rotation, rotmat_to_rot6d
from tokenizer.vqvae import PoseTokenizer


@pytest.fixture
def tokenizer(tiny: TokenizerConfig) -> PoseTokenizer:
    torch.manual_seed(0)
    tokenizer = PoseTokenizer(tiny)
    tokenizer.quantizer.set_codebook(torch.randn(48, 32) / 10)
    return tokenizer.eval()


def test_encode_then_decode_is_the_training_pass(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    reconstruction = tokenizer(rotmat_to_rot6d(rotmats))
    indices = tokenizer.encode(rotmats)
    assert torch.equal(indices, reconstruction.quantized.indices)
    torch.testing.assert_close(tokenizer.decode(indices), reconstruction.rotmats)
    assert is_rotation(tokenizer.decode(indices)).all()


def test_bfloat16_training_pass_stays_near_float32(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    rot6d = rotmat_to_rot6d(rotmats)
    whole = tokenizer(rot6d)
    with torch.autocast("cpu", torch.bfloat16):
        half = tokenizer.train()(rot6d)
        (half.rotmats.square().mean() + half.quantized.commitment_loss).backward()
    assert half.rotmats.dtype == half.quantized.commitment_loss.dtype == torch.float32
    assert tokenizer.quantizer.codebook.dtype == torch.float32
    same = half.quantized.indices == whole.quantized.indices
    assert same.float().mean() > 0.8
    torch.testing.assert_close(
        half.quantized.commitment_loss, whole.quantized.commitment_loss, rtol=0.03, atol=0
    )
    assert all(p.grad is not None and p.grad.isfinite().all() for p in tokenizer.parameters())


def test_absent_joints_are_zeroed_after_decoding(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    absent = torch.zeros(6, 21, dtype=torch.bool)
    absent[0, [3, 6, 9]] = True
    indices = tokenizer.encode(rotmats)
    decoded, whole = tokenizer.decode(indices, absent), tokenizer.decode(indices)
    assert not decoded[absent].any()
    assert torch.equal(decoded[~absent], whole[~absent])


def test_certain_logits_decode_to_the_code_s_pose(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    indices = tokenizer.encode(rotmats)
    soft = tokenizer.soft_decode(F.one_hot(indices, 48).float())
    torch.testing.assert_close(soft, tokenizer.decoder(tokenizer.quantizer.lookup(indices)))


def test_soft_decode_carries_gradients_to_the_logits(tokenizer: PoseTokenizer) -> None:
    logits = torch.randn(1, 40, 48, requires_grad=True)
    tokenizer.soft_decode(logits.softmax(-1)).square().sum().backward()
    assert logits.grad is not None and (logits.grad != 0).any(-1).all()


def test_encoding_never_moves_the_codebook(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    before = tokenizer.quantizer.codebook.clone()
    tokenizer.train().encode(rotmats)
    assert torch.equal(tokenizer.quantizer.codebook, before)


def test_bad_poses_are_refused(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    with pytest.raises(InputError, match="23 joints"):
        tokenizer.encode(torch.eye(3).expand(2, 23, 3, 3))
    rotmats[1, 2] = torch.nan
    with pytest.raises(InputError, match="pose 1, joint 2"):
        tokenizer.encode(rotmats)


def test_file_round_trip(tokenizer: PoseTokenizer, rotmats: torch.Tensor, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    tokenizer.save(path)
    loaded = PoseTokenizer.load(path, tokenizer.config)
    assert loaded.config == tokenizer.config and not loaded.training
    state = tokenizer.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    assert torch.equal(loaded.encode(rotmats), tokenizer.encode(rotmats))
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_bad_files_are_refused_in_one_line(tokenizer: PoseTokenizer, tmp_path: Path) -> None:
    whole, cut, foreign = (tmp_path / name for name in ("whole", "cut", "foreign"))
    tokenizer.save(whole)
    cut.write_bytes(whole.read_bytes()[:-100])
    save_file({"x": torch.zeros(2)}, foreign)
    for path, message in (
        (cut, "no whole safetensors"),
        (foreign, "not a tokenizer file"),
        (tmp_path / "no", "no such"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            PoseTokenizer.load(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"num_tokens 40 \(config: 320\)"):
        PoseTokenizer.load(whole, TokenizerConfig())
