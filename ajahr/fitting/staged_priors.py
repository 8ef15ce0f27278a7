"""Priors over body poses for the staged fit: the shipped mixture, the user's GMM or VPoser, a pose tokenizer.

None of the licensed files is needed: `MixturePrior.shipped` is the project's own. A prior never sees the joints
that a person lacks: their deviations count as zero.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ajahr.anatomy import NUM_TOKENIZER_JOINTS
from ajahr.body.smpl_file import open_npz
from ajahr.body.unpickle import read_pickle, resolve
from ajahr.errors import MissingAsset, UserError
from ajahr.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat, spin_rot6d_to_rotmat
from ajahr.poses.prior import PosePrior

SIZE = 69
Projection = Callable[[Float[Tensor, "people 21 3 3"]], Float[Tensor, "people 21 3 3"]]
"""Rotations of joints 1..21 to the nearest ones a pose tokenizer can say."""


@runtime_checkable
class PoseTerm(Protocol):
    """An energy over body poses, in units of half a squared standard deviation."""

    def energy(
        self, pose: Float[Tensor, "people 23 3"], kept: Bool[Tensor, "people 23"]
    ) -> Float[Tensor, " people"]:
        """Of rotation vectors of joints 1..23; ``kept`` is False at absent joints."""
        ...


class MixturePrior:
    """A mixture of Gaussians over the 69 numbers of a body pose; the likeliest component counts.

    Args:
        means: of the components, rotation vectors (rad).
        precisions: inverse covariances.
        offsets: energy at each mean; the least becomes 0.
    """

    def __init__(
        self,
        means: Float[Tensor, "components 69"],
        precisions: Float[Tensor, "components 69 69"],
        offsets: Float[Tensor, " components"],
    ) -> None:
        self.means, self.precisions, self.offsets = means, precisions, offsets - offsets.min()

    @classmethod
    def shipped(cls) -> MixturePrior:
        """Fitted to the project's own sampler (`ajahr.poses.prior`)."""
        prior = PosePrior.load()
        return cls(prior.means.double(), prior.precisions.double(), prior.offsets.double())

    @classmethod
    def of_gaussians(cls, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> MixturePrior:
        """From a fitted mixture's own numbers.

        Raises:
            ValueError: shapes, or a covariance that is none.
        """
        count = len(weights)
        if means.shape != (count, SIZE) or covariances.shape != (count, SIZE, SIZE):
            raise ValueError(f"means {means.shape} and covars {covariances.shape} of {count} weights")
        if not (np.isfinite(means).all() and np.isfinite(covariances).all() and (weights > 0).all()):
            raise ValueError("numbers that are not finite, or weights that are not positive")
        sign, log_determinant = np.linalg.slogdet(covariances)
        if (sign <= 0).any():
            raise ValueError("a covariance that is not positive definite")
        offsets = 0.5 * log_determinant - np.log(weights)
        return cls(
            torch.from_numpy(means.astype(np.float64)),
            torch.from_numpy(np.linalg.inv(covariances.astype(np.float64))),
            torch.from_numpy(offsets),
        )

    @classmethod
    def of_poses(cls, poses: Float[np.ndarray, "poses 23 3"]) -> MixturePrior:
        """One Gaussian over poses the user has, its covariance shrunk towards a sphere (Ledoit and Wolf 2004)."""
        flat = np.asarray(poses, np.float64).reshape(len(poses), -1)
        if len(flat) < 2 or flat.shape[1] != SIZE:
            raise ValueError(f"two poses of 23 joints or more are needed, got {np.shape(poses)}")
        mean = flat.mean(0)
        off = flat - mean
        sample = off.T @ off / len(off)
        level = np.trace(sample) / SIZE
        distance = np.square(sample - level * np.eye(SIZE)).sum()
        squares = np.square(off).sum(1)
        noise = (np.square(squares).sum() / len(off) - np.square(sample).sum()) / len(off)
        share = min(1.0, max(0.0, noise / max(distance, 1e-300)))
        covariance = (1 - share) * sample + max(share * level, 1e-8) * np.eye(SIZE)
        return cls.of_gaussians(np.ones(1), mean[None], covariance[None])

    @classmethod
    def read(cls, path: str | Path) -> MixturePrior:
        """SMPLify's ``gmm_08.pkl`` (read without running it), or an npz of ``means``, ``covars``, ``weights``.

        Raises:
            UserError: missing, or not of that form.
        """
        path = Path(path)
        if not path.is_file():
            raise MissingAsset(f"there is no pose prior {path}; SMPLify's site has gmm_08.pkl")
        names = ("weights", "means", "covars")
        try:
            if path.suffix == ".npz":
                with open_npz(path) as stored:
                    arrays = [np.asarray(stored[name], np.float64) for name in names]
            else:
                content = read_pickle(path)
                if not isinstance(content, dict):
                    raise ValueError(f"it holds a {type(content).__name__}")
                arrays = [np.asarray(resolve(content[name]), np.float64) for name in names]
            return cls.of_gaussians(*arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{path} is no mixture over poses ({error}); it needs means (n, 69), covars (n, 69, 69), weights"
            ) from error

    @property
    def mean(self) -> Float[Tensor, "23 3"]:
        """Of the likeliest component."""
        return self.means[self.offsets.argmin()].reshape(-1, 3)

    def energy(
        self, pose: Float[Tensor, "people 23 3"], kept: Bool[Tensor, "people 23"]
    ) -> Float[Tensor, " people"]:
        off = pose.flatten(1)[:, None] - self.means
        off = off * kept.repeat_interleave(3, 1)[:, None]
        half = 0.5 * (off * torch.einsum("cij,pcj->pci", self.precisions, off)).sum(-1)
        return (half + self.offsets).amin(1)


class CodebookPrior:
    """Distance to the nearest pose a tokenizer's codebook can say; the code is held, and chosen anew by `choose`.

    Through the codes the distance has no useful slope, so the fit alternates: fix the code, optimise, encode.

    Args:
        project: rotations to their reconstruction; see `codebook_of`.
        spread: standard deviation (rad) of a joint about its reconstruction.
    """

    def __init__(self, project: Projection, spread: float = 0.15) -> None:
        self.project, self.spread = project, spread
        self._aim: Tensor | None = None

    @torch.no_grad()
    def choose(self, pose: Float[Tensor, "people 23 3"]) -> None:
        """Fix the codes of these poses."""
        self._aim = self.project(rotvec_to_rotmat(pose[:, :NUM_TOKENIZER_JOINTS])).to(pose)

    def energy(
        self, pose: Float[Tensor, "people 23 3"], kept: Bool[Tensor, "people 23"], rows: Tensor | None = None
    ) -> Float[Tensor, " people"]:
        """Zero before `choose`. ``rows`` are the people's numbers among those chosen for."""
        if self._aim is None:
            return pose.new_zeros(len(pose))
        aim = self._aim if rows is None else self._aim[rows]
        chord = (rotvec_to_rotmat(pose[:, :NUM_TOKENIZER_JOINTS]) - aim).square().sum((-1, -2))
        # of a small angle a, the chord's square is 2 a^2
        return 0.25 * (chord * kept[:, :NUM_TOKENIZER_JOINTS]).sum(1) / self.spread**2


def codebook_of(tokenizer) -> Projection:
    """The projection of a `tokenizer.vqvae.PoseTokenizer`: encode, nearest codes, decode."""

    def project(rotmats: Tensor) -> Tensor:
        return tokenizer.decode(tokenizer.encode(rotmats.float())).double()

    return project


def read_pose_prior(path: str | Path) -> MixturePrior | VPoser | CodebookPrior:
    """The prior a file holds: a mixture (``.pkl``, ``.npz``), one of our pose tokenizers, or VPoser's weights.

    Raises:
        UserError: missing, or none of them.
    """
    path = Path(path)
    if path.suffix in (".pkl", ".npz"):
        return MixturePrior.read(path)
    if path.suffix == ".safetensors" and path.is_file():
        from safetensors import SafetensorError, safe_open

        from tokenizer.vqvae import PoseTokenizer

        try:
            with safe_open(path, framework="pt") as file:
                ours = "config" in (file.metadata() or {})
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} is not a whole safetensors file ({error})") from error
        if ours:
            return CodebookPrior(codebook_of(PoseTokenizer.load(path)))
    return VPoser.read(path)


