from __future__ import annotations

import pytest
import torch

from ajahr.errors import UserError
from ajahr.models.backbone import Backbone
from ajahr.models.bpac import BpacNet, FeatureNet
from ajahr.models.config import BackboneConfig, BpacConfig, RegressorConfig
from ajahr.models.stem import ConvStem

STEM = (8, 12, 16)


def small(**changes) -> Backbone:
    torch.manual_seed(0)
    return Backbone(BackboneConfig(**{"width": 32, "depth": 1, "heads": 2, "stem": STEM, **changes})).eval()


@pytest.mark.parametrize("resolution", [256, 128, 64])
def test_grids_are_the_same_at_every_resolution(resolution: int) -> None:
    stem = ConvStem(STEM, 32, resolution).eval()
    picture = torch.randn(2, 3, resolution, resolution * 3 // 4)
    fine = stem.map(picture)
    assert fine.shape == (2, 16, 16, 12)
    assert stem(picture).shape == (2, 48, 32)
    torch.testing.assert_close(stem(picture), stem.tokens(fine))


def test_tokens_are_the_same_with_and_without_the_detail() -> None:
    backbone, image = small(), torch.randn(2, 3, 256, 256)
    tokens, detail = backbone.with_detail(image)
    torch.testing.assert_close(tokens, backbone(image), atol=1e-5, rtol=1e-5)
    assert detail.shape == (2, backbone.detail_width, 16, 12)
    # each token stands on its own four cells, beside the stem's map
    torch.testing.assert_close(detail[:, 16:, 5, 7], tokens[:, 2 * 6 + 3])
    outside = image.clone()
    outside[..., :32] = 5
    assert torch.equal(backbone.with_detail(outside)[1], detail)


def test_a_cell_sees_its_own_place() -> None:
    """The finer map moves with the picture: a change in the lower right leaves the upper left as it was."""
    stem, picture = ConvStem(STEM, 32, 256).eval(), torch.randn(1, 3, 256, 192)
    changed = picture.clone()
    changed[..., 200:, 140:] = 3
    moved = (stem.map(changed) - stem.map(picture)).abs().amax(1)[0] > 0
    assert moved[13:, 9:].all() and not moved[:8, :5].any()


def bpac(**changes) -> BpacNet:
    torch.manual_seed(0)
    config = BpacConfig(
        **{"reads": "features", "widths": (8, 8, 16, 24), "blocks": (1, 1, 1, 1), "resolution": 64, **changes}
    )
    return BpacNet(config, 32, detail_width=20).eval()


def keypoints(**places: tuple[float, float]) -> torch.Tensor:
    points = torch.zeros(1, 12, 3)
    for name, (x, y) in places.items():
        points[0, int(name[1:])] = torch.tensor([x, y, 1.0])
    return points


def test_bpac_on_features_answers_to_map_and_keypoints() -> None:
    net, image, detail = bpac(), torch.zeros(1, 3, 256, 256), torch.randn(1, 20, 16, 12)
    with torch.no_grad():
        first = net(image, keypoints(k3=(0.1, 0.2)), detail)
        assert torch.equal(first.logits, net(torch.ones_like(image), keypoints(k3=(0.1, 0.2)), detail).logits)
        assert not torch.equal(first.logits, net(image, keypoints(k3=(0.1, 0.2)), -detail).logits)
        assert not torch.equal(first.logits, net(image, keypoints(k3=(-0.2, 0.2)), detail).logits)
        assert not torch.equal(first.logits, net(image, keypoints(k4=(0.1, 0.2)), detail).logits)
    assert first.token.shape == (1, 32) and first.logits.shape == (1, 4, 4)


@pytest.mark.parametrize("seen", ["image", "keypoints"])
def test_bpac_on_features_may_see_one_of_them_alone(seen: str) -> None:
    """Table 4(b) at the size of tiny."""
    net, image, detail = bpac(inputs=seen), torch.zeros(1, 3, 256, 256), torch.randn(1, 20, 16, 12)
    points, others = keypoints(k3=(0.1, 0.2)), keypoints(k3=(-0.2, 0.2))
    with torch.no_grad():
        first = net(image, points, detail).logits
        assert torch.equal(first, net(image, points, -detail).logits) is (seen == "keypoints")
        assert torch.equal(first, net(image, others, detail).logits) is (seen == "image")
        if seen == "image":
            assert torch.equal(first, net(image, None, detail).logits)


def test_keypoints_land_in_the_cell_they_are_in() -> None:
    """Columns 32..223 of the crop are the map's; a keypoint's peak is in the channel of its place in the cell."""
    net = bpac(inputs="keypoints", sigma=0.5)
    x, y = 102.0 / 256 - 0.5, 50.0 / 256 - 0.5  # px (102, 50): cell column (102 - 32) // 16, row 50 // 16
    cells = net._in_cells(net.draw(keypoints(k7=(x, y))))
    assert cells.shape == (1, 12 * 16, 16, 12)
    channel, row, column = (int(i[0]) for i in torch.nonzero(cells[0] == cells.max(), as_tuple=True))
    assert (row, column) == (50 // 16, (102 - 32) // 16)
    assert channel // 16 == 7 and channel % 16 == (50 % 16) // 4 * 4 + (102 - 32) % 16 // 4


def test_features_need_a_stem_and_take_no_imagenet(tmp_path) -> None:
    with pytest.raises(UserError, match=r"backbone\.stem"):
        RegressorConfig.preset("tiny", backbone=BackboneConfig(192, 2, 3))
    with pytest.raises(UserError, match="no ResNet"):
        bpac().load_imagenet(tmp_path / "resnet.pth")


def test_config_survives_a_file() -> None:
    config = RegressorConfig.preset("tiny")
    values = config.to_dict()
    values["backbone"]["stem"] = list(values["backbone"]["stem"])  # as JSON gives it back
    assert RegressorConfig.from_dict(values) == config and config.backbone.stem == (32, 48, 96)


def test_maps_apart_are_mixed_as_side_by_side() -> None:
    torch.manual_seed(0)
    net = FeatureNet(20 + 8, (16, 24), (1, 1)).eval()
    maps = torch.randn(2, 20, 16, 12), torch.randn(2, 8, 16, 12)
    mixed: list[torch.Tensor] = []
    net.bn1.register_forward_hook(lambda _, seen, __: mixed.append(seen[0]))
    with torch.no_grad():
        net(*maps)
        torch.testing.assert_close(mixed[0], net.mix(torch.cat(maps, 1)), atol=1e-5, rtol=1e-5)
