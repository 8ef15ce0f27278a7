from __future__ import annotations

from pathlib import Path

import pytest
from touched import touch

from ajahr.errors import UserError
from ajahr.evaluation.reproduction.run_files import checkpoint_to_continue, newest


def test_where_a_broken_off_run_goes_on(tmp_path: Path) -> None:
    assert checkpoint_to_continue(tmp_path) is None
    last = touch(tmp_path / "version_0/checkpoints/last.ckpt", age=50)
    assert checkpoint_to_continue(tmp_path) == last
    interrupted = touch(tmp_path / "version_0/interrupted.ckpt", age=40)
    assert checkpoint_to_continue(tmp_path) is None, "ajahr fit finds it, and goes on in the same folder"
    (tmp_path / "version_1").mkdir()
    assert checkpoint_to_continue(tmp_path) == interrupted, "a later run that came to nothing"
    newer = touch(tmp_path / "version_10/checkpoints/last.ckpt", age=10)
    assert checkpoint_to_continue(tmp_path) == newer == newest(tmp_path, "checkpoints/last*.ckpt")
    with pytest.raises(UserError, match="no pretrained in any run there"):
        newest(tmp_path, "pretrained")
