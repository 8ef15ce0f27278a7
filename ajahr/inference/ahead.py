"""Work done ahead in threads, taken in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int = 1, ahead: int = 4
) -> Iterator[Result]:
    """``work`` of every item, in the order of the items, up to ``ahead`` of them before they are taken.

    Items are drawn in the caller's thread. An error of ``work`` is raised where its result would have come;
    what has not begun by then, or when the caller stops, is not begun.
    """
    with ThreadPoolExecutor(threads, "ahead") as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
