"""Pictures per second of the generator on one process and on two, and the memory of a worker over a long run.

Clean 640x480 backgrounds and the texture bank are made first and not timed: this is the inner loop, from an index
to the bytes in the shard.

    python scripts/bench_generate.py                      # speed, about a minute after the banks
    python scripts/bench_generate.py --memory 10000       # resident memory of one worker over 10,000 pictures
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from synth.config import AppearanceConfig, GenerateConfig, PhotoSource, RunConfig
from synth.engine.local import one_thread_each
from synth.generate import WORK, generate, make_shard
from synth.progress import Progress


def make_photos(folder: Path, count: int = 8) -> None:
    """Photograph-like pictures of 640x480: smooth shapes, edges and grain, so that JPEG has its usual work."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image = np.zeros((480, 640, 3), np.float32)
        for octave in (4, 16, 64, 160):
            noise = rng.normal(0, 1, (3 * octave // 4, octave, 3)).astype(np.float32)
            image += cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC) * 60 / np.sqrt(octave / 4)
        image += rng.normal(0, 4, image.shape)
        cv2.imwrite(str(folder / f"{i}.png"), np.clip(image + 120, 0, 255).astype(np.uint8))


def config(folder: Path, output: str, num_images: int, shard_size: int, workers: int) -> GenerateConfig:
    return GenerateConfig(
        output=folder / output,
        num_images=num_images,
        shard_size=shard_size,
        photos=[PhotoSource(kind="clean", name="bench", images=folder / "photos")],
        appearance=AppearanceConfig(per_group=2),
        run=RunConfig(workers=workers, sheet=0),
    )


def resident_mb() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def work(job: GenerateConfig, shards: list[int], start, answers) -> None:
    """One worker: warm up on the first shard, wait for the others, then make the rest."""
    cv2.setNumThreads(1)
    make_shard(job, job.output / WORK, shards[0], lambda: None)
    start.wait()
    begun = time.perf_counter()
    memory = [resident_mb()]
    for shard in shards[1:]:
        make_shard(job, job.output / WORK, shard, lambda: None)
        memory.append(resident_mb())
    answers.put((time.perf_counter() - begun, memory))


def measure(job: GenerateConfig, workers: int) -> tuple[float, list[float]]:
    """Pictures per second of ``workers`` processes together, and the memory of one after each shard, MB."""
    context = get_context("spawn")
    with one_thread_each():
        start, answers = context.Barrier(workers), context.Queue()
        shards = list(range(job.num_shards))
        processes = [
            context.Process(target=work, args=(job, shards[i::workers], start, answers))
            for i in range(workers)
        ]
        for process in processes:
            process.start()
        results = [answers.get() for _ in processes]
        for process in processes:
            process.join()
    pictures = sum((len(shards[i::workers]) - 1) * job.shard_size for i in range(workers))
    return pictures / max(seconds for seconds, _ in results), results[0][1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=800, help="per process, timed")
    parser.add_argument("--memory", type=int, default=0, help="pictures of the memory run; 0 leaves it out")
    args = parser.parse_args()
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="bench_generate_"))
    try:
        make_photos(folder / "photos")
        first = config(folder, "banks", 2, 2, 1)
        generate(first, Progress(console))

        def job(name: str, num_images: int, shard_size: int) -> GenerateConfig:
            made = config(folder, name, num_images, shard_size, 1)
            shutil.copytree(first.output / WORK, made.output / WORK)
            return made

        shard = args.pictures // 4
        one, memory = measure(job("one", 5 * shard, shard), 1)
        two, _ = measure(job("two", 10 * shard, shard), 2)
        table = Table(
            "processes", "pictures/s", "ratio", "worker memory, MB", title="generator, 640x480, 4 samples"
        )
        table.add_row("1", f"{one:.1f}", "1.00", f"{memory[-1]:.0f}")
        table.add_row("2", f"{two:.1f}", f"{two / one:.2f}", "")
        console.print(table)
        if args.memory:
            rate, memory = measure(job("memory", args.memory + 500, 500), 1)
            steps = ", ".join(f"{m:.0f}" for m in memory[:: max(len(memory) // 10, 1)])
            console.print(f"{args.memory} pictures at {rate:.1f}/s; resident MB along the way: {steps}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
