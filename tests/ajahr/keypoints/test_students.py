"""Students: the paper's counts, and shapes of every backbone and head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ajahr.errors import UserError
from ajahr.keypoints.config import KeypointConfig
from ajahr.keypoints.counts import count
from ajahr.keypoints.model import KeypointModel
from ajahr.keypoints.students import PUBLISHED_COUNTS, StudentBackbone


def meta(config: KeypointConfig) -> KeypointModel:
    with torch.device("meta"):
        return KeypointModel(config)


@pytest.mark.parametrize("name", PUBLISHED_COUNTS)
def test_counts_of_the_published_table(name: str) -> None:
    counts = count(meta(KeypointConfig(name, points=17)))
    parameters, gflops = PUBLISHED_COUNTS[name]
    assert counts.parameters_m == pytest.approx(parameters, abs=0.1)
    assert counts.gflops == pytest.approx(gflops, abs=0.1)


def test_lighter_and_wider_variants() -> None:
    light = count(meta(KeypointConfig("efficientnet_b0", "wide", feature_source="features_only")))
    assert light.parameters_m == pytest.approx(5.14, abs=0.01) and light.gflops == pytest.approx(
        1.07, abs=0.01
    )
    paper, wide = (count(meta(KeypointConfig("resnet50", head))) for head in ("paper", "wide"))
    assert wide.parameters_m - paper.parameters_m == pytest.approx(0.80 - 0.488, abs=0.02)


def test_a_25_point_student_costs_17_parameters_a_point_more() -> None:
    counts = [
        count(meta(KeypointConfig("efficientnet_b0", points=points))).parameters_m for points in (17, 25)
    ]
    assert counts[1] - counts[0] == pytest.approx(8 * 17e-6, abs=1e-9)


@pytest.mark.parametrize("source", ["forward_features", "features_only"])
@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "mobilenetv4_small", "efficientnet_b0", "resnet50"])
def test_backbones_give_maps_of_stride_4(name: str, source) -> None:
    model = meta(KeypointConfig(name, feature_source=source, presence="pool"))
    output = model(torch.zeros(2, 3, 256, 192, device="meta"))
    assert output.heatmaps is not None and output.heatmaps.shape == (2, 25, 64, 48)
    assert output.presence_logits is not None and output.presence_logits.shape == (2, 25, 2)


def test_counting_is_by_hand() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1),
        nn.ConvTranspose2d(8, 4, 4, 2, 1),
        nn.Conv2d(4, 4, 3, groups=2),
    )
    counts = count(net, 16, 16)
    by_hand = 2 * (8 * 8 * 8 * 3 * 9 + 8 * 8 * 8 * 4 * 16 + 14 * 14 * 4 * 2 * 9)
    assert counts.gflops * 1e9 == pytest.approx(by_hand)
    assert net.training and counts.parameters_m * 1e6 == sum(p.numel() for p in net.parameters())


def test_unknown_backbone() -> None:
    with pytest.raises(UserError, match="no student backbone"):
        StudentBackbone("vgg16")
