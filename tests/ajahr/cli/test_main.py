"""The `ajahr` command."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import ajahr
from ajahr.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_listed(name, capsys):
    assert importlib.util.find_spec(COMMANDS[name].module) is not None
    assert main(["--help"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    try:  # a parser ends the program after its help, a command with sources of its own returns
        code = main([name, "--help"])
    except SystemExit as end:
        code = end.code
    assert code in (0, None)
    assert f"ajahr {name}" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ajahr {ajahr.__version__}\n"


@pytest.mark.parametrize("argv", [["docter"], ["doctor", "--data-rot", "x"], ["doctor", "x"]])
def test_user_errors_are_one_line_and_exit_2(argv, capsys):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("ajahr: error: ") and err.count("\n") == 1


@pytest.mark.parametrize("argv", ["--help", "doctor --help"])
def test_help_loads_nothing_heavy(argv):
    program = (
        "import sys\nfrom ajahr.cli.main import main\n"
        f"try: main({argv.split()!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'numba', 'scipy', 'pytorch_lightning', 'smplx'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True)
