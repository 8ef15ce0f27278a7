"""Pose priors of the staged fit: formulas, the user's files read without running them, what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ajahr.errors import UserError
from ajahr.fitting.staged_priors import CodebookPrior, MixturePrior, VPoser, codebook_of, read_pose_prior
from ajahr.geometry.rotations import rotvec_to_rotmat
from ajahr.poses.prior import PosePrior
from ajahr.poses.sampler import sample_pose

ALL = torch.ones(4, 23, dtype=torch.bool)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gmm(count: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(count, 69, 69)) * 0.1
    return {
        "means": rng.normal(0, 0.3, (count, 69)),
        "covars": mixing @ mixing.transpose(0, 2, 1) + np.eye(69) * 0.05,
        "weights": rng.dirichlet(np.ones(count)),
    }


def test_a_published_mixture_is_smplifys_formula(tmp_path):
    parts = gmm()
    (tmp_path / "gmm_08.pkl").write_bytes(pickle.dumps(parts, protocol=2))
    np.savez(tmp_path / "gmm.npz", **parts)
    pose = 0.3 * randn(4, 23, 3)
    expected = np.full((4, 3), np.inf)
    least = min(np.linalg.slogdet(c)[1] for c in parts["covars"])
    for k, (mean, cov, weight) in enumerate(
        zip(parts["means"], parts["covars"], parts["weights"], strict=True)
    ):
        off = pose.flatten(1).numpy() - mean
        ratio = np.exp(0.5 * (np.linalg.slogdet(cov)[1] - least))
        square = np.einsum("pi,ij,pj->p", off, np.linalg.inv(cov), off)
        expected[:, k] = 0.5 * square - np.log(weight / ((2 * np.pi) ** 34.5 * ratio))
    expected = expected.min(1)
    for path in ("gmm_08.pkl", "gmm.npz"):
        found = MixturePrior.read(tmp_path / path).energy(pose, ALL).numpy()
        np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-8)


def test_absent_joints_play_no_part():
    prior = MixturePrior.shipped()
    pose, other, kept = 0.3 * randn(4, 23, 3), 0.3 * randn(4, 23, 3), ALL.clone()
    kept[:, [3, 6, 9]] = False
    other[:, [j for j in range(23) if j not in (3, 6, 9)]] = pose[
        :, [j for j in range(23) if j not in (3, 6, 9)]
    ]
    torch.testing.assert_close(prior.energy(pose, kept), prior.energy(other, kept))
    assert (prior.energy(pose, ALL) > prior.energy(pose, kept)).all()


def test_the_shipped_mixture_is_near_its_smooth_self():
    pose = torch.from_numpy(np.stack([
        sample_pose(np.random.default_rng(k), "everyday").body_pose for k in range(4)
    ])).double()  # fmt: skip
    smooth = PosePrior.load().energy(pose)
    assert (MixturePrior.shipped().energy(pose, ALL) - smooth).abs().max() < 3


def test_a_gaussian_of_few_poses_is_proper_and_of_many_is_theirs():
    rng = np.random.default_rng(0)
    few = MixturePrior.of_poses(rng.normal(0, 0.2, (5, 23, 3)))
    assert torch.linalg.eigvalsh(few.precisions[0]).min() > 0
    spread = np.linspace(0.1, 0.5, 69)
    many = MixturePrior.of_poses((rng.normal(size=(20000, 69)) * spread).reshape(-1, 23, 3))
    np.testing.assert_allclose(many.precisions[0].diagonal().numpy(), 1 / spread**2, rtol=0.15)


def test_the_codebook_pulls_to_what_it_can_say_and_is_held():
    calls = []

    def project(rotmats):
        calls.append(len(rotmats))
        return torch.eye(3, dtype=rotmats.dtype).expand_as(rotmats)

    prior = CodebookPrior(project, spread=0.2)
    pose = torch.zeros(4, 23, 3, dtype=torch.float64)
    pose[1, 4, 0], pose[2, 22, 0] = 0.1, 0.7
    assert (prior.energy(pose, ALL) == 0).all()
    prior.choose(pose)
    found = prior.energy(pose, ALL)
    assert found[0] == 0 and found[2] == 0 and len(calls) == 1  # the hands are beyond the 21 joints
    assert found[1] == pytest.approx(0.5 * (0.1 / 0.2) ** 2, rel=0.01)
    kept = ALL.clone()
    kept[1, 4] = False
    assert prior.energy(pose, kept)[1] == 0
    assert prior.energy(pose[1:2], ALL[1:2], torch.tensor([1]))[0] == found[1]


def test_a_tokenizer_is_a_projection():
    class Tokenizer:
        def encode(self, rotmats):
            assert rotmats.dtype == torch.float32
            return rotmats.sum((1, 2, 3)).long()

        def decode(self, indices):
            return torch.eye(3).expand(len(indices), 21, 3, 3)

    found = codebook_of(Tokenizer())(rotvec_to_rotmat(randn(2, 21, 3)))
    assert found.dtype == torch.float64 and found.shape == (2, 21, 3, 3)


# ----------------------------------------------------------------------------------------------- VPoser


class First(nn.Module):
    """Version 1's layers under their published names."""

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.bodyprior_enc_bn1, self.bodyprior_enc_fc1 = nn.BatchNorm1d(63), nn.Linear(63, hidden)
        self.bodyprior_enc_bn2, self.bodyprior_enc_fc2 = nn.BatchNorm1d(hidden), nn.Linear(hidden, hidden)
        self.bodyprior_enc_mu, self.bodyprior_enc_logvar = nn.Linear(hidden, 32), nn.Linear(hidden, 32)
        self.bodyprior_dec_fc1, self.bodyprior_dec_fc2 = nn.Linear(32, hidden), nn.Linear(hidden, hidden)
        self.bodyprior_dec_out = nn.Linear(hidden, 126)

    def mean(self, x):
        leaky = nn.LeakyReLU(0.2)
        x = self.bodyprior_enc_bn2(leaky(self.bodyprior_enc_fc1(self.bodyprior_enc_bn1(x))))
        return self.bodyprior_enc_mu(leaky(self.bodyprior_enc_fc2(x)))

    def six(self, z):
        leaky = nn.LeakyReLU(0.2)
        return self.bodyprior_dec_out(leaky(self.bodyprior_dec_fc2(leaky(self.bodyprior_dec_fc1(z)))))


