"""Empty files of a certain age."""

from __future__ import annotations

import os
from pathlib import Path


def touch(path: Path, age: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (1000 - age, 1000 - age))
    return path
