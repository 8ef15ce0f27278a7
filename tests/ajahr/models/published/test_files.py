from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from lightning_fabric.utilities.data import AttributeDict

from ajahr.models.published.files import read_state
from tokenizer.errors import InputError

PIN = Path(__file__).parent / "omegaconf_2.4.ckpt"


@pytest.fixture
def fake_module(monkeypatch: pytest.MonkeyPatch):
    """Makes classes under a foreign name for the time of pickling."""

    def make(module: str, name: str, base: type = object) -> type:
        kind = type(name, (base,), {"__module__": module})
        parents = module.split(".")
        for i in range(len(parents)):
            part = ".".join(parents[: i + 1])
            monkeypatch.setitem(sys.modules, part, ModuleType(part))
        setattr(sys.modules[module], name, kind)
        return kind

    return make


def test_settings_of_training_code_are_passed_over(tmp_path: Path, fake_module) -> None:
    """Lightning's ``hyper_parameters`` with OmegaConf's or yacs' classes, which need not be installed."""
    config = fake_module("omegaconf.dictconfig", "DictConfig")()
    config._content = {"TRAIN": {"LR": 1e-5}}
    node = fake_module("yacs.config", "CfgNode", dict)({"LR": 1e-5})
    parameters = AttributeDict(cfg=config, other=node)
    torch.save({"state_dict": {"a": torch.ones(2)}, "hyper_parameters": parameters}, tmp_path / "x.ckpt")
    assert read_state(tmp_path / "x.ckpt")["a"].tolist() == [1, 1]


def test_settings_of_omegaconf_itself() -> None:
    """The pinned file was made by

    cfg = OmegaConf.create({"TRAIN": {"LR": 1e-5, "N": 3, "s": "x", "b": True, "l": [1, 2, "a"], "none": None,
                                      "interp": "${TRAIN.LR}"}})
    torch.save({"state_dict": {"a": torch.ones(2)}, "hyper_parameters": {"cfg": cfg, "c2": CfgNode({"A": {"B": [1]}})},
                "callbacks": {"ModelCheckpoint": {"dirpath": Path("/x")}}}, PIN)
    """
    assert read_state(PIN)["a"].tolist() == [1, 1]


class _Shell:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_other_classes_are_refused_unrun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": torch.ones(2)}, "callbacks": _Shell()}, "x.ckpt")
    with pytest.raises(InputError, match="refused, it names the class posix") as error:
        read_state("x.ckpt")
    assert "\n" not in str(error.value) and not Path("executed").exists()


def test_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such checkpoint"):
        read_state(tmp_path / "x.ckpt")
    torch.save({"state_dict": {"a": torch.ones(2000)}}, tmp_path / "x.ckpt")
    (tmp_path / "x.ckpt").write_bytes((tmp_path / "x.ckpt").read_bytes()[:3000])
    with pytest.raises(InputError, match="no whole checkpoint"):
        read_state(tmp_path / "x.ckpt")
