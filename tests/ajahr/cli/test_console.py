"""Commands end with one line and the right exit code; a typo is told with the nearest key."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ajahr.cli import console
from ajahr.cli.console import Command, Parser, did_you_mean, dispatch, explain, option_names, run
from ajahr.errors import MissingAsset, UserError


@dataclass
class Item:
    """An entry of a list."""

    kind: str = "demo"
    limit: int | None = None


@dataclass
class Group:
    """A group of keys."""

    quality: int = 90
    max_side: int = 640


@dataclass
class Job:
    """Everything."""

    output: str
    seed: int = 0
    backgrounds: Group = field(default_factory=Group)
    photos: list[Item] = field(default_factory=list)


def parser() -> Parser:
    made = Parser(prog="prog job")
    made.add_argument("--config", action="config")
    made.add_class_arguments(Job, None)
    return made


def complaint(*argv: str) -> str:
    with pytest.raises(UserError) as error:
        parser().parse_args([*argv])
    assert "\n" not in str(error.value)
    return str(error.value)


def yaml(tmp_path: Path, text: str) -> str:
    (tmp_path / "c.yaml").write_text(text)
    return str(tmp_path / "c.yaml")


# exit codes


@pytest.mark.parametrize(
    "end, code, line",
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (UserError("the disk is full;\n free space"), 2, "prog: error: the disk is full; free space\n"),
        (MissingAsset("no SMPL; get it"), 2, "prog: error: no SMPL; get it\n"),
        (KeyboardInterrupt(), 130, "prog: stopped; run it again to go on\n"),
    ],
)
def test_the_end_of_a_command(end, code, line, capsys):
    def command(argv):
        assert argv == ["a"]
        if isinstance(end, BaseException):
            raise end
        return end()

    assert run(command, "prog", ["a"], on_interrupt="stopped; run it again to go on") == code
    assert capsys.readouterr() == ("", line)


def test_a_bug_is_not_hidden():
    def command(argv):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(command, "prog", [])


def test_arguments_default_to_those_of_the_program(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prog", "x", "y"])
    seen = []
    run(lambda argv: seen.extend(argv), "prog")
    assert seen == ["x", "y"]


PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell leaves it ignored
from ajahr.cli.console import run
def command(argv):
    print("ready", flush=True)
    if argv[0] == "wait":
        time.sleep(60)
    for _ in range(100_000):
        print("x" * 100)
sys.exit(run(command, "prog"))
"""
ROOT = Path(__file__).parents[3]


def test_control_c_is_one_line():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, "wait"], **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "prog: interrupted\n")


def test_a_reader_that_goes_away_is_no_error():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, "print"], **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=20)
    assert (process.returncode, errors) == (console.EXIT_BROKEN_PIPE, "")


# dispatch

COMMANDS = {"doctor": Command("json", "looks"), "generate": Command("nowhere.at_all", "makes")}


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_the_overview_lists_every_command_and_imports_none(argv, capsys):
    assert dispatch("prog", "About.", "1.2", COMMANDS, argv) == 0
    out = capsys.readouterr().out
    assert "usage: prog COMMAND" in out and "generate  makes" in out and "About." in out


def test_the_version(capsys):
    assert dispatch("prog", "", "1.2", COMMANDS, ["--version"]) == 0
    assert capsys.readouterr().out == "prog 1.2\n"


@pytest.mark.parametrize("word, near", [("docter", "did you mean doctor?"), ("zzz", "--help tells")])
def test_an_unknown_command_names_the_nearest(word, near):
    with pytest.raises(UserError, match=f"'{word}' is no command of prog; .*{near}".replace("?", r"\?")):
        dispatch("prog", "", "1", COMMANDS, [word])


def test_the_command_gets_the_other_arguments(monkeypatch):
    import json

    monkeypatch.setattr(json, "main", lambda argv: len(argv), raising=False)
    assert dispatch("prog", "", "1", COMMANDS, ["doctor", "a", "--b"]) == 2


