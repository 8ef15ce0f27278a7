import numpy as np
import pytest
import torch
from tiny_models import save_trunk

from ajahr.errors import MissingAsset, UserError
from synth.photos.backends.lpips import Lpips

rng = np.random.default_rng(0)
A = rng.integers(0, 255, (70, 90, 3)).astype(np.uint8)
B = np.clip(A.astype(int) + 40, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory):
    return save_trunk(tmp_path_factory.mktemp("lpips") / "squeeze.pth", "squeezenet1_1")


def test_zero_for_equal_and_symmetric(squeeze):
    distance = Lpips("squeeze", squeeze)
    assert distance(A, A) == 0
    assert 0 < distance(A, B) == pytest.approx(distance(B, A))


@pytest.mark.filterwarnings("ignore:The parameter 'pretrained'", "ignore:Arguments other than a weight enum")
def test_twin_the_package_with_the_same_trunk(squeeze):
    import lpips

    model = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    state = torch.load(squeeze, weights_only=True)
    for name, value in model.net.named_parameters():
        value.data.copy_(state["features." + name.split(".", 1)[1]])
    first, second = (lpips.im2tensor(image) for image in (A, B))  # its own conversion of RGB uint8
    assert Lpips("squeeze", squeeze)(A, B) == pytest.approx(float(model(first, second).detach()), rel=1e-4)


def test_the_trunk_must_be_the_one_named(tmp_path, squeeze):
    with pytest.raises(UserError, match=r"not torchvision's AlexNet weights \(alexnet-owt-7be5be79.pth\)"):
        Lpips("alex", squeeze)
    with pytest.raises(MissingAsset, match=r"lpips_weights is not set.*vgg16-397923af\.pth"):
        Lpips("vgg", None)
    (tmp_path / "a.pth").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.pth: not torchvision's"):
        Lpips("alex", tmp_path / "a.pth")


def test_another_trunk(tmp_path):
    distance = Lpips("alex", save_trunk(tmp_path / "trunk.pth", "alexnet"))
    assert distance(A, A) == 0 and distance(A, B) > 0
