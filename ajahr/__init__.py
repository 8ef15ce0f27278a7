"""Recover the 3D body of people with limb loss from photographs. Subpackages load when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["AJAHR", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "AJAHR":  # torch is imported with it, and the generator's workers do without
        return import_module("ajahr.inference.predictor").AJAHR
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