_LEAKY = "leaky"
_VERSIONS = (  # encoder, decoder, slope of its leaky ReLU; dropout does nothing in use
    (("bodyprior_enc_bn1", "bodyprior_enc_fc1", _LEAKY, "bodyprior_enc_bn2", "bodyprior_enc_fc2", _LEAKY,
      "bodyprior_enc_mu"),
     ("bodyprior_dec_fc1", _LEAKY, "bodyprior_dec_fc2", _LEAKY, "bodyprior_dec_out"), 0.2),
    (("encoder_net.1", "encoder_net.2", _LEAKY, "encoder_net.4", "encoder_net.6", "encoder_net.7",
      "encoder_net.8.mu"),
     ("decoder_net.0", _LEAKY, "decoder_net.3", _LEAKY, "decoder_net.5"), 0.01),
)  # fmt: skip
_NORM_EPS = 1e-5


class VPoser:
    """VPoser (Pavlakos et al., CVPR 2019), version 1 or 2, from the user's weights; both halves.

    The fit moves the latent vector z, whose energy is half its square.

    Args:
        state: weights by the published names.

    Raises:
        ValueError: the weights are of neither version.
    """

    def __init__(self, state: dict[str, Tensor]) -> None:
        known = [v for v in _VERSIONS if f"{v[1][-1]}.weight" in state]
        if not known:
            raise ValueError("neither bodyprior_dec_out nor decoder_net.5 is in it")
        self._encoder, self._decoder, self._slope = known[0]
        parts = ("weight", "bias", "running_mean", "running_var")
        self._state = {
            f"{name}.{part}": state[f"{name}.{part}"].double()
            for name in (*self._encoder, *self._decoder)
            if name != _LEAKY
            for part in (parts if state[f"{name}.weight"].ndim == 1 else parts[:2])
        }
        numbers = 3 * NUM_TOKENIZER_JOINTS
        sizes = (
            self._state[f"{self._encoder[0]}.weight"].shape[0],
            self._state[f"{self._decoder[-1]}.weight"].shape[0],
        )
        if sizes != (numbers, 2 * numbers):
            raise ValueError(
                f"it takes {sizes[0]} numbers and gives {sizes[1]}, VPoser {numbers} and {2 * numbers}"
            )
        self.latent_size = self._state[f"{self._encoder[-1]}.weight"].shape[0]

    @classmethod
    def read(cls, path: str | Path) -> VPoser:
        """Weights as ``.safetensors``, or a state dictionary of torch's (``weights_only``).

        Raises:
            UserError: missing, or not VPoser's.
        """
        path = Path(path)
        if not path.is_file():
            raise MissingAsset(f"there is no VPoser file {path}; SMPL-X's site has it")
        try:
            if path.suffix == ".safetensors":
                from safetensors.torch import load_file

                state = load_file(path)
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)
                state = state.get("state_dict", state) if isinstance(state, dict) else {}
            plain = {
                k.removeprefix("module.").removeprefix("vp_model."): v
                for k, v in state.items()
                if isinstance(v, Tensor)
            }
            return cls(plain)
        except Exception as error:  # torch and safetensors fail in many ways on a foreign file
            cause = " ".join(str(error).split())[:160]
            raise UserError(f"{path} holds no VPoser weights ({cause}); give its state dictionary") from error

    def _run(self, layers: tuple[str, ...], x: Tensor) -> Tensor:
        for name in layers:
            if name == _LEAKY:
                x = nn.functional.leaky_relu(x, self._slope)
                continue
            weight, bias = (self._state[f"{name}.{part}"] for part in ("weight", "bias"))
            if weight.ndim == 2:
                x = x @ weight.T + bias
            else:
                mean, variance = (self._state[f"{name}.running_{part}"] for part in ("mean", "var"))
                x = (x - mean) / (variance + _NORM_EPS).sqrt() * weight + bias
        return x

    def encode(self, pose: Float[Tensor, "people 23 3"]) -> Float[Tensor, "people latent"]:
        """The mean of z for rotation vectors of joints 1..23, of which it sees the first 21."""
        return self._run(self._encoder, pose[:, :NUM_TOKENIZER_JOINTS].flatten(1))

    def decode(self, latent: Float[Tensor, "people latent"]) -> Float[Tensor, "people 23 3"]:
        """Rotation vectors of joints 1..23; the hands are at rest."""
        six = self._run(self._decoder, latent).view(len(latent), NUM_TOKENIZER_JOINTS, 6)
        rotvec = rotmat_to_rotvec(spin_rot6d_to_rotmat(six))
        return torch.cat([rotvec, rotvec.new_zeros(len(latent), 2, 3)], 1)
