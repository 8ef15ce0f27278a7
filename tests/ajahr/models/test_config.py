from __future__ import annotations

import json

import pytest

from ajahr.errors import UserError
from ajahr.models.config import BpacConfig, RegressorConfig
from tokenizer.config import TokenizerConfig


@pytest.mark.parametrize("name", ["paper", "base", "small", "tiny"])
@pytest.mark.parametrize("head", ["ajahr", "tokenhmr", "hmr2"])
@pytest.mark.parametrize("bpac", [None, BpacConfig(noise_ratio=25.0)])
def test_survives_json(name, head, bpac) -> None:
    config = RegressorConfig.preset(name, pose_head=head, bpac=bpac)
    assert RegressorConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_weights_of_before_looks_had_none() -> None:
    values = RegressorConfig.preset("tiny").to_dict()
    assert values["bpac"].pop("looks") is True
    found = RegressorConfig.from_dict(values).bpac
    assert found is not None and not found.looks


def test_baselines_of_tiny_keep_its_tokenizers_shape() -> None:
    config = RegressorConfig.preset("tiny", pose_head="tokenhmr")
    assert config.tokenizer_config("single").num_tokens == 80
    assert RegressorConfig.preset("paper").tokenizer_config("amputee").num_tokens == 320


def test_frame_of_keypoints() -> None:
    assert RegressorConfig().keypoint_frame == "crop"
    assert RegressorConfig(bpac=BpacConfig(legacy_demo=True)).keypoint_frame == "image"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RegressorConfig.preset("large"), "'large' is no preset"),
        (lambda: BpacConfig(resolution=100), "resolution is 100"),
        (lambda: BpacConfig(noise_ratio=150.0), "noise_ratio is 150"),
        (lambda: BpacConfig(looks=True), "bpac.looks needs bpac.reads: features"),
        (lambda: RegressorConfig(tokenizers={"single": TokenizerConfig()}), "has amputee and intact"),
        (
            lambda: RegressorConfig(tokenizers={"amputee": TokenizerConfig(num_tokens=160)}),
            "have 160 and 320 tokens, the token head 160",
        ),
        (
            lambda: RegressorConfig(tokenizers={"intact": TokenizerConfig(num_codes=1024)}),
            "different numbers of codes",
        ),
        (lambda: RegressorConfig.from_dict({"depht": 1}), "has no depht"),
    ],
)
def test_what_does_not_go_together(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
