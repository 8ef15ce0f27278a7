"""Perceptual distance of a photograph and its clean twin (LPIPS, Zhang et al. 2018; AJAHR Table A)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from ajahr.inference.external import WeightsFile, load_state, require

TRUNKS = {
    "alex": ("AlexNet", "alexnet-owt-7be5be79.pth"),
    "vgg": ("VGG16", "vgg16-397923af.pth"),
    "squeeze": ("SqueezeNet 1.1", "squeezenet1_1-b8a52dc0.pth"),
}
Trunk = Literal["alex", "vgg", "squeeze"]
PAPER_LPIPS = {"mpii": 0.0735, "coco": 0.0421, "h36m": 0.16186}
"""AJAHR Table A by source. The paper says neither which trunk it used nor between which pictures."""


def trunk_weights(trunk: Trunk) -> WeightsFile:
    """What the trunk's file is called and where it comes from."""
    network, name = TRUNKS[trunk]
    return WeightsFile(
        "backgrounds.lpips_weights",
        f"torchvision's {network} weights ({name})",
        "download.pytorch.org/models",
    )


class Lpips:
    """LPIPS 0.1 between two pictures of one size.

    The package brings the small calibrated layers; the network below them has its own file. Never with a
    random trunk: such a number says nothing.

    Args:
        trunk: The network.
        weights: Its file.
        device: ``cpu`` or ``cuda``.

    Raises:
        MissingAsset: no weights, or lpips is not installed.
        UserError: the file holds another network.
    """

    def __init__(self, trunk: Trunk, weights: Path | None, *, device: str = "cpu") -> None:
        file = trunk_weights(trunk)
        path = file.find(weights)
        package = require("lpips", f"backgrounds.lpips {trunk}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks torchvision for no weights in a deprecated way
            model = package.LPIPS(net=trunk, pnet_rand=True, verbose=False)
        state = load_state(file, path)
        try:
            # sliceN.K.weight here is torchvision's features.K.weight
            own = {name: state[f"features.{name.split('.', 1)[1]}"] for name in model.net.state_dict()}
            model.net.load_state_dict(own)
        except (KeyError, RuntimeError) as error:
            raise file.refuse(path, f"{type(error).__name__}: {error}") from None
        self._model = model.eval().to(device)
        self._device = device

    def __call__(
        self, a: UInt8[np.ndarray, "height width 3"], b: UInt8[np.ndarray, "height width 3"]
    ) -> float:
        """0 for equal pictures."""
        import torch

        def tensor(image: np.ndarray) -> torch.Tensor:
            plain = np.ascontiguousarray(image.transpose(2, 0, 1))[None]
            return (torch.from_numpy(plain).float() / 127.5 - 1).to(self._device)

        with torch.inference_mode():
            return float(self._model(tensor(a), tensor(b)))
