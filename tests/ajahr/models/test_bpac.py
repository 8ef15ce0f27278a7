from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_regressor import inputs
from torch import Tensor
from torchvision.models import resnet18, resnet34

from ajahr.errors import UserError
from ajahr.models.bpac import AttentiveResNet, BpacNet, Cbam
from ajahr.models.config import BpacConfig, BpacInputs

SMALL = {"widths": (16, 16, 32, 32), "blocks": (1, 2, 1, 1), "resolution": 64}


def net(seed: int = 0, **changes) -> BpacNet:
    torch.manual_seed(seed)
    return BpacNet(BpacConfig(**{**SMALL, **changes}), 24).eval()


def test_size_of_the_papers_net() -> None:
    """Facts 6.1."""
    with torch.device("meta"):
        paper = BpacNet(BpacConfig(), 1280)
    assert sum(p.numel() for p in paper.parameters()) == 22_145_904
    cbam = [p.numel() for name, p in paper.named_parameters() if ".cbam." in name]
    assert sum(cbam) == 158_752 and len(cbam) == 16 * 3


def test_without_attention_it_is_torchvisions_resnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cbam, "forward", lambda self, x: x)
    torch.manual_seed(0)
    theirs = resnet18().eval()
    ours = AttentiveResNet(3, (64, 128, 256, 512), (2, 2, 2, 2)).eval()
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("fc.")}
    missing = ours.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all(".cbam." in name for name in missing.missing_keys)
    theirs.fc = torch.nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)


def test_cbam_equals_its_formula_person_by_person() -> None:
    torch.manual_seed(1)
    cbam, x = Cbam(32).eval(), torch.randn(2, 32, 5, 7)
    squeeze, excite = cbam.squeeze.weight.double(), cbam.excite.weight.double()
    for person, got in zip(x.double(), cbam(x), strict=True):
        hidden = [
            excite @ (squeeze @ pooled).clamp(min=0) for pooled in (person.mean((1, 2)), person.amax((1, 2)))
        ]
        y = person * torch.sigmoid(hidden[0] + hidden[1])[:, None, None]
        places = torch.stack((y.mean(0), y.amax(0)))[None]
        kernel = cbam.spatial.weight.double()
        y = y * torch.sigmoid(torch.nn.functional.conv2d(places, kernel, padding=3))[0]
        torch.testing.assert_close(got.double(), y, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("point", "empty"),
    [
        ((0.0, 0.0, 0.9), False),
        ((0.0, 0.0, 0.0), True),  # absent
        ((0.1, 0.1, 0.3), True),  # uncertain
        ((0.51, 0.0, 0.9), True),  # beside the crop
        ((0.0, -0.7, 0.9), True),
        ((float("nan"), 0.0, 0.9), True),
        ((0.0, 0.0, float("nan")), True),
    ],
)
def test_what_draws_nothing(point: tuple[float, float, float], empty: bool) -> None:
    keypoints = torch.zeros(1, 12, 3)
    keypoints[0, 4] = torch.tensor(point)
    maps = net().draw(keypoints)
    assert maps.isfinite().all()
    assert bool(maps.any()) is not empty


def test_keypoint_lands_on_its_pixel() -> None:
    keypoints = torch.zeros(1, 12, 3)
    keypoints[0, 7] = torch.tensor((10.5 / 64 - 0.5, 40.5 / 64 - 0.5, 1.0))
    maps = net().draw(keypoints)[0]
    assert maps[7, 40, 10] == 1 and not maps[[k for k in range(12) if k != 7]].any()


def test_legacy_demo_draws_image_pixels_and_the_corner() -> None:
    keypoints = torch.zeros(1, 12, 3)
    keypoints[0, 0] = torch.tensor((100.0, 60.0, 0.55))
    keypoints[0, 1] = torch.tensor((100.0, 60.0, 0.54))
    keypoints[0, 2] = torch.tensor((700.0, 400.0, 0.9))
    maps = net(legacy_demo=True, resolution=256).draw(keypoints)[0]
    assert maps[0, 60, 100] == 1 and maps[1, 0, 0] == 1 and not maps[2].any()
    assert maps[3:, 0, 0].eq(1).all()  # confidence 0: the corner


