"""Shards on the processes of one machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from ajahr.errors import UserError

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_ticks: Any = None


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Children started inside use one thread each: work is split by process, and results depend on no count."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """A second Ctrl-C does not stop the tidying up after the first."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears of signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """This process as a worker: on small pictures OpenCV's threads take more time to meet than they save."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _start_worker(ticks: Any) -> None:
    global _ticks
    _ticks = ticks
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops the workers; they need no traceback each
    import cv2

    cv2.setNumThreads(1)


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments, lambda: _ticks.put(1))


def map_processes(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    tick: Callable[[], None],
    *,
    apart: bool = False,
) -> list[Any]:
    """Call ``function(*task, tick)`` for every task in ``workers`` fresh processes.

    Args:
        function: A module-level function; calls ``tick()`` once for each unit of progress.
        tasks: Arguments of each call, picklable.
        workers: Processes. One works in this process.
        tick: Called here for each unit of progress made anywhere.
        apart: A process even for a single worker, for work whose memory should go with it.

    Returns:
        Results in the order of the tasks.

    Raises:
        UserError: what a task raised, or a worker that was killed (memory).
    """
    if not tasks or (not apart and (workers <= 1 or len(tasks) <= 1)):
        with _one_opencv_thread():
            return [function(*task, tick) for task in tasks]
    context = multiprocessing.get_context("spawn")
    with one_thread_each():
        ticks = context.Queue()
        pool = ProcessPoolExecutor(
            min(workers, len(tasks)), mp_context=context, initializer=_start_worker, initargs=(ticks,)
        )
        try:
            futures = [pool.submit(_run, function, task) for task in tasks]
            pending: set[Future[Any]] = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                _drain(ticks, tick)
                for future in done:
                    future.result()  # the first failure ends the run
            results = [future.result() for future in futures]
            pool.shutdown(wait=True)  # the workers have handed over their last ticks when they have ended
            _drain(ticks, tick)
            return results
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed, most likely for memory; run again with fewer run.workers, "
                "finished shards are kept"
            ) from None
        except BaseException:
            with interrupts_ignored():
                for process in list((pool._processes or {}).values()):
                    process.terminate()
                pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _drain(ticks: Any, tick: Callable[[], None]) -> None:
    while True:
        try:
            ticks.get_nowait()
        except queue.Empty:
            return
        tick()


def worker_count(workers: int) -> int:
    """``workers``, or one per core this process may use when it is 0."""
    return workers or len(os.sched_getaffinity(0))
