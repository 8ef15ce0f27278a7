from __future__ import annotations

import pytest

from ajahr.body.data import load_body
from synth.appearance.atlas import build_atlas


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def atlas(body):
    """Small: laws do not depend on the size."""
    return build_atlas(body, 192)
