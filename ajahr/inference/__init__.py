"""From photographs and videos to limb status, bodies, meshes and pictures. `AJAHR` loads when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ajahr.inference.predictor import AJAHR

__all__ = ["AJAHR"]


def __getattr__(name: str) -> Any:
    if name == "AJAHR":
        from ajahr.inference.predictor import AJAHR

        return AJAHR
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
