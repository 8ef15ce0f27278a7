"""``ajahr bench keypoints``: parameters, GFLOPs, latency and images per second of keypoint models in one table.

ajahr bench keypoints                                     every student, and ViTPose-S and -B beside
ajahr bench keypoints --backbones efficientnet_b0 vit_base --threads 1 --onnx true

Weights are random: speed does not depend on them.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from ajahr.cli.console import call, did_you_mean, parser_of, print_tables
from ajahr.errors import UserError
from ajahr.inference.external import pick_device
from ajahr.keypoints.config import BACKBONES, KeypointConfig
from ajahr.keypoints.counts import count
from ajahr.keypoints.crops import INPUT_SIZE
from ajahr.keypoints.model import KeypointModel
from ajahr.keypoints.students import PUBLISHED_COUNTS, STUDENTS

DEFAULT = (*STUDENTS, "vit_small", "vit_base")


@dataclass(frozen=True)
class Speed:
    """Of one model in one runtime. Latency is the median of single images."""

    latency_ms: float
    images_per_s: float


@dataclass(frozen=True)
class Row:
    """One backbone."""

    backbone: str
    head: str
    parameters_m: float
    gflops: float
    torch: Speed
    onnx: Speed | None


def keypoints(
    backbones: list[str] | None = None,
    points: int = 25,
    batch: int = 8,
    repeats: int = 10,
    threads: int = 1,
    onnx: bool = True,
    device: str = "cpu",
    output: Path | None = None,
) -> None:
    """Parameters, GFLOPs and speed of keypoint models, PyTorch beside ONNX, all in one run.

    Args:
        backbones: Which; None for every student and ViTPose-S and -B.
        points: 25 or 17.
        batch: Images at once for images per second.
        repeats: Of each timing, after two that do not count.
        threads: CPU threads of either runtime.
        onnx: Also in onnxruntime, on the CPU; needs the extra onnx.
        device: "cpu" or "cuda", of PyTorch.
        output: A JSON file for the table.
    """
    names = list(backbones or DEFAULT)
    known = BACKBONES
    for name in names:
        if name not in known:
            raise UserError(f"'{name}' is no backbone{did_you_mean(name, known)}")
    if min(batch, repeats, threads) < 1:
        raise UserError("batch, repeats and threads are at least 1")
    device = pick_device(device)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    rows = []
    try:
        for name in names:
            rows.append(_measure(KeypointConfig(name, points=points), batch, repeats, threads, onnx, device))
            print(f"{name}: done", flush=True)
    finally:
        torch.set_num_threads(before)
    title = f"{points} points, {threads} threads, batch 1 and {batch}, PyTorch on {device}"
    print_tables([table(rows, title)], width=140)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        print(output)


def _measure(config: KeypointConfig, batch: int, repeats: int, threads: int, onnx: bool, device: str) -> Row:
    model = KeypointModel(config).eval().to(device)
    counts = count(model)
    images = {n: torch.randn(n, 3, *INPUT_SIZE, device=device) for n in {1, batch}}

    def run(image: torch.Tensor) -> None:
        model(image)
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    with torch.inference_mode():
        in_torch = _time(run, images[1], images[batch], batch, repeats)
    in_onnx = None
    if onnx:
        from ajahr.keypoints.onnx_export import OnnxKeypoints, export_onnx

        with tempfile.TemporaryDirectory() as folder:
            session = OnnxKeypoints(export_onnx(model.cpu(), Path(folder) / "model.onnx"), threads=threads)
            arrays = {n: image.cpu().numpy() for n, image in images.items()}
            in_onnx = _time(session, arrays[1], arrays[batch], batch, repeats)
    return Row(config.backbone, config.head_kind, counts.parameters_m, counts.gflops, in_torch, in_onnx)


def _time(run: Callable, one: object, many: object, batch: int, repeats: int) -> Speed:
    medians = []
    for image in (one, many):
        times = []
        for k in range(repeats + 2):
            start = time.perf_counter()
            run(image)
            if k >= 2:
                times.append(time.perf_counter() - start)
        medians.append(float(np.median(times)))
    return Speed(1e3 * medians[0], batch / medians[1])


def table(rows: Sequence[Row], title: str) -> Table:
    """The rows, the paper's counts of 17 points beside ours, and speed as a multiple of ViT-B's where it is there."""
    base = next((row for row in rows if row.backbone == "vit_base"), None)
    made = Table(title=title, title_justify="left")
    made.add_column("backbone")
    for name in (
        "M params",
        "paper",
        "GFLOPs",
        "paper",
        "torch ms",
        "torch img/s",
        "ONNX ms",
        "ONNX img/s",
        "x ViT-B",
    ):
        made.add_column(name, justify="right")
    for row in rows:
        paper = PUBLISHED_COUNTS.get(row.backbone)
        ratio = "-"
        if base is not None:
            mine, theirs = (row.onnx, base.onnx) if row.onnx and base.onnx else (row.torch, base.torch)
            ratio = f"{mine.images_per_s / theirs.images_per_s:.1f}"
        made.add_row(
            row.backbone,
            f"{row.parameters_m:.2f}",
            "-" if paper is None else f"{paper[0]:.1f}",
            f"{row.gflops:.2f}",
            "-" if paper is None else f"{paper[1]:.1f}",
            f"{row.torch.latency_ms:.1f}",
            f"{row.torch.images_per_s:.1f}",
            "-" if row.onnx is None else f"{row.onnx.latency_ms:.1f}",
            "-" if row.onnx is None else f"{row.onnx.images_per_s:.1f}",
            ratio,
        )
    return made


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__)
        print("ajahr bench keypoints --help tells the options.")
        return 0
    if argv[0] != "keypoints":
        raise UserError(
            f"'{argv[0]}' is nothing to measure the speed of{did_you_mean(argv[0], ['keypoints'])}"
        )
    parser = parser_of(keypoints, "ajahr bench keypoints")
    parser.add_argument(
        "--backbones", type=str, nargs="+", help="any number; all students and ViT-S, ViT-B if not given"
    )
    return call(keypoints, parser, argv[1:])
