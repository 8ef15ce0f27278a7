"""Pictures per second of the generator on one process and on two, and the memory of a worker over a long run.

Clean 640x480 backgrounds and the texture bank are made first and not timed: this is the inner loop, from an index
to the bytes in the shard.

Everything is on: residual limbs, hard cases and realism; beside it, in turns, runs without one after the other.

    python scripts/bench_generate.py                       # speed and time by stage, some minutes after the banks
    python scripts/bench_generate.py --memory 20000        # resident memory of one worker over 20,000 pictures
    python scripts/bench_generate.py --page docs/scale.md  # and from it what 1 M and 100 M pictures cost
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from synth.config import (
    AppearanceConfig,
    GenerateConfig,
    HardCasesConfig,
    PhotoSource,
    RealismConfig,
    RunConfig,
)
from synth.engine.local import one_thread_each
from synth.generate import WORK, generate, make_shard
from synth.progress import Progress
from synth.residual_config import ResidualConfig
from synth.timing import TIMINGS, Cost, read_cost


def make_photos(folder: Path, count: int = 8) -> None:
    """Photograph-like JPEGs of 640x480: smooth shapes, edges and grain, so that every step has its usual work."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image = np.zeros((480, 640, 3), np.float32)
        for octave in (4, 16, 64, 160):
            noise = rng.normal(0, 1, (3 * octave // 4, octave, 3)).astype(np.float32)
            image += cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC) * 60 / np.sqrt(octave / 4)
        image = cv2.GaussianBlur(image, (0, 0), 0.8 + 0.1 * i) + rng.normal(0, 4, image.shape)
        pixels = np.clip(image + 120, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])


VARIANTS: dict[str, tuple[RealismConfig, HardCasesConfig, ResidualConfig]] = {
    "everything": (RealismConfig(), HardCasesConfig(), ResidualConfig(share=0.5)),
    "all limbs lost at joints": (RealismConfig(), HardCasesConfig(), ResidualConfig()),
    "and without realism": (RealismConfig.plain(), HardCasesConfig(), ResidualConfig()),
    "nor hard cases": (RealismConfig.plain(), HardCasesConfig.none(), ResidualConfig()),
}


