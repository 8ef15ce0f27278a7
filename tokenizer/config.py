"""What fixes a tokenizer's shape: tokens, codes, widths. A checkpoint and its config must agree on it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenizer.errors import InputError

_STEM_LENGTH = 40
"""Length after the encoder's first resize; every later one doubles it and the last layer halves it."""
_MAX_DOUBLINGS = 6

TOKEN_COUNTS: tuple[int, ...] = tuple(_STEM_LENGTH // 4 * 2**m for m in range(1, _MAX_DOUBLINGS + 1))
"""20, 40, 80, 160, 320, 640: the lengths the architecture has (AJAHR supplementary, Table C)."""


@dataclass(frozen=True)
class TokenizerConfig:
    """Shape of the VQ-VAE. The defaults are the paper's (AJAHR supplementary H).

    Args:
        num_tokens: Tokens per pose, one of `TOKEN_COUNTS`.
        num_codes: Entries of the codebook.
        code_dim: Size of one code. The paper writes a codebook as ``code_dim x num_codes``.
        width: Channels of the hidden layers.
        depth: Residual units in the encoder's and in the decoder's block.
        dilation_rate: Dilation grows by this factor per unit, the widest unit first.
        decoder_steps: Resampling steps from ``num_tokens`` down to ``num_joints``.
        num_joints: Joints of a pose without the root; SMPL-H's 21 body joints.
        ema_decay: Share of the old sums and counts that a codebook update keeps.
        dead_code_threshold: A code whose running count falls below it is replaced by a latent.
    """

    num_tokens: int = 320
    num_codes: int = 2048
    code_dim: int = 256
    width: int = 512
    depth: int = 2
    dilation_rate: int = 3
    decoder_steps: int = 4
    num_joints: int = 21
    ema_decay: float = 0.99
    dead_code_threshold: float = 1.0

    def __post_init__(self) -> None:
        if self.num_tokens not in TOKEN_COUNTS:
            counts = ", ".join(map(str, TOKEN_COUNTS))
            raise InputError(
                f"num_tokens is {self.num_tokens}: the architecture has {counts}; choose one of them"
            )
        for name in ("num_codes", "code_dim", "width", "decoder_steps", "dilation_rate", "num_joints"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: give at least 1")
        if self.depth < 0:
            raise InputError(f"depth is {self.depth}: give 0 or more")
        if not 0 <= self.ema_decay < 1:
            raise InputError(f"ema_decay is {self.ema_decay}: give a number from 0 up to, but not, 1")

    @property
    def doublings(self) -> int:
        """How often the encoder's sequence is upsampled, the first resize included: m in 10 * 2^m tokens."""
        return TOKEN_COUNTS.index(self.num_tokens) + 1

    @property
    def stem_length(self) -> int:
        """Length after the first resize."""
        return _STEM_LENGTH

    @property
    def dilations(self) -> tuple[int, ...]:
        """Of the residual units in order: 3, 1 for the paper's depth and rate."""
        return tuple(self.dilation_rate**i for i in reversed(range(self.depth)))

    @property
    def decoder_lengths(self) -> tuple[int, ...]:
        """Lengths the decoder resamples to: 245, 170, 95, 21 for 320 tokens."""
        steps = np.linspace(self.num_joints, self.num_tokens, self.decoder_steps, endpoint=False)
        return tuple(int(length) for length in reversed(steps))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they are written into checkpoints."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TokenizerConfig:
        """Inverse of `to_dict`.

        Raises:
            InputError: a name that no version of this class had.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"tokenizer config has unknown entries {unknown}; made by another version?")
        return cls(**values)

    def require_equal(self, other: TokenizerConfig, what: str) -> None:
        """Refuse ``other``, the config of ``what`` (a file), where its shape differs from this one.

        Raises:
            InputError: naming every differing entry.
        """
        update_rule = {"ema_decay", "dead_code_threshold"}  # may change between runs, shapes may not
        mine, theirs = self.to_dict(), other.to_dict()
        wrong = [
            f"{name} {theirs[name]} (config: {mine[name]})"
            for name in mine
            if name not in update_rule and mine[name] != theirs[name]
        ]
        if wrong:
            raise InputError(f"{what} holds another tokenizer: {', '.join(wrong)}; make the config agree")
