"""What `ajahr doctor` tells."""

from __future__ import annotations

import importlib
import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from ajahr.assets import ASSETS
from ajahr.cli import doctor
from ajahr.cli.main import main


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """Asking torch for GPUs takes seconds; `gpu_line` has tests of its own."""
    monkeypatch.setattr(doctor, "gpu_line", lambda: doctor.MachineLine("GPU", "none"))


def report(capsys, *argv: str) -> dict:
    assert main(["doctor", "--json", *argv]) == 0
    return json.loads(capsys.readouterr().out)


# law


def test_every_asset_is_told_whether_here_or_not(tmp_path, capsys):
    lines = {line["name"]: line for line in report(capsys, "--data-root", str(tmp_path))["assets"]}
    assert set(lines) == {"embedded body", "shipped weights", *(asset.key for asset in ASSETS)}
    assert lines.pop("embedded body")["found"] and lines.pop("shipped weights")["unlocks"]
    for line in lines.values():
        assert line["found"] == []
        assert all(place.startswith(str(tmp_path)) for place in line["looked_for"])
        assert line["unlocks"] and line["source"] and line["licence"]


def test_an_asset_is_found_where_it_is_looked_for(tmp_path, capsys):
    path = tmp_path / "body_models" / "smpl" / "SMPL_NEUTRAL.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    lines = {line["name"]: line for line in report(capsys, "--data-root", str(tmp_path))["assets"]}
    assert lines["smpl"]["found"] == [str(path)]
    assert lines["smplx"]["found"] == []


def test_the_variable_names_the_root_and_the_option_wins(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AJAHR_DATA", str(tmp_path / "a"))
    assert report(capsys)["data_root"] == str(tmp_path / "a")
    assert report(capsys, "--data-root", str(tmp_path))["data_root"] == str(tmp_path)
    monkeypatch.delenv("AJAHR_DATA")
    assert report(capsys)["data_root"] == "data"


def test_the_table_tells_the_same(tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "big-lama.pt").write_bytes(b"")
    assert main(["doctor", "--data-root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[1]: line.split()[0] for line in out.splitlines() if len(line.split()) > 2}
    assert (rows["lama"], rows["sam"], rows["embedded"]) == ("yes", "no", "yes")
    assert f"{tmp_path}/checkpoints/big-lama.pt" in out
    for asset in ASSETS:
        assert asset.unlocks in out
        assert asset.key == "lama" or asset.source in out  # addresses are never broken over lines


def test_machine_and_packages_are_told(capsys):
    found = report(capsys)
    machine = {line["name"]: line for line in found["machine"]}
    assert {"Python", "Cores", "Memory", "Disk here", "GPU", "OpenCV", "libGL", "libEGL"} <= set(machine)
    assert all(line["good"] for line in machine.values())
    packages = {line["name"]: line for line in found["packages"]}
    assert packages["numpy"]["version"] and packages["numpy"]["extra"] is None
    assert packages["pytest"]["extra"] == "dev"


# edge


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    requirements = ["numpy>=2.0", 'nobody-has-this[x]>=1.0; extra == "synth"', "nor-this>=3"]
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: requirements)
    numpy, extra, core = doctor.package_lines()
    assert numpy.version and numpy.mend == ""
    assert (extra.name, extra.extra, extra.version) == ("nobody-has-this", "synth", None)
    assert extra.mend == "pip install 'nobody-has-this[x]>=1.0'"
    assert core.mend == "pip install 'nor-this>=3'"


def test_the_package_itself_may_be_missing(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor.importlib.metadata, "requires", missing)
    (line,) = doctor.package_lines()
    assert line.version is None and "pip install ." in line.mend


def test_opencv_without_libgl_is_told_with_the_mend(monkeypatch):
    def fail(name):
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", fail)
    line = doctor.opencv_line()
    assert not line.good
    assert "libGL.so.1" in line.value and "opencv-python-headless" in line.value


def test_the_disk_of_a_root_that_does_not_exist(tmp_path):
    lines = {line.name: line for line in doctor.machine_lines(tmp_path / "not" / "there")}
    assert lines["Disk of the data root"].value.endswith("GiB free")
    assert not (tmp_path / "not").exists()


def test_a_root_that_is_a_file(tmp_path, capsys):
    (tmp_path / "f").write_text("")
    lines = report(capsys, "--data-root", str(tmp_path / "f"))["assets"]
    assert not any(
        line["found"] for line in lines if line["name"] not in ("embedded body", "shipped weights")
    )


# the GPU line


@pytest.fixture
def gpu_line(monkeypatch):
    monkeypatch.undo()
    return doctor.gpu_line


def test_torch_is_not_imported_where_there_is_no_device(gpu_line, monkeypatch):
    monkeypatch.setattr(doctor.Path, "exists", lambda self: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail(f"imported {name}"))
    line = gpu_line()
    assert line.good and "none" in line.value


@pytest.mark.parametrize("works", [True, False])
def test_a_device_is_told_and_so_is_one_that_torch_cannot_use(gpu_line, monkeypatch, works):
    class Properties:
        name, total_memory = "Card", 8 * 2**30

    class Cuda:
        is_available = staticmethod(lambda: works)
        device_count = staticmethod(lambda: 1)
        get_device_properties = staticmethod(lambda i: Properties)

    class Torch:
        __version__ = "9.9"
        cuda = Cuda

        class backends:
            class mps:
                is_available = staticmethod(lambda: False)

    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(doctor.importlib, "import_module", lambda name: Torch)
    line = gpu_line()
    assert line.good == works
    assert ("Card (8 GiB)" in line.value) == works


def test_torch_may_be_missing(gpu_line, monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert not gpu_line().good


def test_the_embedded_body_is_the_one_that_is_loaded():
    from ajahr.body.data import DEFAULT_BODY

    assert [Path(path) for path in doctor.embedded_body().found] == [DEFAULT_BODY.resolve()]
