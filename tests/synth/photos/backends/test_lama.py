import numpy as np
import pytest
import torch
from tiny_models import save_lama

from ajahr.errors import MissingAsset, UserError
from synth.photos.backends.lama import LamaInpainter
from synth.photos.inpaint import Inpainter


class Halves(torch.nn.Module):
    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return image[:, :, ::2]


class Nan(torch.nn.Module):
    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return image / 0.0 * 0.0


@pytest.mark.parametrize("size", [(64, 64), (61, 75), (8, 3)])
def test_hole_filled_rest_untouched(tmp_path, size):
    inpainter = LamaInpainter(save_lama(tmp_path / "lama.pt"))
    assert isinstance(inpainter, Inpainter)
    image = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    hole = np.zeros(size, bool)
    hole[size[0] // 2 :, 1:] = True
    found = inpainter(image, hole)
    assert (found[hole] == (255, 128, 0)).all(), "RGB, clipped"
    assert (found[~hole] == image[~hole]).all()


def test_no_hole_no_work(tmp_path):
    image = np.full((20, 30, 3), 7, np.uint8)
    found = LamaInpainter(save_lama(tmp_path / "lama.pt"))(image, np.zeros((20, 30), bool))
    assert (found == image).all() and found is not image


def test_nan_is_no_colour(tmp_path):
    hole = np.ones((16, 16), bool)
    found = LamaInpainter(save_lama(tmp_path / "nan.pt", Nan()))(np.ones((16, 16, 3), np.uint8), hole)
    assert (found == 0).all()


def test_not_lama(tmp_path):
    with pytest.raises(MissingAsset, match=r"inpainter_weights is not set; it names LaMa as TorchScript"):
        LamaInpainter(None)
    with pytest.raises(MissingAsset, match="no such file"):
        LamaInpainter(tmp_path)
    torch.save({"a": torch.zeros(1)}, tmp_path / "state.pt")
    (tmp_path / "text.pt").write_text("x")
    for name in ("state.pt", "text.pt"):
        with pytest.raises(UserError, match=f"{name}: not LaMa"):
            LamaInpainter(tmp_path / name)
    with pytest.raises(UserError, match="it returns"):
        LamaInpainter(save_lama(tmp_path / "halves.pt", Halves()))
    with pytest.raises(UserError, match="does not run"):
        LamaInpainter(save_lama(tmp_path / "linear.pt", torch.nn.Linear(2, 2)))
