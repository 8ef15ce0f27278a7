"""What the commands share: options with nearest-key errors, dispatch, and errors in one line.

Exit codes: 0 done, 2 an error the user can mend, 130 interrupted. A bug shows its traceback.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import logging
import os
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import jsonargparse

from ajahr.errors import UserError
from tokenizer.errors import InputError

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


# ------------------------------------------------------------------------------------- running a command


def run(
    command: Callable[[Sequence[str]], int | None],
    prog: str,
    argv: Sequence[str] | None = None,
    *,
    on_interrupt: str = "interrupted",
) -> int:
    """Exit code of ``command``, with what the user caused told in one line on stderr.

    Args:
        command: takes the arguments, returns an exit code or None for 0.
        prog: name of the program, for the line.
        argv: ``sys.argv[1:]`` when None.
        on_interrupt: what Ctrl-C says.
    """
    try:
        code = command(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code or 0
    except (UserError, InputError) as error:
        print(f"{prog}: error: {one_line(str(error))}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print(f"{prog}: {on_interrupt}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # the reader (head, less) has gone; give the interpreter somewhere to flush to at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def one_line(text: str) -> str:
    return " ".join(text.split())


class _Told(logging.Handler):
    """Plain lines on what stderr is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(record.getMessage(), file=sys.stderr)
        except Exception:
            self.handleError(record)


def tell_log(*, rank: int = 0) -> None:
    """From now on what our packages log is told on stderr: people left out, first weights, broken pictures.

    Args:
        rank: of this process; others than 0 tell warnings only.
    """
    for name in ("ajahr", "tokenizer"):
        logger = logging.getLogger(name)
        if not any(isinstance(handler, _Told) for handler in logger.handlers):
            logger.addHandler(_Told())
        logger.setLevel(logging.INFO if rank == 0 else logging.WARNING)


@dataclass(frozen=True)
class Command:
    """A subcommand: ``module`` has ``main(argv) -> int | None`` and is imported when it is called."""

    module: str
    help: str


def dispatch(
    prog: str, about: str, version: str, commands: Mapping[str, Command], argv: Sequence[str]
) -> int | None:
    """Hand ``argv`` to the subcommand it names; help and version are answered without importing any.

    Raises:
        UserError: there is no such subcommand; the nearest is named.
    """
    first = argv[0] if argv else "--help"
    if first in ("-h", "--help"):
        print(_overview(prog, about, commands))
        return 0
    if first == "--version":
        print(f"{prog} {version}")
        return 0
    if first not in commands:
        raise UserError(f"'{first}' is no command of {prog}{did_you_mean(first, commands)}")
    return importlib.import_module(commands[first].module).main(argv[1:])


def _overview(prog: str, about: str, commands: Mapping[str, Command]) -> str:
    width = max(len(name) for name in commands)
    rows = [f"  {name:<{width}}  {command.help}" for name, command in commands.items()]
    return "\n".join(
        [
            f"usage: {prog} COMMAND [OPTIONS]",
            "",
            about,
            "",
            "commands:",
            *rows,
            "",
            f"{prog} COMMAND --help tells the options of a command; {prog} --version the version.",
        ]
    )


def print_tables(tables: Iterable[Any], width: int) -> None:
    """Tables of rich, for the terminal; ``width`` characters where there is none."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=width)
    for table in tables:
        console.print(table)


# ------------------------------------------------------------------------------------------- options


class Parser(jsonargparse.ArgumentParser):
    """jsonargparse's parser; what is wrong with the options or the YAML is a one-line `UserError`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)  # an abbreviation would change its meaning with a new option
        super().__init__(*args, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise UserError(explain(message, option_names(self))) from None


def parser_of(
    function: Callable[..., Any], prog: str, config: str = "a YAML file with these options"
) -> Parser:
    """A parser with ``--config``, described by the first paragraph of the function's docstring.

    The caller adds what shall not be made from the signature; `call` adds the rest.
    """
    parser = Parser(prog=prog, description=(function.__doc__ or "").split("\n\n")[0])
    parser.add_argument("--config", action="config", help=config)
    return parser


def call(function: Callable[..., Any], parser: Parser, argv: Sequence[str], **more: Any) -> int:
    """Call the function with what ``argv`` says; exit code 0.

    Args:
        more: arguments that are no options.
    """
    there = {action.dest for action in parser._actions} | set(more)
    known: set[str | int] = {name for name in inspect.signature(function).parameters if name in there}
    parser.add_function_arguments(function, None, skip=known)
    values = vars(parser.instantiate(parser.parse_args(list(argv))))
    values.pop("config", None)
    function(**values, **more)
    return 0


def option_names(parser: jsonargparse.ArgumentParser) -> list[str]:
    """Every option and key, dotted; those of dataclasses inside lists by their bare names."""
    names = []
    for action in parser._actions:
        options = [text[2:] for text in action.option_strings if text.startswith("--")]
        names += options or [action.dest]
        names += _field_names(getattr(action, "_typehint", None))
    return list(dict.fromkeys(name for name in names if not name.endswith((".help", "+"))))


def _field_names(hint: Any) -> list[str]:
    if dataclasses.is_dataclass(hint):
        return [field.name for field in dataclasses.fields(hint)]
    return [name for part in typing.get_args(hint) for name in _field_names(part)]


def did_you_mean(name: str, known: Sequence[str] | Mapping[str, Any], before: str = "") -> str:
    """``"; did you mean X?"`` with the nearest of ``known``, or where to find them all."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    if not close:  # a key written without its group, or in another one
        leaf = name.rsplit(".", 1)[-1]
        leaves = {key.rsplit(".", 1)[-1]: key for key in known}
        close = [leaves[match] for match in difflib.get_close_matches(leaf, list(leaves), n=1, cutoff=0.75)]
    return f"; did you mean {before}{close[0]}?" if close else "; --help tells what there is"


_TYPE_NAME = re.compile(r"<class '(?:[\w.]+\.)?(\w+)'>")


def explain(message: str, known: Sequence[str]) -> str:
    """jsonargparse's complaint in one line, with the nearest key for one that does not exist."""
    if found := re.match(r"unrecognized arguments: (\S+)", message):
        token = found[1]
        if not token.startswith("-"):
            return f"'{token}' is one argument too many; --help tells what there is"
        name = token.split("=")[0]
        return f"{name} is no option{did_you_mean(name.lstrip('-'), known, '--')}"
    if found := re.search(r"Group '([^']+)' does not accept option '([^']+)'", message):
        name = f"{found[1]}.{found[2]}"
        return f"'{name}' is no key{did_you_mean(name, known)}"
    if found := re.search(r"Option '([^']+)' is not accepted", message):
        return f"'{found[1]}' is no key{did_you_mean(found[1], known)}"
    if found := re.match(r"the following arguments are required: (.+)", message):
        return f"{found[1]} is missing; give --{found[1].split(',')[0].lstrip('-')} or put it into the YAML"
    text = one_line(_TYPE_NAME.sub(r"\1", message))
    if found := re.match(r"Parser key \"([^\"]+)\": Expected an? (.+)\. Got value: (.*)", text):
        wanted = re.sub(r"typing\.Literal\[(.*)\]", r"one of \1", found[2])
        return f"{found[1]} is {found[3]}, expected {wanted}"
    return text
