"""Twins written from the published layer list, by stock torch calls alone, and poses to feed them."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tokenizer.config import TokenizerConfig
from tokenizer.rotations import rotvec_to_rotmat


@pytest.fixture
def tiny() -> TokenizerConfig:
    """Smallest network that takes every path, the fast convolutions included (32 channels and more)."""
    return TokenizerConfig(num_tokens=40, num_codes=48, code_dim=32, width=32)


def random_rotmats(count: int, seed: int = 0, angle: float = 0.6) -> Tensor:
    """(count, 21, 3, 3) rotations with rotation vectors of that standard deviation (rad)."""
    generator = torch.Generator().manual_seed(seed)
    return rotvec_to_rotmat(torch.randn(count, 21, 3, generator=generator) * angle)


@pytest.fixture
def rotmats() -> Tensor:
    return random_rotmats(6)


@pytest.fixture
def make_rotmats():
    return random_rotmats


@pytest.fixture
def make_rotvecs():
    def make(count: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).normal(0, 0.5, (count, 63)).astype(np.float32)

    return make


@pytest.fixture
def fake_yacs(monkeypatch: pytest.MonkeyPatch) -> type:
    """A module with the class published checkpoints name, made the way yacs makes it: a dict with settings."""

    class CfgNode(dict):
        def __init__(self, values: dict) -> None:
            super().__init__({k: CfgNode(v) if isinstance(v, dict) else v for k, v in values.items()})
            self.__dict__["__immutable__"] = False
            self.__dict__["__new_allowed__"] = True

    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    package, module = types.ModuleType("yacs"), types.ModuleType("yacs.config")
    module.CfgNode = CfgNode  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "yacs", package)
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    return CfgNode


class Published:
    """The published network on a published state dict, channels first, for any token count 10 * 2^m."""

    def __init__(self, state: dict[str, Tensor], doublings: int, decoder_lengths: tuple[int, ...]) -> None:
        self.state, self.doublings, self.decoder_lengths = state, doublings, decoder_lengths

    def conv(self, x: Tensor, name: str, **options: int) -> Tensor:
        return F.conv1d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], **options)

    def residual_block(self, x: Tensor, name: str) -> Tensor:
        for unit, dilation in ((0, 3), (1, 1)):
            path = f"{name}.model.{unit}"
            inner = self.conv(F.relu(x), f"{path}.conv1", padding=dilation, dilation=dilation)
            x = x + self.conv(F.relu(inner), f"{path}.conv2")
        return x

    def encode(self, rot6d: Tensor) -> Tensor:
        x = F.relu(self.conv(rot6d.transpose(1, 2), "encoder.encoder.0", padding=1))
        x = F.relu(self.conv(F.interpolate(x, size=40), "encoder.encoder.3", padding=1))
        for i in range(1, self.doublings):
            x = F.interpolate(x, scale_factor=2)
            x = F.relu(self.conv(x, f"encoder.encoder.{3 + 3 * i}", padding=1))
        block = 2 + 3 * self.doublings
        x = self.conv(x, f"encoder.encoder.{block}.0", stride=2, padding=1)
        x = self.residual_block(x, f"encoder.encoder.{block}.1")
        return self.conv(x, f"encoder.encoder.{block + 1}", padding=1).transpose(1, 2)

    def nearest(self, latents: Tensor) -> Tensor:
        return torch.cdist(latents.double(), self.state["quantizer.codebook"].double()).argmin(-1)

    def decode(self, codes: Tensor) -> Tensor:
        x = F.relu(self.conv(codes.transpose(1, 2), "decoder.decoder.0", padding=1))
        for i, length in enumerate(self.decoder_lengths):
            x = F.relu(self.conv(F.interpolate(x, size=length), f"decoder.decoder.{3 + 3 * i}", padding=1))
        x = self.residual_block(x, "decoder.decoder.14.0")
        x = self.conv(x, "decoder.decoder.14.1", padding=1)
        return self.conv(x, "decoder.decoder.15", padding=1).transpose(1, 2)


@pytest.fixture
def published() -> type[Published]:
    return Published
