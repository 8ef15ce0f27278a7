"""Times the body beside smplx, both in one run: ratios are what counts.

    python scripts/bench_body.py [--rounds 60]

The two are timed in turns of ten, so that a busy moment hits both. "SMPL-sized" is a random body of 6,890
vertices with four joints a vertex and full posedirs. smplx is a core dependency; its code is for
non-commercial use.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import roma
import smplx
import torch
from rich.console import Console
from rich.table import Table
from smplx.utils import Struct

from ajahr.anatomy import NUM_JOINTS
from ajahr.body.body import Body
from ajahr.body.data import BodyData, load_body
from ajahr.body.fast import FastBody
from ajahr.body.regressors import NUM_SMPL_VERTICES, SMPL_VERTEX_IDS, own_j19, part_labels_of

SMPL_SIZED = "SMPL-sized"


def smpl_sized(embedded: BodyData) -> BodyData:
    """A body of SMPL's size with posedirs: random, but for its layout."""
    rng = np.random.default_rng(0)
    n = NUM_SMPL_VERTICES
    weights = np.zeros((n, NUM_JOINTS), np.float32)
    regressor = np.zeros((NUM_JOINTS, n), np.float32)
    for v in range(n):
        weights[v, rng.choice(NUM_JOINTS, 4, replace=False)] = rng.dirichlet(np.ones(4))
    for j in range(NUM_JOINTS):
        regressor[j, rng.choice(n, 20, replace=False)] = 1 / 20
    v_template = rng.normal(size=(n, 3)).astype(np.float32) * 0.4
    parts = part_labels_of(weights)
    return replace(
        embedded,
        name=SMPL_SIZED,
        v_template=v_template,
        shapedirs=rng.normal(size=(n, 3, 10)).astype(np.float32) * 0.02,
        posedirs=rng.normal(size=(9 * (NUM_JOINTS - 1), 3 * n)).astype(np.float32) * 0.01,
        J_regressor=regressor,
        weights=weights,
        faces=rng.integers(0, n, (13776, 3)).astype(np.int32),
        vertex_ids=SMPL_VERTEX_IDS,
        part_labels=parts,
        J19_regressor=own_j19(regressor, v_template, parts, SMPL_VERTEX_IDS),
        uv=None,
        uv_faces=None,
        mirror_vertices=None,
    )


def smplx_layer(data: BodyData) -> smplx.SMPLLayer:
    n = len(data.v_template)
    posedirs = np.zeros((n, 3, 207)) if data.posedirs is None else data.posedirs.T.reshape(n, 3, 207)
    struct = Struct(
        v_template=data.v_template,
        shapedirs=data.shapedirs,
        posedirs=posedirs,
        J_regressor=data.J_regressor,
        weights=data.weights,
        f=data.faces,
        kintree_table=np.array([data.parents, range(NUM_JOINTS)]),
    )
    with contextlib.redirect_stdout(io.StringIO()):  # a remark on 10 betas
        return smplx.SMPLLayer(model_path="", data_struct=struct, vertex_ids=dict(data.vertex_ids))


def random_people(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, 10), roma.rotvec_to_rotmat(torch.randn(batch, NUM_JOINTS, 3) * 0.5)


def median_ms(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median time of each over ``rounds`` calls, ten of one, ten of the other.

    The first of every ten is not counted: it finds the other's arrays in the cache.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(max(rounds // 9, 2)):
        for call, found in zip((ours, theirs), times, strict=True):
            call()
            for _ in range(min(rounds, 9)):
                start = time.perf_counter()
                call()
                found.append(time.perf_counter() - start)
    return float(np.median(times[0])) * 1000, float(np.median(times[1])) * 1000


def bench(data: BodyData, goal: float, rounds: int, table: Table) -> None:
    """Adds the rows of one body file to the table."""
    layer, body, fast = smplx_layer(data), Body(data), FastBody(data)
    name = f"{'embedded' if data.name != SMPL_SIZED else data.name}, {len(data.v_template):,} vertices"
    threads = torch.get_num_threads()
    rng = np.random.default_rng(1)

    def smplx_forward(betas: torch.Tensor, rotmats: torch.Tensor) -> Any:
        return layer(betas=betas, global_orient=rotmats[:, :1], body_pose=rotmats[:, 1:])

    def step(forward: Callable[..., Any], betas: torch.Tensor, rotmats: torch.Tensor) -> None:
        betas.grad = rotmats.grad = None
        forward(betas, rotmats).vertices.square().sum().backward()

    def row(what: str, ours: Callable, theirs: Callable, times: int, goal: float | None) -> None:
        a, b = median_ms(ours, theirs, times)
        mark = "" if goal is None else f"{goal:g}x {'met' if b / a >= goal else '[red]missed[/red]'}"
        count = str(torch.get_num_threads())
        table.add_row(name, what, count, f"{a:.2f}", f"{b:.2f}", f"{b / a:.1f}x", mark)

    with torch.no_grad():
        torch.set_num_threads(1)
        people = random_people(1)
        betas, pose = people[0][0].numpy(), people[1][0].numpy()
        theirs = partial(smplx_forward, *people)
        row(
            "one person, another shape each time",
            lambda: fast(rng.normal(size=10), pose),
            theirs,
            rounds,
            goal,
        )
        row("one person, same shape", partial(fast, betas, pose), theirs, rounds, goal)
        for batch, times in ((1, rounds), (64, max(rounds // 20, 2))):
            for count in sorted({1, threads}):
                torch.set_num_threads(count)
                people = random_people(batch)
                ours, theirs = partial(body, *people), partial(smplx_forward, *people)
                row(f"torch, batch {batch}", ours, theirs, times, 1.0 if batch > 1 else None)
    betas, rotmats = (x.requires_grad_() for x in random_people(16))
    ours, theirs = partial(step, body, betas, rotmats), partial(step, smplx_forward, betas, rotmats)
    row("torch, batch 16, forward and backward", ours, theirs, max(rounds // 20, 2), None)
    torch.set_num_threads(threads)
    table.add_section()


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the body beside smplx.")
    parser.add_argument(
        "--rounds", type=int, default=60, help="timed calls at batch 1; larger batches take fewer"
    )
    rounds = parser.parse_args().rounds
    embedded = load_body()
    table = Table("file", "what", "threads", "ours, ms", "smplx, ms", "ratio", "goal", title="Body, forward")
    bench(embedded, 8.0, rounds, table)
    bench(smpl_sized(embedded), 3.5, rounds, table)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
