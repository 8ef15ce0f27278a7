"""What holds for every test."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker per core: threads of their own would only be in the way
    os.environ.setdefault("OMP_NUM_THREADS", "1")
