"""Lightning's and mmpose's checkpoint files, read without running what is in them."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ajahr.errors import UserError
from tokenizer.checkpoints import read_checkpoint


class _Inert:
    """Stands where a file names a class of its training code: takes anything, does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _Dict:
    """Stands for ``defaultdict``, whatever its factory."""

    def __new__(cls, *args: Any) -> Any:
        return OrderedDict()


# what hyper_parameters of these files are made of; any other class is refused
_STAND_INS: list[tuple[type, str]] = [
    *((OrderedDict, name) for name in (
        "yacs.config.CfgNode",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
        "lightning.fabric.utilities.data.AttributeDict",
    )),
    *((_Inert, f"omegaconf.{name}") for name in (
        "dictconfig.DictConfig", "listconfig.ListConfig", "base.ContainerMetadata", "base.Metadata",
        *(f"nodes.{kind}Node" for kind in (
            "Any", "String", "Integer", "Float", "Boolean", "Enum", "Path", "Bytes", "Interpolation",
        )),
    )),
    (_Dict, "collections.defaultdict"),
    *((_Inert, name) for name in (
        "typing.Any", "pathlib.Path", "pathlib.PosixPath", "pathlib._local.PosixPath",
        # as types of entries, never called
        "builtins.dict", "builtins.list", "builtins.tuple", "builtins.str", "builtins.int",
        "builtins.float", "builtins.bool",
    )),
]  # fmt: skip


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The ``state_dict`` of a checkpoint, or the file itself where it is one; tensors are mapped, not read.

    Raises:
        UserError: no tensors by name in it. InputError: unreadable, or it names a class outside the list.
    """
    checkpoint = read_checkpoint(path, _STAND_INS, mapped=True)
    state = checkpoint.get("state_dict", checkpoint)
    if not isinstance(state, dict) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path}: holds no state dict; give the checkpoint as published")
    return dict(state)


def write_checkpoint(checkpoint: dict[str, Any], path: str | Path) -> None:
    """A file as theirs; under another name first, since the tensors may still lie in a file of this name."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.partial")
    torch.save(checkpoint, temporary)
    temporary.replace(path)
