"""Fill holes with LaMa (Suvorov et al. 2022), the paper's inpainter, from a TorchScript file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from ajahr.inference.external import WeightsFile

LAMA_WEIGHTS = WeightsFile(
    "backgrounds.inpainter_weights",
    "LaMa as TorchScript (big-lama.pt)",
    "github.com/Sanster/models/releases, exported from github.com/advimman/lama",
)
_MULTIPLE = 8


class LamaInpainter:
    """Big-LaMa: RGB in 0..1 and a mask of 0 and 1 go in, the whole picture comes out.

    The file is a TorchScript program and is run as such: name only one you trust.

    Args:
        weights: The file.
        device: ``cpu`` or ``cuda``.

    Raises:
        MissingAsset: no weights.
        UserError: the file is no TorchScript, or its program does not turn picture and mask into a picture.
    """

    def __init__(self, weights: Path | None, *, device: str = "cpu") -> None:
        import torch

        path = LAMA_WEIGHTS.find(weights)
        self._device = device
        try:
            with warnings.catch_warnings():
                # torch would rather have torch.export's format, in which nobody publishes LaMa
                warnings.simplefilter("ignore", FutureWarning)
                self._model = torch.jit.load(str(path), map_location=device).eval()
        except (RuntimeError, ValueError, EOFError) as error:
            raise LAMA_WEIGHTS.refuse(path, error) from None
        hole = np.zeros((64, 72), bool)
        hole[20:40, 20:40] = True
        try:
            out = self._run(np.full((64, 72, 3), 128, np.uint8), hole)
        except Exception as error:  # whatever the program raises
            raise LAMA_WEIGHTS.refuse(path, f"it does not run on a picture and a mask: {error}") from None
        if out.shape != (64, 72, 3):
            raise LAMA_WEIGHTS.refuse(path, f"it returns {out.shape} for a picture of 64 x 72")

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], hole: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The picture with its hole filled; pixels outside come back unchanged."""
        if not hole.any():
            return image.copy()
        height, width = hole.shape
        pad = ((0, -height % _MULTIPLE), (0, -width % _MULTIPLE))
        filled = self._run(np.pad(image, (*pad, (0, 0)), "symmetric"), np.pad(hole, pad, "symmetric"))
        return np.where(hole[..., None], filled[:height, :width], image)

    def _run(self, image: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]) -> np.ndarray:
        import torch

        picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))[None]).float() / 255
        mask = torch.from_numpy(np.ascontiguousarray(hole)[None, None]).float()
        with torch.inference_mode():
            out = self._model(picture.to(self._device), mask.to(self._device))
        values = out[0].float().cpu().numpy().transpose(1, 2, 0) * 255
        # a NaN would become an arbitrary colour
        return np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8)