# options


def test_good_options_are_read(tmp_path):
    path = yaml(tmp_path, "output: a\nbackgrounds: {quality: 5}\nphotos:\n- {kind: coco}\n")
    options = parser().parse_args(["--config", path, "--seed", "4"])
    assert (options.output, options.seed, options.backgrounds.quality) == ("a", 4, 5)
    assert options.photos[0].kind == "coco"


@pytest.mark.parametrize(
    "argv, told",
    [
        (["--sead", "3"], "--sead is no option; did you mean --seed?"),
        (
            ["--background.quality", "3"],
            "--background.quality is no option; did you mean --backgrounds.quality?",
        ),
        (
            ["--backgrounds.qualty=3"],
            "--backgrounds.qualty is no option; did you mean --backgrounds.quality?",
        ),
        (["--quality", "3"], "--quality is no option; did you mean --backgrounds.quality?"),
        (["--see", "3"], "--see is no option; did you mean --seed?"),  # no abbreviations
        (["--zzz", "3"], "--zzz is no option; --help tells what there is"),
        (["--output", "a", "extra"], "'extra' is one argument too many; --help tells what there is"),
        (["--output", "a", "--seed", "many"], "seed is many, expected int"),
        ([], "output is missing; give --output or put it into the YAML"),
        (["--seed"], "argument --seed: expected one argument"),
    ],
)
def test_wrong_options(argv, told):
    assert complaint(*argv) == told


@pytest.mark.parametrize(
    "text, told",
    [
        ("output: a\nsede: 1\n", "'sede' is no key; did you mean seed?"),
        (
            "output: a\nbackgrounds: {qualty: 1}\n",
            "'backgrounds.qualty' is no key; did you mean backgrounds.quality?",
        ),
        ("output: a\nphotos:\n- {limt: 1}\n", "'limt' is no key; did you mean limit?"),
        ("output: a\nquality: 1\n", "'quality' is no key; did you mean backgrounds.quality?"),
        ("output: a\nseed: x\n", "seed is x, expected int"),
        ("output: [a\n", "Problems parsing config"),
        ("- 1\n", "Unexpected config"),
    ],
)
def test_wrong_keys_of_a_file(tmp_path, text, told):
    assert complaint("--config", yaml(tmp_path, text)).startswith(told)


def test_a_missing_file(tmp_path):
    assert "does not exist" in complaint("--config", str(tmp_path / "none.yaml"))


def test_print_config_shows_every_key(capsys):
    with pytest.raises(SystemExit) as end:
        parser().parse_args(["--output", "a", "--print_config"])
    assert end.value.code in (0, None)
    assert "max_side: 640" in capsys.readouterr().out


def test_every_key_is_known_for_the_nearest():
    names = option_names(parser())
    assert {"output", "seed", "backgrounds.max_side", "photos", "kind", "limit"} <= set(names)


@pytest.mark.parametrize(
    "message, told",
    [
        (
            "Parser key \"k\":\n  Expected a typing.Literal['a', 'b']. Got value: c",
            "k is c, expected one of 'a', 'b'",
        ),
        ("something\n  else   entirely", "something else entirely"),
    ],
)
def test_other_complaints_become_one_line(message, told):
    assert explain(message, ["k"]) == told


def test_nearest_of_nothing():
    assert did_you_mean("a", []) == "; --help tells what there is"


def test_what_is_logged_is_told_once_and_by_the_first_rank(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("ajahr")
    handlers, level = list(logger.handlers), logger.level
    try:
        console.tell_log()
        console.tell_log()
        logging.getLogger("ajahr.somewhere").info("%d people left out", 3)
        assert capsys.readouterr().err == "3 people left out\n"
        console.tell_log(rank=1)
        logging.getLogger("ajahr.somewhere").info("again")
        logging.getLogger("ajahr.somewhere").warning("a broken picture")
        assert capsys.readouterr().err == "a broken picture\n"
    finally:
        logger.handlers[:], logger.level = handlers, level
