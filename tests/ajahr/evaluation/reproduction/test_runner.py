"""Steps of tiny processes: each once, in order, side by side where they may be, and never half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ajahr.errors import UserError
from ajahr.evaluation.reproduction.runner import Folder, Runner, Step, python, span


def code(text: str) -> list[str]:
    """A process that starts in a few ms."""
    return python("-S", "-E", "-c", text)


def writes(path: Path, text: str, wait: float = 0.0) -> list[str]:
    return code(f"import time; time.sleep({wait}); open({str(path)!r}, 'a').write({text!r})")


def go(folder: Path, *steps: Step, **arguments) -> list[str]:
    said: list[str] = []
    Runner(folder, steps, say=said.append, **arguments).run()
    return said


def test_in_order_and_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    steps = [
        Step("a", [writes(log, "a", 0.2), writes(log, "A")]),
        Step("b/c", lambda: [writes(log, log.read_text())], after=("a",)),
    ]
    go(tmp_path / "run", *steps, jobs=2)
    assert log.read_text() == "aAaA", "the second begins when both commands of the first have ended"
    said = go(tmp_path / "run", *steps)
    assert log.read_text() == "aAaA" and said == ["2 of 2 steps are done already"]
    marker = json.loads((tmp_path / "run/steps/b/c.json").read_text())
    assert marker["name"] == "b/c" and marker["seconds"] >= 0
    assert [row.state for row in Folder(tmp_path / "run", steps).rows()] == ["done", "done"]


def test_side_by_side_but_not_beside_those_alone(tmp_path: Path) -> None:
    def meets(mine: str, other: str, seconds: float = 5) -> list[str]:
        """Ends well only if the other one is there at the same time."""
        return code(
            f"import os, time; open({str(tmp_path / mine)!r}, 'w'); end = time.time() + {seconds}\n"
            f"while not os.path.exists({str(tmp_path / other)!r}) and time.time() < end: time.sleep(0.01)\n"
            f"assert os.path.exists({str(tmp_path / other)!r})"
        )

    go(tmp_path / "two", Step("x", [meets("x", "y")]), Step("y", [meets("y", "x")]), jobs=2)
    alone = Step("v", [meets("v", "w", 0.5)], alone=True)
    with pytest.raises(UserError, match="'v' failed: AssertionError"):
        go(tmp_path / "one", alone, Step("w", [meets("w", "v")]), jobs=2)


def test_a_failure_says_what_and_where(tmp_path: Path) -> None:
    log = tmp_path / "log"
    steps = [Step("bad", [code("import sys; print('cause'); sys.exit(2)"), writes(log, "x")]),
             Step("next", [writes(log, "y")], after=("bad",))]  # fmt: skip
    with pytest.raises(UserError, match=r"'bad' failed: cause .*logs/bad\.log") as caught:
        go(tmp_path / "run", *steps)
    assert "\n" not in str(caught.value) and not log.exists()
    assert [row.state for row in Folder(tmp_path / "run", steps).rows()] == ["begun", "to do"]


def test_ending_well_without_a_result_is_a_failure(tmp_path: Path) -> None:
    def nothing() -> None:
        raise UserError("no weights there")

    step = Step("train", [code("")], result=nothing)
    with pytest.raises(UserError, match="no weights there"):
        go(tmp_path, step)
    assert Folder(tmp_path, [step]).state(step) == "begun"


def test_other_settings_are_refused_or_done_again(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def steps(seed: int, models: int) -> list[Step]:
        return [
            Step("train", [writes(log, "t")], settings={"seed": seed}),
            Step("table", [writes(log, "e")], after=("train",), settings={"models": models}, again=True),
        ]

    go(tmp_path / "run", *steps(0, 1))
    go(tmp_path / "run", *steps(0, 2))
    assert log.read_text() == "tee", "the cheap step alone"
    with pytest.raises(UserError, match="'train' was done with other settings"):
        go(tmp_path / "run", *steps(1, 2))
    assert log.read_text() == "tee"


def _working(pid: int) -> bool:
    """Whether the process lives, and is no dead one that nobody has asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_lets_its_processes_save(tmp_path: Path, number: int) -> None:
    ready, saved, worker_told = tmp_path / "ready", tmp_path / "saved", tmp_path / "told"
    worker = (
        "import os, pathlib, signal, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: pathlib.Path({str(worker_told)!r}).touch())\n"
        f"pathlib.Path({str(tmp_path / 'half')!r}).write_text(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'half')!r}, {str(ready)!r})\n"
        "time.sleep(60)"
    )
    child = code(
        "import signal, subprocess, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(saved)!r}, 'w'), sys.exit(143)))\n"
        f"subprocess.Popen([sys.executable, '-S', '-c', {worker!r}])\n"
        "time.sleep(30)"
    )

    def stop() -> None:
        until = time.monotonic() + 20
        while not ready.exists() and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=stop).start()
    step = Step("long", [child])
    try:
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "run", step)
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert saved.exists() and Folder(tmp_path / "run", [step]).state(step) == "begun"
    assert not worker_told.exists(), "a training that loses its workers cannot save"
    until = time.monotonic() + 20
    while (left := _working(int(ready.read_text()))) and time.monotonic() < until:
        time.sleep(0.02)
    assert not left, "but none is left"
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_a_killed_run_left_working_is_not_started_twice(tmp_path: Path) -> None:
    step = Step("train", [writes(tmp_path / "log", "x")])
    folder = Folder(tmp_path / "run", [step])
    folder.log(step).parent.mkdir(parents=True)
    left = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(30)"])
    try:
        folder.hold(step, left.pid)
        assert folder.state(step) == "running"
        with pytest.raises(UserError, match=f"process {left.pid} works on 'train'"):
            go(tmp_path / "run", step)
    finally:
        left.kill()
        left.wait()
    folder.log(step).with_suffix(".pid").write_text(f"{os.getpid()} 1")  # the number, given to another one
    go(tmp_path / "run", step)
    assert (tmp_path / "log").read_text() == "x"


def test_edges(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not before it"):
        Folder(tmp_path, [Step("b", [], after=("a",))])
    with pytest.raises(UserError, match="give at least 1"):
        Runner(tmp_path, [], jobs=0)
    step = Step("a", [])
    Folder(tmp_path, [step]).finish(step, 1)
    (tmp_path / "steps/a.json").write_text("{")
    with pytest.raises(UserError, match="delete it"):
        go(tmp_path, step)
    assert [span(s) for s in (40, 700, 7500)] == ["40 s", "12 min", "2 h 05 min"]
