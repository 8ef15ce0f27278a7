"""A puppet that stands where a trained regressor would, and a real regressor of the least size."""

from __future__ import annotations

import pytest
import torch
from puppet import Puppet

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.inference.predictor import AJAHR


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def torch_body(body):
    return Body(body)


@pytest.fixture
def puppet(torch_body):
    return Puppet(torch_body)


@pytest.fixture
def model(puppet):
    return AJAHR(puppet, device="cpu", batch_size=4)


@pytest.fixture(scope="session")
def weights(tmp_path_factory, torch_body):
    """A saved regressor with random weights."""
    from ajahr.models.config import (
        BackboneConfig,
        BpacConfig,
        DecoderConfig,
        RegressorConfig,
        TokenHeadConfig,
    )
    from ajahr.models.pretrained import save_pretrained
    from ajahr.models.regressor import Regressor
    from tokenizer.config import TokenizerConfig

    torch.manual_seed(0)
    shape = TokenizerConfig(num_tokens=20, num_codes=16, code_dim=16, width=16)
    config = RegressorConfig.preset(
        "tiny",
        name="least",
        backbone=BackboneConfig(width=24, depth=1, heads=2, drop_path=0.0),
        bpac=BpacConfig(widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), resolution=32),
        decoder=DecoderConfig(width=32, depth=1, heads=2, mlp_width=32, head_width=16),
        token_head=TokenHeadConfig(width=16, mixers=1, token_mlp_width=16, channel_mlp_width=16),
        tokenizers={"amputee": shape, "intact": shape},
    )
    folder = tmp_path_factory.mktemp("weights") / "least"
    return save_pretrained(Regressor(config, torch_body), folder)
