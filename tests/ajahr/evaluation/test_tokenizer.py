from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ajahr.anatomy import absent_joint_mask
from ajahr.evaluation.tokenizer import BankScores, evaluate_banks, load_tokenizer
from ajahr.training.pose_mesh import PoseMesh
from tokenizer.banks import PoseBank, open_bank, write_bank
from tokenizer.config import TokenizerConfig
from tokenizer.errors import InputError
from tokenizer.rotations import rot6d_to_rotmat, rotvec_to_rotmat
from tokenizer.vqvae import PoseTokenizer

LEVELS = np.array([[0, 0, 0, 0], [2, 0, 0, 0], [0, 1, 0, 3], [0, 0, 0, 0], [0, 0, 2, 0]])


class BentElbow(PoseTokenizer):
    """A tokenizer that is perfect but for the left elbow, which it turns by a right angle."""

    def __init__(self) -> None:
        super().__init__(TokenizerConfig(num_tokens=20, num_codes=4, code_dim=8, width=8))

    def forward(self, rot6d):
        rotmats = rot6d_to_rotmat(rot6d)
        turn = rotvec_to_rotmat(torch.tensor([[0.0, np.pi / 2, 0.0]]))
        rotmats[:, 17] = rotmats[:, 17] @ turn
        indices = torch.tensor([[0, 1]]).expand(len(rotmats), 2)
        return SimpleNamespace(rotmats=rotmats, quantized=SimpleNamespace(indices=indices))


@pytest.fixture(scope="module")
def body() -> PoseMesh:
    return PoseMesh()


@pytest.fixture
def bank(tmp_path: Path) -> PoseBank:
    poses = np.random.default_rng(0).normal(0, 0.3, (5, 63)).astype(np.float32)
    write_bank(tmp_path / "b.npz", poses, absent_joint_mask(LEVELS)[:, 1:22])
    return open_bank(tmp_path / "b.npz")


@pytest.fixture
def scores(body: PoseMesh, bank: PoseBank) -> BankScores:
    return evaluate_banks(BentElbow(), body, "b", [bank], batch_size=2)


def test_by_hand(scores: BankScores, body: PoseMesh, bank: PoseBank) -> None:
    """Only the left wrist moves: by forearm times the chord of a right angle."""
    truth = bank.rotmats(np.arange(5))
    joints, vertices = [], []
    for one in truth:  # twin: one pose after the other, in float64
        ours = BentElbow()(one[None, :, :2].flatten(2)).rotmats
        (v, j), (tv, tj) = body(ours), body(one[None])
        joints.append((j - tj)[0].double().norm(dim=-1).numpy() * 1000)
        vertices.append((v - tv)[0].double().norm(dim=-1).numpy() * 1000)
    moved = np.array(joints)
    assert (moved[:, [j for j in range(21) if j != 19]] < 1e-2).all() and (moved[:, 19] > 200).all()
    assert scores.whole.poses == 5
    assert scores.whole.mpjpe_mm == pytest.approx(moved.mean(), rel=1e-4)
    assert scores.whole.mve_mm == pytest.approx(np.mean(vertices), rel=1e-4)
    assert scores.rotation_deg == pytest.approx(90 / 21, rel=1e-3)
    assert scores.dead_codes == 0.5 and scores.perplexity == pytest.approx(2, rel=1e-4)
    assert scores.by_limb["left_arm"].mpjpe_mm == pytest.approx(moved[:, [15, 17, 19]].mean(), rel=1e-4)
    for limb in ("right_arm", "left_leg", "right_leg", "trunk_and_head"):
        assert scores.by_limb[limb].mpjpe_mm < 1e-2 and scores.by_limb[limb].mve_mm < 1


def test_levels(scores: BankScores) -> None:
    groups = {name: errors.poses for name, errors in scores.by_level.items()}
    assert groups == {"intact": 2, "amputee": 3, "hand": 1, "elbow": 1, "knee": 1, "hip": 1}
    elbow, knee = scores.by_level["elbow"], scores.by_level["knee"]
    assert elbow.mpjpe_mm > 9 and elbow.present_mpjpe_mm < 1e-2  # what is wrong is what is lost
    assert elbow.present_mve_mm < elbow.mve_mm / 5
    assert knee.present_mpjpe_mm > knee.mpjpe_mm  # the same error over fewer joints


def test_batches_change_nothing_and_limit_spreads(scores: BankScores, body: PoseMesh, bank: PoseBank) -> None:
    whole = evaluate_banks(BentElbow(), body, "b", [bank])
    assert whole.whole.mpjpe_mm == pytest.approx(scores.whole.mpjpe_mm, rel=1e-6)
    some = evaluate_banks(BentElbow(), body, "b", [bank, bank], limit=2)
    assert some.whole.poses == 4 and some.by_level["knee"].poses == 2


def test_loads_saved_tokenizers_and_says_what_is_wrong(tmp_path: Path) -> None:
    tokenizer = PoseTokenizer(TokenizerConfig(num_tokens=20, num_codes=8, code_dim=8, width=8))
    tokenizer.save(tmp_path / "t.safetensors")
    assert load_tokenizer(tmp_path / "t.safetensors").config == tokenizer.config
    (tmp_path / "x.ckpt").write_bytes(b"junk")
    for name in ("no.safetensors", "no.pth", "no.ckpt", "x.ckpt"):
        with pytest.raises(InputError, match=name):
            load_tokenizer(tmp_path / name)
