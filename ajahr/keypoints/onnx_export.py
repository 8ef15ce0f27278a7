"""Keypoint models as ONNX, and running them in onnxruntime. Needs the extra ``onnx``.

Input ``image``: float32 (batch, 3, 256, 192), RGB in 0..1 less ImageNet's mean over its deviation. Outputs:
``heatmaps`` (batch, points, 64, 48), or ``simcc_x`` and ``simcc_y``; ``presence`` (batch, points), probabilities,
where the model has a presence head. Keypoint names and the config travel in the file's metadata.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from ajahr.anatomy import COCO17, LDPOSE25
from ajahr.errors import UserError
from ajahr.keypoints.crops import INPUT_SIZE
from ajahr.keypoints.model import KeypointModel

OPSETS = range(18, 24)
"""Opsets that torch's exporter writes without converting downwards and onnxruntime reads."""
DEFAULT_OPSET = 18
TOLERANCE = 1e-4
"""Largest difference to PyTorch allowed by `check_onnx`, relative to the largest output."""
_CONFIG_KEY = "ajahr_config"


class _Plain(nn.Module):
    """The model with its outputs as a tuple."""

    def __init__(self, model: KeypointModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.model(image)
        maps = output.simcc if output.heatmaps is None else (output.heatmaps,)
        assert maps is not None
        return (*maps, *(() if output.presence is None else (output.presence,)))


def output_names(model: KeypointModel) -> list[str]:
    """Names of the outputs, in order."""
    maps = ["simcc_x", "simcc_y"] if model.config.head_kind == "simcc" else ["heatmaps"]
    return maps + (["presence"] if model.presence_head is not None else [])


def export_onnx(model: KeypointModel, path: str | Path, *, opset: int = DEFAULT_OPSET) -> Path:
    """Write the model; any batch size. Weights are inside the file.

    Raises:
        UserError: an opset outside `OPSETS`, the extra is missing, or the file cannot be written.
    """
    onnx = _require("onnx")
    _require("onnxscript")
    if opset not in OPSETS:
        raise UserError(f"opset {opset} is not supported; give {OPSETS.start} to {OPSETS.stop - 1}")
    path = Path(path)
    was_training = model.training
    device = next(model.parameters()).device
    # two examples: a batch of one would be taken for a constant
    example = torch.zeros(2, 3, *INPUT_SIZE, device=device)
    try:
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")  # the exporter's own deprecations
            program = torch.onnx.export(
                _Plain(model).eval(),
                (example,),
                dynamo=True,
                input_names=["image"],
                output_names=output_names(model),
                opset_version=opset,
                dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1)}},
                verbose=False,
            )
    finally:
        model.train(was_training)
    assert program is not None
    proto = program.model_proto
    layout = LDPOSE25 if model.config.points == len(LDPOSE25) else COCO17
    onnx.helper.set_model_props(
        proto,
        {_CONFIG_KEY: json.dumps(model.config.to_dict()), "keypoints": ",".join(layout.names)},
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(proto, str(path))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another file") from error
    return path


class OnnxKeypoints:
    """An exported model in onnxruntime on the CPU.

    Args:
        path: the .onnx file.
        threads: of one inference; None for onnxruntime's own choice.

    Raises:
        UserError: no such file, not one that `export_onnx` wrote, or of an opset onnxruntime does not read.
    """

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        runtime = _require("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        if not Path(path).is_file():
            raise UserError(f"{path}: no such file; export one with export_onnx")
        try:
            self.session: Any = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has exceptions of its own, none of them public
            raise UserError(
                f"{path}: onnxruntime cannot read it ({_cause(error)}); export it again, with opset "
                f"{OPSETS.start} to {OPSETS.stop - 1}"
            ) from None
        metadata = self.session.get_modelmeta().custom_metadata_map
        if _CONFIG_KEY not in metadata:
            raise UserError(f"{path}: not a keypoint model of this project; export one with export_onnx")
        self.config: dict[str, Any] = json.loads(metadata[_CONFIG_KEY])
        self.keypoints: tuple[str, ...] = tuple(metadata["keypoints"].split(","))
        self.outputs: tuple[str, ...] = tuple(output.name for output in self.session.get_outputs())

    def __call__(self, image: Float32[np.ndarray, "batch 3 256 192"]) -> dict[str, np.ndarray]:
        """Outputs by name."""
        return dict(zip(self.outputs, self.session.run(None, {"image": image}), strict=True))


def check_onnx(model: KeypointModel, path: str | Path, *, batch: int = 3) -> float:
    """Largest difference between PyTorch and onnxruntime on random crops, relative to the largest output.

    Raises:
        UserError: it exceeds `TOLERANCE`.
    """
    image = torch.randn(batch, 3, *INPUT_SIZE, generator=torch.Generator().manual_seed(0))
    was_training = model.training
    device = next(model.parameters()).device
    with torch.no_grad():
        expected = _Plain(model).eval()(image.to(device))
    model.train(was_training)
    found = OnnxKeypoints(path)(image.numpy())
    worst = 0.0
    for theirs, ours in zip(expected, found.values(), strict=True):
        reference = theirs.cpu().numpy()
        worst = max(worst, float(np.abs(reference - ours).max() / max(np.abs(reference).max(), 1e-6)))
    if not worst <= TOLERANCE:
        raise UserError(
            f"{path}: differs from PyTorch by {worst:.1e} of the largest output; try another opset"
        )
    return worst


def _cause(error: Exception) -> str:
    """What onnxruntime says, without the file's name and the place in its own source that it says first."""
    text = " ".join(str(error).split()).split(" failed:", 1)[-1]
    text = re.sub(r"^\S+\.(h|cc):\d+ .*?\) (?=[A-Z])", "", text)
    return text[:160].rstrip(" .")


def _require(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        raise UserError(f"{name} is not installed; install the extra: pip install 'ajahr[onnx]'") from None


class _quiet:
    """Keeps the exporter's loggers still."""

    def __enter__(self) -> None:
        self.loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
        self.levels = [logger.level for logger in self.loggers]
        for logger in self.loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for logger, level in zip(self.loggers, self.levels, strict=True):
            logger.setLevel(level)
