"""Shards on a Ray cluster: one task per shard, a task again where a worker or its machine died.

Every machine of the cluster needs this package and the output folder under the same path. A shard is a pure
function of the configuration and its number, so where and how often it was begun does not show in its bytes.

Ray starts its workers at niceness 15: whatever else runs on a machine comes first. A cluster of this machine alone,
begun for the job, leaves that out; for another one, ``RAY_worker_niceness=0 ray start ...`` does.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ajahr.errors import UserError

MAX_RETRIES = 5
"""Times a task is begun again after its worker died."""
IN_FLIGHT = 2000
"""Tasks handed to Ray at once: enough for a cluster that grows to its queue, and no million of objects."""
_ANSWER_S = 5.0
START_HERE = "local"
"""The address that stands for a cluster of this machine alone, started for the job and stopped after it."""
_STARTED_HERE = {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""Environment of such a cluster, where the user has not set it: workers as eager as the local engine's, and nothing
told to Ray's makers."""
_TOKENS = "RAY_AUTH_MODE"

MapTasks = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]], Callable[[], None]], list[Any]]


def import_ray() -> Any:
    """The ray module. UserError where it is not installed."""
    try:
        import ray
    except ImportError:
        raise UserError("run.engine ray needs the package ray; pip install 'ajahr[ray]'") from None
    return ray


@contextmanager
def ray_cluster(address: str, workers: int) -> Iterator[MapTasks]:
    """A connection to a Ray cluster; yields what maps tasks over it, one core each.

    What it yields is called as ``map_tasks(function, tasks, tick)``, as `synth.engine.local.map_processes`; progress
    is told when a task is done.

    Args:
        address: ``auto`` (the cluster of this machine, or of RAY_ADDRESS), ``HOST:PORT``, ``ray://...``, or
            ``local``, a cluster of this machine alone.
        workers: Most tasks at a time; 0 takes every core the cluster has.

    Raises:
        UserError: no ray, no cluster; from the map: what a task raised, or workers that die again and again.
    """
    ray = import_ray()
    _connect(ray, address, workers)
    try:
        yield lambda function, tasks, tick: _map(ray, function, tasks, workers, tick)
    finally:
        ray.shutdown()  # of a cluster that was there before, only this job ends


def _map(
    ray: Any,
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    tick: Callable[[], None],
) -> list[Any]:
    remote = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_run)
    results: list[Any] = [None] * len(tasks)
    waiting = list(enumerate(tasks))[::-1]
    running: dict[Any, int] = {}
    while waiting or running:
        while waiting and len(running) < (workers or IN_FLIGHT):
            index, task = waiting.pop()
            running[remote.remote(function, task)] = index
        done, _ = ray.wait(list(running), num_returns=1)
        for reference in done:
            results[running.pop(reference)], units = _result(ray, reference)
            for _ in range(units):
                tick()
    return results


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables where they are not set, for processes started inside."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def _connect(ray: Any, address: str, workers: int) -> None:
    here = {"num_cpus": workers or None, "include_dashboard": False} if address == START_HERE else {}
    try:
        host, _, port = address.rpartition(":")
        if host and port.isdigit() and "//" not in host:
            # Ray itself asks a machine that does not answer for minutes
            socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
        with _environment(_STARTED_HERE if address == START_HERE else {}):
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **here)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        # Ray looks for its token by itself only where it looks for the cluster too
        token = "" if _TOKENS in os.environ else f", set {_TOKENS}=token for one that asks for a token"
        raise UserError(
            f"run.address {address}: no Ray cluster answers ({reason}); "
            f"begin one with 'ray start --head'{token}, or give --run.address {START_HERE}"
        ) from None


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, int]:
    """In the worker: the result and the units of progress. Ray itself limits OpenMP to the task's one core."""
    import cv2

    cv2.setNumThreads(1)
    units = 0

    def tick() -> None:
        nonlocal units
        units += 1

    return function(*arguments, tick), units


def _result(ray: Any, reference: Any) -> tuple[Any, int]:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from None
        raise
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError):
        raise UserError(
            f"a Ray worker died {MAX_RETRIES + 1} times on the same shard, most likely for memory; "
            "run again with fewer run.workers, finished shards are kept"
        ) from None
