"""Other people's networks: the packages and weights they need. Errors say what to install or fetch."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ajahr.errors import MissingAsset, UserError

_INSTALL = "pip install 'ajahr[synth]'"


@dataclass(frozen=True)
class WeightsFile:
    """Weights of another project's network.

    Attributes:
        key: Option or configuration key that names the file.
        what: What it is, with the usual file name.
        origin: Where it comes from.
        folder: Whether a folder is meant instead of a file.
    """

    key: str
    what: str
    origin: str
    folder: bool = False

    def find(self, path: Path | None) -> Path:
        """The path, if something of the right kind is there.

        Raises:
            MissingAsset: it is not; the message names the file, its origin and the key.
        """
        if path is None:
            raise MissingAsset(f"{self.key} is not set; it names {self.what}, from {self.origin}")
        if not (path.is_dir() if self.folder else path.is_file()):
            kind = "folder" if self.folder else "file"
            raise MissingAsset(f"{path}: no such {kind}; {self.key} names {self.what}, from {self.origin}")
        return path

    def refuse(self, path: Path, why: object) -> UserError:
        """The error for a file that is not what it claims to be."""
        reason = " ".join(str(why).split())[:160]
        return UserError(f"{path}: not {self.what} ({reason}); {self.key} takes the file from {self.origin}")


def require(package: str, used_for: str) -> ModuleType:
    """Import a package of the ``synth`` extra.

    Raises:
        MissingAsset: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.split(".")[0]:
            raise
        raise MissingAsset(
            f"{used_for} needs the package {error.name}, which is not installed; {_INSTALL}"
        ) from None


def load_state(file: WeightsFile, path: Path) -> dict[str, Any]:
    """The tensors of a ``torch.save`` file by name, read without running code from it (``weights_only``).

    Raises:
        UserError: the file is no such file, or holds anything but named tensors.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each have their own
        raise file.refuse(path, f"{type(error).__name__}: {error}") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise file.refuse(path, "it does not hold named tensors")
    return state


def pick_device(name: str | None, key: str = "device") -> str:
    """``cpu``, ``cuda``, ``cuda:1`` ...; ``auto`` or None takes a GPU where there is one. ``key`` names the option.

    Raises:
        UserError: no device, or a GPU that is not there.
    """
    import torch

    there = torch.cuda.is_available()
    if name is None or name == "auto":
        return "cuda" if there else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UserError(f"{key} is '{name}'; give auto, cpu, cuda or cuda:1")
    if name != "cpu" and not there:
        raise UserError(f"{key} is {name} but torch sees no GPU; set it to auto or cpu")
    if ":" in name and int(name[5:]) >= torch.cuda.device_count():
        raise UserError(f"{key} is {name} but torch sees {torch.cuda.device_count()} of them, counted from 0")
    return name
