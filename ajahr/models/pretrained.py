"""Regressors as folders: config.json and model.safetensors, whole with tokenizers and calibration.

    save_pretrained(regressor, "weights/mine")
    regressor = load_pretrained("weights/mine")

The body's arrays are not among the weights (they may be licensed); its name is, and another body is refused.
model.safetensors holds the config too and is whole alone; config.json is its copy for people to read, and where it
says something else the folder is refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.errors import UserError
from ajahr.models.backbone import Backbone
from ajahr.models.config import BackboneConfig, RegressorConfig
from ajahr.models.regressor import Regressor

WEIGHTS, CONFIG = "model.safetensors", "config.json"
_FORMAT = "ajahr-regressor"
_BACKBONE_FORMAT = "ajahr-backbone"


@dataclass(frozen=True)
class Stamp:
    """What a folder says of its weights."""

    config: RegressorConfig
    body: str
    """Name of the body they were trained with; ``SMPL`` for any file of SMPL's."""


def save_pretrained(
    regressor: Regressor, folder: str | Path, *, half: bool = False, body: str | None = None
) -> Path:
    """Write ``folder`` (made if need be).

    Args:
        half: Store in half precision, for shipping; what is loaded again is float32.
        body: Name of the body the weights were trained with, if it is not the regressor's own.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = body or body_kind(regressor.body)
    stamp = {"format": _FORMAT, "body": name, "config": regressor.config.to_dict()}
    state = {
        key: (value.half() if half and value.is_floating_point() else value).contiguous()
        for key, value in regressor.state_dict().items()
    }
    text = json.dumps(stamp, indent=2)
    (folder / CONFIG).write_text(text + "\n")
    _save(state, folder / WEIGHTS, text)
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)  # safetensors lets nobody else read
    return folder


def load_pretrained(path: str | Path, body: Body | None = None, *, any_body: bool = False) -> Regressor:
    """A regressor as it was saved, in evaluation mode on the CPU, float32.

    Memory for the weights is taken once: the net is made without any and takes the file's.

    Args:
        path: The folder, or its model.safetensors.
        body: The body the weights were trained with; the embedded one if not given.
        any_body: Accept another body. Shapes will be wrong, and poses slightly.

    Raises:
        UserError: no such folder, a damaged or foreign file, a config.json that was edited, another body.
    """
    file = _weights_file(path)
    stamp = read_stamp(file)
    body = body or Body(load_body())
    if not any_body and stamp.body != body_kind(body):
        raise UserError(
            f"{file}: trained with the body {stamp.body}, not {body_kind(body)}; give that body (for SMPL: a "
            "folder of its files), or any_body to accept wrong shapes"
        )
    regressor = Regressor(stamp.config, body, empty=True)
    _fill(regressor, _read(file), str(file), assign=True)
    return regressor.eval()


def load_weights(regressor: Regressor, path: str | Path) -> None:
    """Fill a regressor that exists with all the weights of a folder.

    Raises:
        UserError: weights of another preset, named beside this one; a damaged or foreign file.
    """
    file = _weights_file(path)
    stamp = read_stamp(file)
    if differences := _differences(stamp.config, regressor.config):
        raise UserError(
            f"{path} holds weights of '{stamp.config.name}', not of '{regressor.config.name}' "
            f"({differences}); give the config they were made with"
        )
    _fill(regressor, _read(file), str(file), assign=False)


def initialise_from(regressor: Regressor, path: str | Path) -> dict[str, list[str]]:
    """Start from the weights of another kind of regressor: what has the same name and shape is taken.

    AJAHR starts so from TokenHMR (of which its partial fine-tuning keeps most), or from ViTPose's backbone, a
    file of `save_backbone`. The tokenizers are never taken; they are given to the regressor itself.

    Returns:
        Names of the parts ``taken`` whole, ``partly`` taken, and ``left`` as they were.

    Raises:
        UserError: nothing fits, or a damaged or foreign file.
    """
    file = _weights_file(path)
    _parse(file, _FORMAT, _BACKBONE_FORMAT)
    own = regressor.state_dict()
    fitting = {
        name: value
        for name, value in _read(file).items()
        if not name.startswith("switch.") and name in own and own[name].shape == value.shape
    }
    if not any(name.startswith("backbone.") for name in fitting):
        raise UserError(
            f"{path}: its backbone is not of this size; give weights of '{regressor.config.name}'"
        )
    regressor.load_state_dict(fitting, strict=False)
    report: dict[str, list[str]] = {"taken": [], "partly": [], "left": []}
    for part, module in regressor.named_children():
        names = {f"{part}.{name}" for name in module.state_dict()}
        if names and part != "switch":
            found = len(names & set(fitting))
            report["taken" if found == len(names) else "partly" if found else "left"].append(part)
    return report


def read_stamp(path: str | Path) -> Stamp:
    """Config and body of a folder, without reading its weights.

    Raises:
        UserError: no such folder, a damaged or foreign file, a config this version does not know.
    """
    stamp = _parse(_weights_file(path), _FORMAT)
    return Stamp(RegressorConfig.from_dict(stamp["config"]), stamp["body"])


def body_kind(body: Body) -> str:
    """What weights remember of their body: ``SMPL`` for every file of SMPL's, whatever its format and gender."""
    name = body.data.name
    return "SMPL" if name.lower().startswith(("smpl_", "basicmodel_")) else name


