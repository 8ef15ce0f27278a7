"""Readers by name."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import get_args

import pytest

from ajahr.data.hmr.samples import PeopleTable
from ajahr.data.hmr.sources import READERS, Reader, reader_function


def test_every_name_has_a_reader():
    assert set(get_args(Reader)) == set(READERS)


@pytest.mark.parametrize("reader", sorted(READERS))
def test_readers_take_a_name_and_make_people(reader):
    signature = inspect.signature(reader_function(reader))
    assert "name" in signature.parameters
    assert signature.return_annotation in (PeopleTable, "PeopleTable")


def test_reading_loads_no_torch():
    code = (
        "import sys; from ajahr.data.hmr.sources import READERS, reader_function; import ajahr.data.hmr.mixture; "
        "[reader_function(name) for name in READERS]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