def test_noise_grows_with_the_root_of_its_ratio() -> None:
    keypoints = torch.zeros(400, 12, 3)
    keypoints[..., 2] = 1

    def spread(ratio: float) -> float:
        torch.manual_seed(0)
        maps = net(noise_ratio=ratio, resolution=256).draw(keypoints[:40])
        columns = maps.sum(2).flatten(0, 1)
        centre = (columns * (torch.arange(256) + 0.5)).sum(1) / columns.sum(1)
        return float((centre - 128).std())

    assert spread(0) == pytest.approx(0, abs=1e-3)
    assert spread(100) == pytest.approx(1.5, rel=0.1)
    assert spread(25) == pytest.approx(0.75, rel=0.1)


def test_noise_leaves_undrawn_keypoints_undrawn() -> None:
    assert not net(noise_ratio=100.0).draw(torch.full((3, 12, 3), 0.7)).any()


@pytest.mark.parametrize("seen", ["image+keypoints", "image", "keypoints"])
def test_variants_see_what_they_are_named_for(seen: BpacInputs) -> None:
    bpac = net(inputs=seen)
    image, keypoints = inputs(2)
    before = bpac(image, keypoints).logits
    other_image, other_keypoints = inputs(2, seed=9)
    assert bool((bpac(other_image, keypoints).logits != before).any()) is ("image" in seen)
    assert bool((bpac(image, other_keypoints).logits != before).any()) is ("keypoints" in seen)


def test_keypoints_left_out() -> None:
    image, _ = inputs(1)
    assert net(inputs="image")(image).logits.shape == (1, 4, 4)
    with pytest.raises(UserError, match="sees keypoints; give it keypoints"):
        net(inputs="keypoints")(image)


def test_probabilities_use_each_heads_temperature() -> None:
    bpac = net()
    bpac.temperature.copy_(torch.tensor([1.0, 2.0, 0.5, 1.0]))
    image, keypoints = inputs(2)
    status = bpac(image, keypoints)
    for limb, temperature in enumerate((1.0, 2.0, 0.5, 1.0)):
        expected = (status.logits[:, limb] / temperature).softmax(-1)
        torch.testing.assert_close(status.probabilities[:, limb], expected)
    assert torch.equal(status.probabilities.argmax(-1), status.logits.argmax(-1))


def _imagenet(path: Path, model: torch.nn.Module) -> dict[str, Tensor]:
    torch.save(model.state_dict(), path)
    return model.state_dict()


def test_imagenet_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = _imagenet(tmp_path / "resnet34.pth", resnet34())
    bpac = BpacNet(BpacConfig(), 8)
    attention = bpac.resnet.state_dict()["layer1.0.cbam.squeeze.weight"].clone()
    bpac.load_imagenet(tmp_path / "resnet34.pth")
    own = bpac.resnet.state_dict()
    assert torch.equal(own["layer3.5.conv2.weight"], state["layer3.5.conv2.weight"])
    assert torch.equal(own["conv1.weight"][:, :3], state["conv1.weight"])
    mean = state["conv1.weight"].mean(1)
    for channel in (3, 14):
        torch.testing.assert_close(own["conv1.weight"][:, channel], mean)
    assert torch.equal(own["layer1.0.cbam.squeeze.weight"], attention)


def test_imagenet_weights_of_another_depth(tmp_path: Path) -> None:
    _imagenet(tmp_path / "resnet18.pth", resnet18())
    with pytest.raises(UserError, match=r"no ResNet of \(3, 4, 6, 3\) basic blocks"):
        BpacNet(BpacConfig(), 8).load_imagenet(tmp_path / "resnet18.pth")
