"""Commands that depend on each other, some side by side, each run once: what is done is not done again.

    steps = [Step("data", [...]), Step("train", [...], after=("data",), continues=last_checkpoint)]
    Runner(folder, steps, jobs=2).run()

A step is one or several commands, each a process of its own. When all have ended well, ``steps/NAME.json`` is
written, and only then is the step done; a process that is killed at any moment leaves it undone. A step that was
done with other settings is refused, not silently kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ajahr.data.files import make_folder, write_atomic
from ajahr.errors import UserError

Command = Sequence[str]
State = Literal["done", "running", "begun", "to do", "outdated"]
_POLL_S = 0.2
_GRACE_S = 60.0
"""What a training run has to save in when it is told to stop."""


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Args:
        name: Of its files; a slash makes a folder.
        commands: Argument vectors, run one after the other; or a function that makes them when the step starts,
            for those that depend on what is on disk by then.
        after: Names of the steps that must be done first.
        settings: What the result depends on. Done with other settings, the step is refused.
        again: Cheap enough to be done anew whenever its settings or the steps before it changed.
        alone: Nothing runs beside it, because it uses every core itself or is a measurement.
        minutes: A guess for the plan.
        result: Called when the commands have ended well; a UserError says that what they should have made is
            not there.
        progress: What to show of it while it runs, such as "step 200 of 1000".
        about: What it is, in a few words.
    """

    name: str
    commands: Sequence[Command] | Callable[[], Sequence[Command]]
    after: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    again: bool = False
    alone: bool = False
    minutes: float = 0.0
    result: Callable[[], object] = lambda: None
    progress: Callable[[], str] = lambda: ""
    about: str = ""

    def fingerprint(self, before: Mapping[str, str] | None = None) -> str:
        """Of the settings, and of those of the steps before it."""
        inherited = {name: (before or {}).get(name, "") for name in self.after}
        text = json.dumps([self.settings, inherited], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Row:
    """Where a step stands."""

    step: Step
    state: State
    seconds: float | None
    progress: str = ""


class Folder:
    """What is on disk of a run: which steps are done, which have begun."""

    def __init__(self, path: str | Path, steps: Sequence[Step]) -> None:
        self.path, self.steps = Path(path), list(steps)
        self.prints: dict[str, str] = {}
        for step in self.steps:
            if missing := [name for name in step.after if name not in self.prints]:
                raise ValueError(f"{step.name} comes after {missing[0]}, which is not before it in the list")
            self.prints[step.name] = step.fingerprint(self.prints)

    def marker(self, step: Step) -> Path:
        return self.path / "steps" / f"{step.name}.json"

    def log(self, step: Step) -> Path:
        return self.path / "logs" / f"{step.name}.log"

    def record(self, step: Step) -> dict[str, object] | None:
        """What the marker says; None while the step is not done."""
        try:
            return json.loads(self.marker(step).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UserError(f"{self.marker(step)}: cannot be read ({error}); delete it") from error

    def state(self, step: Step) -> State:
        record = self.record(step)
        if record is None:
            return "running" if self._held(step) else "begun" if self.log(step).is_file() else "to do"
        return "done" if record.get("fingerprint") == self.prints[step.name] else "outdated"

    def rows(self) -> list[Row]:
        """Every step, for a table."""
        found = []
        for step in self.steps:
            state, record = self.state(step), self.record(step)
            seconds = None if record is None else float(str(record.get("seconds", "nan")))
            found.append(Row(step, state, seconds, step.progress() if state in ("running", "begun") else ""))
        return found

    def check(self) -> None:
        """Refuse a folder that another run works in, or whose dear steps were done with other settings.

        Raises:
            UserError: naming the step.
        """
        for step in self.steps:
            if pid := self._held(step):
                raise UserError(
                    f"{self.path}: process {pid} works on '{step.name}'; wait for it, or end it (kill {pid})"
                )
            if self.state(step) == "outdated" and not step.again:
                raise UserError(
                    f"{self.path}: '{step.name}' was done with other settings; give them again, choose another "
                    f"--output, or delete {self.marker(step)} and its result"
                )

    def finish(self, step: Step, seconds: float) -> None:
        record = {"name": step.name, "fingerprint": self.prints[step.name], "seconds": round(seconds, 1),
                  "settings": step.settings, "ended": time.strftime("%Y-%m-%d %H:%M:%S")}  # fmt: skip
        make_folder(self.marker(step).parent)
        write_atomic(self.marker(step), (json.dumps(record, indent=1, default=str) + "\n").encode())

    def _pid_file(self, step: Step) -> Path:
        return self.log(step).with_suffix(".pid")

    def hold(self, step: Step, pid: int) -> None:
        self._pid_file(step).write_text(f"{pid} {_born(pid)}")

    def release(self, step: Step) -> None:
        self._pid_file(step).unlink(missing_ok=True)

    def _held(self, step: Step) -> int:
        """The process of it that lives, perhaps left over by a killed run; 0 for none."""
        try:
            pid, born = (int(word) for word in self._pid_file(step).read_text().split())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return 0
        return pid if _born(pid) == born else 0


class _Running:
    """A step's processes, one after the other, into one log."""

    def __init__(self, folder: Folder, step: Step, environment: Mapping[str, str]) -> None:
        self.folder, self.step, self.environment = folder, step, dict(environment)
        self.began = time.monotonic()
        commands = step.commands() if callable(step.commands) else step.commands
        self.commands = deque([*command] for command in commands)
        make_folder(folder.log(step).parent)
        self.log = folder.log(step).open("a")
        self.process: subprocess.Popen[bytes] | None = None
        self.failed = False
        self._next()

    def _next(self) -> None:
        if not self.commands:
            self.process = None
            return
        command = self.commands.popleft()
        print("$", " ".join(command), file=self.log, flush=True)
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=self.environment, start_new_session=True,
        )  # fmt: skip
        self.folder.hold(self.step, self.process.pid)

    def ended(self) -> bool:
        """Look; begins the next command when one has ended well."""
        while self.process is not None:
            code = self.process.poll()
            if code is None:
                return False
            if code:
                self.failed = True
                break
            self._next()
        self.close()
        return True

    def close(self) -> None:
        self.log.close()
        self.folder.release(self.step)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def stop(self) -> None:
        """Tell the command to save and end. Not its workers: one that loses them fails before it has saved."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End whatever is left of the command and its workers."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Runner:
    """Runs what is left.

    Args:
        folder: Of markers and logs.
        steps: Each after those it depends on.
        jobs: Steps side by side.
        threads: Of each process (OMP_NUM_THREADS and its like).
        say: Gets one line when a step begins, ends, or, every half minute, tells how far it is.
    """

    def __init__(
        self,
        folder: str | Path,
        steps: Sequence[Step],
        *,
        jobs: int = 1,
        threads: int = 1,
        say: Callable[[str], None] = print,
        every_seconds: float = 30.0,
    ) -> None:
        if jobs < 1 or threads < 1:
            raise UserError(f"jobs is {jobs} and threads is {threads}; give at least 1")
        self.folder = Folder(folder, steps)
        self.jobs, self.say, self.every = jobs, say, every_seconds
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        self.environment = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONUNBUFFERED": "1"}
        self._running: list[_Running] = []

    def run(self) -> None:
        """Until everything is done.

        Raises:
            UserError: a step failed, with the end of its log; or one was done with other settings.
            KeyboardInterrupt: Ctrl-C or SIGTERM; training runs have saved, and the same command goes on.
        """
        self.folder.check()
        left = [step for step in self.folder.steps if self.folder.state(step) != "done"]
        kept = len(self.folder.steps) - len(left)
        if kept:
            self.say(f"{kept} of {len(self.folder.steps)} steps are done already")
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            self._loop(left)
        except BaseException:
            self._stop()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)

    def _loop(self, left: list[Step]) -> None:
        done = {step.name for step in self.folder.steps if step not in left}
        told = time.monotonic()
        while left or self._running:
            for step in list(left):
                if self._may_begin(step, done):
                    left.remove(step)
                    self.say(f"{step.name}: {step.about or 'begins'}")
                    self._running.append(_Running(self.folder, step, self.environment))
            for one in [one for one in self._running if one.ended()]:
                self._running.remove(one)
                if one.failed:
                    raise UserError(self._failure(one.step))
                one.step.result()
                self.folder.finish(one.step, one.seconds)
                done.add(one.step.name)
                self.say(f"{one.step.name}: done in {span(one.seconds)}")
            if time.monotonic() - told > self.every:
                told = time.monotonic()
                for one in self._running:
                    self.say(f"{one.step.name}: {span(one.seconds)} {one.step.progress()}".rstrip())
            if self._running:
                time.sleep(_POLL_S)

    def _may_begin(self, step: Step, done: Iterable[str]) -> bool:
        if not set(step.after) <= set(done) or len(self._running) >= self.jobs:
            return False
        return not self._running or not (step.alone or any(one.step.alone for one in self._running))

    def _failure(self, step: Step) -> str:
        lines = self.folder.log(step).read_text(errors="replace").strip().splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        where = f"(all of it: {self.folder.log(step)})"
        return f"'{step.name}' failed: {last.strip()} {where}; the same command tries again"

    def _stop(self) -> None:
        """Tell what runs to save and end; do not wait for ever."""
        for one in self._running:
            one.stop()
        until = time.monotonic() + _GRACE_S
        for one in self._running:
            if one.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    one.process.wait(max(until - time.monotonic(), 0.1))
            one.kill()
            one.close()


def _born(pid: int) -> int:
    """When the process began, in the kernel's ticks, which tells it from another one of the same number."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def span(seconds: float) -> str:
    """As people say it: 40 s, 12 min, 2 h 05 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def python(*arguments: object) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *map(str, arguments)]