def save_backbone(backbone: Backbone, file: str | Path) -> None:
    """Write a backbone alone, as `initialise_from` and `load_backbone` take it."""
    state = {f"backbone.{name}": value.contiguous() for name, value in backbone.state_dict().items()}
    stamp = {"format": _BACKBONE_FORMAT, "config": dataclasses.asdict(backbone.config)}
    _save(state, Path(file), json.dumps(stamp))


def load_backbone(file: str | Path) -> Backbone:
    """Read what `save_backbone` wrote, in evaluation mode.

    Raises:
        UserError: no such file, a damaged or foreign one.
    """
    file = _weights_file(file)
    stamp = _parse(file, _BACKBONE_FORMAT)
    with torch.device("meta"):
        backbone = Backbone(BackboneConfig(**stamp["config"]))
    state = {name.removeprefix("backbone."): value for name, value in _read(file).items()}
    backbone.load_state_dict(state, strict=True, assign=True)
    return backbone.eval()


# ------------------------------------------------------------------------------------------- pieces


def _weights_file(path: str | Path) -> Path:
    path = Path(path)
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{file}: no such weights; train some, or `ajahr import-weights` published ones")
    return file


def _save(state: Mapping[str, Tensor], file: Path, stamp: str) -> None:
    """Under another name first: a file of this name is always whole."""
    temporary = file.with_name(f"{file.name}.partial")
    save_file(dict(state), temporary, metadata={"stamp": stamp})
    temporary.replace(file)


def _parse(file: Path, *formats: str) -> dict[str, Any]:
    """The stamp of one of our files."""
    try:
        with safe_open(file, framework="pt") as opened:
            text = (opened.metadata() or {}).get("stamp")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: no whole safetensors file ({error}); copy it again") from error
    stamp = json.loads(text) if text else {}
    if stamp.get("format") not in formats:
        wanted = "a backbone" if formats == (_BACKBONE_FORMAT,) else "a regressor"
        raise UserError(f"{file}: no weights of {wanted}; published ones go through `ajahr import-weights`")
    if file.name == WEIGHTS:
        _check_copy(file.with_name(CONFIG), stamp)
    return stamp


def _check_copy(file: Path, stamp: Mapping[str, Any]) -> None:
    """Refuse a config.json that says something else than the weights: an edit would do nothing in silence."""
    if not file.is_file():
        return
    mend = f"a config is changed where weights are trained; delete {CONFIG}, or put it back"
    try:
        copy = dict(_flat(json.loads(file.read_bytes())))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{file}: no readable copy of the weights' config; {mend}") from error
    if found := _different(copy, dict(_flat(stamp)), f"in {WEIGHTS}"):
        raise UserError(f"{file}: was edited ({found}); {mend}")


def _read(file: Path) -> dict[str, Tensor]:
    """The file's tensors, floating point as float32."""
    try:
        with safe_open(file, framework="pt") as opened:
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: no whole safetensors file ({error}); copy it again") from error
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def _fill(regressor: Regressor, state: Mapping[str, Tensor], what: str, *, assign: bool) -> None:
    own = {name: value.shape for name, value in regressor.state_dict().items()}
    theirs = {name: value.shape for name, value in state.items()}
    if own != theirs:
        name = next(n for n in sorted(own.keys() | theirs.keys()) if own.get(n) != theirs.get(n))
        raise UserError(
            f"{what}: {name} is {_shape(theirs.get(name))}, and the config says {_shape(own.get(name))}; "
            "the file was changed after it was saved"
        )
    regressor.load_state_dict(state, strict=True, assign=assign)


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else str(tuple(shape))


def _differences(theirs: RegressorConfig, ours: RegressorConfig) -> str:
    """The first few sizes in which two configs differ: ``backbone.width 1280, here 192``."""
    return _different(_shapes(theirs), _shapes(ours), "here")


def _different(a: Mapping[str, Any], b: Mapping[str, Any], of_b: str) -> str:
    found = [f"{key} {a.get(key)}, {of_b} {b.get(key)}" for key in {**a, **b} if a.get(key) != b.get(key)]
    return "; ".join(found[:3])


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Plain values by dotted names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


_NO_SHAPE = {
    "name", "backbone.drop_path", "backbone.checkpointing", "bpac.sigma", "bpac.min_confidence",
    "bpac.noise_ratio", "bpac.legacy_demo", "bpac.resolution", "bpac_cross_attention", "token_residual",
    "foreign_token_count", "num_tokens", "rot6d", "betas_limit",
}  # fmt: skip


def _shapes(config: RegressorConfig) -> dict[str, Any]:
    flat = {
        key: value
        for key, value in _flat(config.to_dict())
        if not key.startswith("tokenizers.") and key not in _NO_SHAPE
    }
    for name in config.tokenizer_names:
        shape = config.tokenizer_config(name)
        flat[f"tokenizers.{name}"] = f"{shape.num_tokens} tokens of {shape.num_codes} codes"
    return flat