def config(
    folder: Path, output: str, num_images: int, shard_size: int, workers: int, variant: str = "everything"
) -> GenerateConfig:
    realism, hard_cases, residual = VARIANTS[variant]
    return GenerateConfig(
        output=folder / output,
        num_images=num_images,
        shard_size=shard_size,
        photos=[PhotoSource(kind="clean", name="bench", images=folder / "photos")],
        appearance=AppearanceConfig(per_group=2),
        realism=realism,
        hard_cases=hard_cases,
        residual=residual,
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


@dataclass
class Measured:
    """One run of one variant.

    Attributes:
        rates: Pictures a second and process, one for each turn.
        cost: Seconds by stage.
        size: Bytes a picture, arrays included.
        memory: Of the worker after each shard, MB.
    """

    rates: list[float] = field(default_factory=list)
    cost: Cost | None = None
    size: float = 0.0
    memory: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The median turn's."""
        return float(np.median(self.rates))


def bytes_per_picture(job: GenerateConfig) -> float:
    files = [*(job.output / "shards").glob("*.tar"), *(job.output / "annotations").glob("*.npz")]
    return sum(path.stat().st_size for path in files) / job.num_images


def stage_table(measured: dict[str, Measured]) -> Table:
    """Milliseconds a picture in each stage."""
    table = Table("stage", *measured, title="milliseconds a picture, one process")
    costs = [one.cost for one in measured.values()]
    names = dict.fromkeys(name for cost in costs if cost is not None for name in cost.seconds)
    for name in names:
        row = [0.0 if cost is None else cost.seconds.get(name, 0.0) for cost in costs]
        table.add_row(name, *(f"{1e3 * value:.2f}" for value in row))
    table.add_row("sum", *("" if cost is None else f"{1e3 * cost.total:.2f}" for cost in costs))
    return table


def dollars(amount: float) -> str:
    """Three digits of it, and no more than two after the point."""
    return f"{amount:,.{2 if amount < 10 else 1 if amount < 100 else 0}f}"


def page(measured: Measured, two: float, memory: str) -> str:
    """docs/scale.md."""
    cost = measured.cost
    assert cost is not None
    rows = []
    for count in (1_000_000, 100_000_000):
        hours, terabytes = count / measured.rate / 3600, count * measured.size / 1e12
        rows.append(
            f"| {count:,} | {hours:,.1f} | {hours / 64:,.2f} | {terabytes:,.2f} TB | "
            f"{dollars(hours * CORE_HOUR)} | {dollars(terabytes * TERABYTE_MONTH)} |"
        )
    stages = [
        f"| {name} | {1e3 * value:.2f} | {value / cost.total:.0%} |"
        for name, value in sorted(cost.seconds.items(), key=lambda pair: -pair[1])
    ]
    bottleneck = cost.seconds[cost.bottleneck] / cost.total
    return SCALE_PAGE.format(
        rate=measured.rate,
        two=two,
        size=measured.size / 1e3,
        bottleneck=cost.bottleneck,
        share=bottleneck,
        stages="\n".join(stages),
        rows="\n".join(rows),
        memory=memory,
        core_hour=CORE_HOUR,
        terabyte_month=TERABYTE_MONTH,
    )


CORE_HOUR, TERABYTE_MONTH = 0.03, 20.0
"""Assumed prices, US dollars: about those of rented cores and object storage in 2026; put in your own."""
SCALE_PAGE = """# What a million pictures cost

Written by `python scripts/bench_generate.py --page docs/scale.md`: pictures of 640x480, four samples a pixel, one or
more people in each, every hard case and every step of realism on; clean backgrounds and textures, made once, are not
in it. A virtual machine, no GPU.

One process makes **{rate:.1f} pictures a second**, two together {two:.1f}. A picture with its part mask and labels
takes {size:.0f} kB. {memory}

| pictures | hours of one core | hours of 64 cores | storage | dollars for cores | dollars a month to store |
| ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

Prices are assumptions: {core_hour:g} dollars an hour of one core, {terabyte_month:g} a month and terabyte. Shards are
independent, so twice the cores take half the time until the disk is the limit: a core writes about
{size:.0f} kB x {rate:.0f}/s.

## On Ray

By `python scripts/bench_engines.py --pictures 1600`, one worker, medians of two turns on a busy machine: after the
first shard Ray makes 1.01 times the local engine's pictures a second, a worker takes the same CPU time, and the
bytes are the same. What Ray adds is paid once a job: 1.7 s on a cluster that stands (the command and the worker both
import the package), 6.6 s with a cluster begun for the job; the cluster's own processes take 2 % of a core. So a job
of 1,600 pictures takes 6 % longer on a standing cluster, and one of about 2,200 or more under 5 %; begun for it, one of
about 8,000 or more. Ray starts its workers at niceness 15: on machines with other work, begin the cluster with
`RAY_worker_niceness=0 ray start ...`, which `--run.address local` does by itself.

## Where the time goes

The bottleneck is **{bottleneck}**, {share:.0%} of the time.

| stage | ms a picture | share |
| --- | ---: | ---: |
{stages}

`ajahr-synth report` shows the same table of any dataset, from the timings that its run left in `.work`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=800, help="per process, timed")
    parser.add_argument("--turns", type=int, default=2, help="how often the variants are run in turns")
    parser.add_argument("--only", choices=[*VARIANTS], help="one variant alone")
    parser.add_argument("--memory", type=int, default=0, help="pictures of the memory run; 0 leaves it out")
    parser.add_argument("--page", type=Path, help="write what 1 M and 100 M pictures cost as Markdown")
    args = parser.parse_args()
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="bench_generate_"))
    variants = [args.only] if args.only else list(VARIANTS)
    try:
        make_photos(folder / "photos")
        first = config(folder, "banks", 2, 2, 1)
        generate(first, Progress(console))

        def job(name: str, num_images: int, shard_size: int, variant: str) -> GenerateConfig:
            made = config(folder, name, num_images, shard_size, 1, variant)
            shutil.rmtree(made.output, ignore_errors=True)
            shutil.copytree(first.output / WORK, made.output / WORK)
            shutil.rmtree(made.output / WORK / TIMINGS, ignore_errors=True)
            return made

        shard = max(args.pictures // 4 // max(args.turns, 1), 2)
        measured = {variant: Measured() for variant in variants}
        for _ in range(args.turns):
            for variant, one in measured.items():
                made = job("one", 5 * shard, shard, variant)
                rate, one.memory = measure(made, 1)
                one.rates.append(rate)
                one.cost, one.size = read_cost(made.output / WORK), bytes_per_picture(made)
        main_one = measured[variants[0]]
        two, _ = measure(job("two", 10 * shard, shard, variants[0]), 2)
        table = Table(
            "what",
            "pictures/s",
            "ratio",
            "kB a picture",
            "MB",
            title="generator, 640x480, 4 samples, one process",
        )
        for variant, one in measured.items():
            ratio = f"{one.rate / main_one.rate:.2f}"
            table.add_row(variant, f"{one.rate:.1f}", ratio, f"{one.size / 1e3:.0f}", f"{one.memory[-1]:.0f}")
        table.add_row(f"{variants[0]}, two processes", f"{two:.1f}", f"{two / main_one.rate:.2f}", "", "")
        console.print(table)
        console.print(stage_table(measured))
        words = ""
        if args.memory:
            rate, memory = measure(job("memory", args.memory + 500, 500, variants[0]), 1)
            steps = ", ".join(f"{m:.0f}" for m in memory[:: max(len(memory) // 10, 1)])
            console.print(f"{args.memory} pictures at {rate:.1f}/s; resident MB along the way: {steps}")
            words = f"Over {args.memory:,} pictures a worker held {min(memory):.0f} to {max(memory):.0f} MB."
        if args.page:
            args.page.parent.mkdir(parents=True, exist_ok=True)
            args.page.write_text(page(main_one, two, words))
            console.print(f"written: {args.page}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
