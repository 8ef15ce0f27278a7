import threading

import pytest

from ajahr.inference.ahead import in_order


def test_results_come_in_order_whatever_finishes_first():
    second = threading.Event()

    def work(item):
        if item == 0:
            assert second.wait(10)
        elif item == 1:
            second.set()
        return item * 10

    assert list(in_order(work, range(6), threads=2)) == [0, 10, 20, 30, 40, 50]


def test_no_further_ahead_than_asked():
    drawn = []

    def items():
        for k in range(50):
            drawn.append(k)
            yield k

    results = in_order(lambda k: k, items(), ahead=3)
    assert next(results) == 0 and len(drawn) == 4
    results.close()
    assert len(drawn) == 4


def test_an_error_comes_in_its_place_and_ends_the_work():
    begun = []

    def work(item):
        begun.append(item)
        return 1 // (2 - item)

    results = in_order(work, range(50), ahead=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(begun) < 12