class Second(nn.Module):
    """Version 2's, in sequences whose first layer flattens."""

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        head = nn.ModuleDict({"mu": nn.Linear(hidden, 32), "logvar": nn.Linear(hidden, 32)})
        self.encoder_net = nn.ModuleList([
            nn.Flatten(), nn.BatchNorm1d(63), nn.Linear(63, hidden), nn.LeakyReLU(), nn.BatchNorm1d(hidden),
            nn.Dropout(),
            nn.Linear(hidden, hidden), nn.Linear(hidden, hidden), head,
        ])  # fmt: skip
        self.decoder_net = nn.Sequential(
            nn.Linear(32, hidden), nn.LeakyReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.LeakyReLU(),
            nn.Linear(hidden, 126),
        )  # fmt: skip

    def mean(self, x):
        for layer in list(self.encoder_net)[:-1]:
            x = layer(x)
        return self.encoder_net[-1]["mu"](x)

    def six(self, z):
        return self.decoder_net(z)


@pytest.mark.parametrize(("make", "prefix"), [(First, ""), (Second, "vp_model.")])
def test_vposer_is_its_published_layers(make, prefix, tmp_path):
    torch.manual_seed(0)
    network = make().double()
    network.mean(randn(50, 63))  # the running means are no longer zero
    network.eval()
    state = {prefix + k: v for k, v in network.state_dict().items()}
    save_file(state, tmp_path / "vposer.safetensors")
    torch.save({"state_dict": state}, tmp_path / "vposer.pt")
    pose, z = 0.3 * randn(4, 23, 3), randn(4, 32, seed=1)
    six = network.six(z).view(-1, 3, 2)
    first = nn.functional.normalize(six[..., 0], dim=1)
    second = six[..., 1] - (first * six[..., 1]).sum(1, keepdim=True) * first
    second = nn.functional.normalize(second, dim=1)
    rotmats = torch.stack([first, second, torch.linalg.cross(first, second)], -1).view(4, 21, 3, 3)
    for name in ("vposer.safetensors", "vposer.pt"):
        found = VPoser.read(tmp_path / name)
        assert found.latent_size == 32
        torch.testing.assert_close(found.encode(pose), network.mean(pose[:, :21].flatten(1)).detach())
        decoded = found.decode(z)
        assert decoded.shape == (4, 23, 3) and (decoded[:, 21:] == 0).all()
        torch.testing.assert_close(rotvec_to_rotmat(decoded[:, :21]), rotmats.detach(), atol=1e-6, rtol=0)


def test_a_file_is_the_prior_it_holds(tmp_path):
    from hmr_runs import TOKENIZER

    from tokenizer.vqvae import PoseTokenizer

    PoseTokenizer(TOKENIZER).eval().save(tmp_path / "intact.safetensors")
    found = read_pose_prior(tmp_path / "intact.safetensors")
    assert isinstance(found, CodebookPrior)
    pose = 0.2 * randn(4, 23, 3)
    found.choose(pose)
    assert (found.energy(pose, ALL) > 0).all()
    np.savez(tmp_path / "gmm.npz", **gmm())
    assert isinstance(read_pose_prior(tmp_path / "gmm.npz"), MixturePrior)
    save_file(First().state_dict(), tmp_path / "vposer.safetensors")
    assert isinstance(read_pose_prior(tmp_path / "vposer.safetensors"), VPoser)
    (tmp_path / "half.safetensors").write_bytes(b"half")
    with pytest.raises(UserError, match="not a whole safetensors"):
        read_pose_prior(tmp_path / "half.safetensors")


def test_what_is_no_prior_is_refused(tmp_path):
    with pytest.raises(UserError, match="no pose prior"):
        MixturePrior.read(tmp_path / "none.pkl")
    np.savez(tmp_path / "a.npz", means=np.zeros((1, 69)))
    with pytest.raises(UserError, match="no mixture over poses"):
        MixturePrior.read(tmp_path / "a.npz")
    bad = gmm()
    bad["covars"][1] *= -1
    np.savez(tmp_path / "b.npz", **bad)
    with pytest.raises(UserError, match="not positive definite"):
        MixturePrior.read(tmp_path / "b.npz")
    with pytest.raises(UserError, match="no VPoser file"):
        VPoser.read(tmp_path / "none.pt")
    save_file({"weight": torch.zeros(3)}, tmp_path / "c.safetensors")
    with pytest.raises(UserError, match="holds no VPoser weights"):
        VPoser.read(tmp_path / "c.safetensors")
    (tmp_path / "d.pt").write_bytes(pickle.dumps({"a": print}))
    with pytest.raises(UserError, match="holds no VPoser weights"):
        VPoser.read(tmp_path / "d.pt")
