"""The pose tokenizer: encoder, codebook, decoder (AJAHR Sec. 3.3.2; TokenHMR's architecture).

    tokenizer = PoseTokenizer.load("amputee.safetensors")
    indices = tokenizer.encode(rotmats)                       # (poses, tokens)
    rotmats = tokenizer.decode(indices, absent_joints)        # zero matrices where a joint is absent
    rot6d = tokenizer.soft_decode(logits.softmax(-1))         # what a regressor uses

Poses are the 21 body joints without root and hands. The rotations of absent joints are encoded and learned
like any other: zero matrices would make the 6D orthogonalisation degenerate. Zeroing comes after decoding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tokenizer.config import TokenizerConfig
from tokenizer.decoder import Decoder
from tokenizer.encoder import Encoder
from tokenizer.errors import InputError
from tokenizer.quantizer import Quantized, Quantizer
from tokenizer.rotations import require_rotations, rot6d_to_rotmat, rotmat_to_rot6d, zero_absent_joints

_FORMAT = "ajahr-tokenizer"


class Reconstruction(NamedTuple):
    """One pass through the whole VQ-VAE."""

    rot6d: Float[Tensor, "batch joints 6"]
    """As the decoder gives it, not orthonormal."""
    rotmats: Float[Tensor, "batch joints 3 3"]
    """The same, orthonormalised; no joint zeroed."""
    quantized: Quantized


class PoseTokenizer(nn.Module):
    """VQ-VAE over body poses."""

    def __init__(self, config: TokenizerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TokenizerConfig()
        self.encoder = Encoder(config)
        self.quantizer = Quantizer(
            config.num_codes, config.code_dim, config.ema_decay, config.dead_code_threshold
        )
        self.decoder = Decoder(config)

    def forward(self, rot6d: Float[Tensor, "batch joints 6"]) -> Reconstruction:
        """Training pass; ``rot6d`` holds the first two rows of each joint's matrix."""
        quantized = self.quantizer(self.encoder(rot6d))
        decoded = self.decoder(quantized.codes).float()
        return Reconstruction(decoded, rot6d_to_rotmat(decoded), quantized)

    @torch.no_grad()
    def encode(self, rotmats: Float[Tensor, "batch joints 3 3"]) -> Int[Tensor, "batch tokens"]:
        """Code indices of poses.

        Raises:
            InputError: NaN, matrices that are no rotations, another joint count.
        """
        require_rotations(rotmats, self.config.num_joints, "poses to encode")
        rot6d = rotmat_to_rot6d(rotmats).to(self.quantizer.codebook.dtype)
        return self.quantizer.nearest(self.encoder(rot6d))

    def decode(
        self, indices: Int[Tensor, "batch tokens"], absent_joints: Bool[Tensor, "batch joints"] | None = None
    ) -> Float[Tensor, "batch joints 3 3"]:
        """Rotation matrices of codes; the zero matrix for absent joints."""
        rot6d = self.decoder(self.quantizer.lookup(indices)).float()
        return zero_absent_joints(rot6d_to_rotmat(rot6d), absent_joints)

    def soft_decode(
        self, probabilities: Float[Tensor, "batch tokens codes"]
    ) -> Float[Tensor, "batch joints 6"]:
        """6D rotations of mixed codes, differentiable; a regressor adds its mean pose to them."""
        return self.decoder(self.quantizer.soft_lookup(probabilities))

    # ---------------------------------------------------------------------------------------- files

    def save(self, path: str | Path) -> None:
        """Write config and all weights, codebook statistics included, as one safetensors file."""
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        metadata = {"format": _FORMAT, "config": json.dumps(self.config.to_dict())}
        temporary = Path(f"{path}.partial")
        save_file(state, temporary, metadata=metadata)
        temporary.replace(path)

    @classmethod
    def load(cls, path: str | Path, expected: TokenizerConfig | None = None) -> PoseTokenizer:
        """Read what `save` wrote, in evaluation mode on the CPU.

        Args:
            expected: If given, a file of another shape is refused.

        Raises:
            InputError: missing, truncated or foreign file, or another config than expected.
        """
        if not Path(path).is_file():
            raise InputError(f"{path}: no such tokenizer file; train one or import one")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError as error:
            raise InputError(f"{path}: no whole safetensors file ({error}); copy it again") from error
        if metadata.get("format") != _FORMAT:
            raise InputError(
                f"{path}: not a tokenizer file; published .pth checkpoints must be imported first"
            )
        config = TokenizerConfig.from_dict(json.loads(metadata["config"]))
        if expected is not None:
            expected.require_equal(config, str(path))
        tokenizer = cls(config)
        tokenizer.load_state_dict(state)
        return tokenizer.eval()
