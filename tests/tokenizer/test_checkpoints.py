from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tokenizer.checkpoints import read_checkpoint
from tokenizer.errors import InputError


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_a_class_outside_the_list_is_named_and_does_not_run(tmp_path: Path) -> None:
    torch.save({"net": {}, "hparams": _Bomb(tmp_path / "went-off")}, tmp_path / "bomb.pth")
    with pytest.raises(InputError, match=r"names the class \w+\.mkdir") as caught:
        read_checkpoint(tmp_path / "bomb.pth")
    assert not (tmp_path / "went-off").exists() and "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 10, 700])
def test_what_is_no_whole_checkpoint_is_one_line(tmp_path: Path, keep: int) -> None:
    torch.save({"net": torch.zeros(500)}, tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth").keys() == {"net"}
    (tmp_path / "cut.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:keep])
    with pytest.raises(InputError, match="checkpoint") as caught:
        read_checkpoint(tmp_path / "cut.pth")
    assert "\n" not in str(caught.value)


def test_other_things_are_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    (tmp_path / "text.pth").write_text("no checkpoint at all")
    for name, message in (("tensor", "holds a Tensor"), ("text", "checkpoint"), ("gone", "no such")):
        with pytest.raises(InputError, match=message):
            read_checkpoint(tmp_path / f"{name}.pth")
