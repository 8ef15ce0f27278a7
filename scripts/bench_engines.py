"""What Ray adds to the local engine: the same dataset made by both in turns, wall time and CPU time of every process.

Each run is a command of its own, from start to finished dataset, on banks made beforehand: on this process's own
engine, on a Ray cluster begun and ended by the command, and on one that stands already. CPU time is that of the
command, of everything it left behind and of the standing cluster meanwhile, read from /proc. The rate leaves out the
first shard, in which a worker starts: it is what a long run goes on with. Linux only.

    python scripts/bench_engines.py --pictures 2000 --turns 3
    taskset -c 1 python scripts/bench_engines.py             # one core for all of it, Ray's own processes too
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_generate import config, make_photos
from rich.console import Console
from rich.table import Table

from synth.config import GenerateConfig
from synth.generate import WORK, generate
from synth.progress import Progress
from synth.timing import TIMINGS

ENGINES = {
    "local": ("local", ""),
    "ray, begun for it": ("ray", "local"),
    "ray, standing": ("ray", "{standing}"),
}
"""Name to engine and address."""
CLUSTER = """
import logging, os, sys, ray
context = ray.init("local", num_cpus={workers}, include_dashboard=False, logging_level=logging.ERROR)
print(context.address_info["gcs_address"], os.environ.get("RAY_AUTH_MODE", ""), flush=True)
sys.stdin.read()
"""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_SET_CHILD_SUBREAPER = 36
LEFT_S = 5.0
"""A standing cluster keeps idle workers for a while: so long what a command left behind is waited for."""
RUN = """
import sys
sys.path.insert(0, {here!r})
from dataclasses import replace
from pathlib import Path
from bench_generate import config
from synth.generate import generate
from synth.config import RunConfig
from synth.progress import Progress
job = config(Path({folder!r}), {name!r}, {pictures}, {shard}, {workers})
generate(replace(job, run=RunConfig({engine!r}, {address!r}, {workers}, sheet=0)), Progress(quiet=True))
"""


@dataclass(frozen=True)
class Run:
    """One command.

    Attributes:
        wall: From start to the end of the command, s.
        cpu: Of every process, s.
        steady: Pictures a second of wall time after the first shard.
        kinds: CPU seconds by kind of process.
    """

    wall: float
    cpu: float
    steady: float
    kinds: dict[str, float]


def processes_below(root: int) -> dict[int, float]:
    """CPU seconds so far of every process that descends from ``root``, that one left out."""
    parents: dict[int, int] = {}
    cpu: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            cpu[int(entry.name)] = (int(fields[11]) + int(fields[12])) * _TICK_S
    found: dict[int, float] = {}
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root and pid != root:
            found[pid] = cpu[pid]
    return found


def kind_of(pid: int) -> str:
    """Name of what a process is, from its command line."""
    try:
        words = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except OSError:
        return ""
    for name in (
        "gcs_server",
        "raylet/raylet",
        "dashboard/agent",
        "runtime_env/agent",
        "monitor",
        "log_monitor",
        "dashboard",
    ):
        if name in words:
            return name
    found = re.search(r"ray::\S+", words)
    return found.group() if found else words.split(" ")[0].rpartition("/")[2] if words else ""


def run(command: list[str], output: Path, shard: int, pictures: int) -> Run:
    """Run one command and wait for everything it started."""
    before = processes_below(os.getpid())
    begun = time.perf_counter()
    child = subprocess.Popen(command)
    cpu: dict[int, float] = {}
    kinds: dict[int, str] = {}
    wall = 0.0
    while True:
        below = processes_below(os.getpid())
        cpu.update({pid: seconds - before.get(pid, 0.0) for pid, seconds in below.items()})
        for pid in below:
            kinds[pid] = kind_of(pid) or kinds.get(pid, "")
        if not wall and child.poll() is not None:
            wall = time.perf_counter() - begun
            if child.returncode:
                raise SystemExit(f"the command failed: {child.returncode}")
        if wall:
            reap(set(below) - set(before))
            if not set(below) - set(before) or time.perf_counter() - begun - wall > LEFT_S:
                break
        time.sleep(0.1)
    ends = sorted(path.stat().st_mtime for path in (output / "shards").glob("*.tar"))
    total: defaultdict[str, float] = defaultdict(float)
    for pid, seconds in cpu.items():
        total[kinds[pid]] += seconds
    return Run(wall, sum(cpu.values()), (pictures - shard) / (ends[-1] - ends[0]), dict(total))


def reap(pids: set[int]) -> None:
    """Take leave of orphans that have ended."""
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def digest(output: Path) -> str:
    """Of every byte of the shards."""
    found = hashlib.sha256()
    for path in sorted([*(output / "shards").glob("*.tar"), *(output / "annotations").glob("*.npz")]):
        found.update(path.read_bytes())
    return found.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--shard", type=int, default=200, help="pictures a shard")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans come to this process
    console = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="bench_engines_"))
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER.format(workers=args.workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert cluster.stdin is not None and cluster.stdout is not None
    try:
        standing, _, tokens = cluster.stdout.readline().strip().partition(" ")
        if tokens:
            os.environ["RAY_AUTH_MODE"] = tokens
        make_photos(folder / "photos")
        first: GenerateConfig = config(folder, "banks", 40, 20, 1)
        generate(first, Progress(console))
        runs: dict[str, list[Run]] = {name: [] for name in ENGINES}
        digests = set()
        for _ in range(args.turns):
            for number, (name, (engine, address)) in enumerate(ENGINES.items()):
                output = folder / str(number)
                shutil.rmtree(output, ignore_errors=True)
                shutil.copytree(first.output / WORK, output / WORK)
                shutil.rmtree(output / WORK / TIMINGS, ignore_errors=True)
                source = RUN.format(
                    here=str(Path(__file__).resolve().parent), folder=str(folder), name=str(number), engine=engine,
                    address=address.format(standing=standing), pictures=args.pictures, shard=args.shard,
                    workers=args.workers,
                )  # fmt: skip
                found = run([sys.executable, "-c", source], output, args.shard, args.pictures)
                runs[name].append(found)
                digests.add(digest(output))
                kinds = ", ".join(f"{n} {s:.1f}" for n, s in sorted(found.kinds.items(), key=lambda p: -p[1]))
                console.print(
                    f"{name}: wall {found.wall:.1f} s, CPU {found.cpu:.1f} s, {found.steady:.1f}/s; {kinds}"
                )
        table = Table(
            "engine", "wall s", "ratio", "CPU s", "ratio", "pictures/s after the first shard", "ratio"
        )
        medians = {
            engine: np.median([(r.wall, r.cpu, r.steady) for r in found], axis=0)
            for engine, found in runs.items()
        }
        base = medians["local"]
        for engine, (wall, cpu, steady) in medians.items():
            table.add_row(
                engine, f"{wall:.1f}", f"{wall / base[0]:.3f}", f"{cpu:.1f}", f"{cpu / base[1]:.3f}",
                f"{steady:.1f}", f"{steady / base[2]:.3f}",
            )  # fmt: skip
        console.print(table)
        console.print("the same bytes from all" if len(digests) == 1 else "THE BYTES DIFFER")
    finally:
        cluster.stdin.close()
        cluster.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
