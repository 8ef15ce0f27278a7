"""Work on processes: order, progress, failures."""

import os

import cv2
import pytest

from ajahr.errors import UserError
from synth.engine.local import map_processes, one_thread_each


def square(x, tick):
    tick()
    return x * x


def fail(x, tick):
    if x == 2:
        raise UserError("picture 2: broken; mend it")
    tick()


def die(x, tick):
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_keep_the_order_and_every_tick_arrives(workers):
    ticks = []
    result = map_processes(square, [(i,) for i in range(5)], workers, lambda: ticks.append(1))
    assert result == [0, 1, 4, 9, 16]
    assert len(ticks) == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_a_users_mistake_comes_through_as_it_was(workers):
    with pytest.raises(UserError, match="picture 2: broken"):
        map_processes(fail, [(i,) for i in range(4)], workers, lambda: None)


def test_a_killed_worker_is_told_in_one_line():
    with pytest.raises(UserError, match=r"fewer run\.workers"):
        map_processes(die, [(0,), (1,)], 2, lambda: None)


def opencv_threads(x, tick):
    return cv2.getNumThreads()


def test_opencv_has_one_thread_in_this_process_too_and_its_own_back_afterwards():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        assert map_processes(opencv_threads, [(0,)], 1, lambda: None) == [1]
        with pytest.raises(UserError):
            map_processes(fail, [(2,)], 1, lambda: None)
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_threads_are_limited_only_inside(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread_each():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
