"""Work that is done ahead: order, errors, and threads that end."""

import threading
import time
from functools import partial

import pytest

from unlite.detection.looking.ahead import WAITING, ahead

pytestmark = pytest.mark.one_setting


def slow_at_first(number: int) -> int:
    time.sleep(0.003 * (number % 3 == 0))
    return number


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_calls(threads: int) -> None:
    before = threading.active_count()
    assert list(ahead((partial(slow_at_first, number) for number in range(20)), threads)) == list(range(20))
    assert threading.active_count() == before


def test_calls_run_at_once_and_before_they_are_asked_for() -> None:
    together, begun = threading.Barrier(2, timeout=30), threading.Semaphore(0)

    def both(number: int) -> int:
        together.wait()
        begun.release()
        return number

    results = ahead((partial(both, number) for number in range(4)), 2)
    assert next(results) == 0  # neither would have come back alone
    for _ in range(4):  # these too, though nobody has asked
        assert begun.acquire(timeout=30)
    assert list(results) == [1, 2, 3]


def test_an_error_comes_after_the_results_before_it() -> None:
    def inverse(number: int) -> float:
        return 1 / (3 - number)

    before = threading.active_count()
    results = ahead((partial(inverse, number) for number in range(9)), 2)
    assert [next(results) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threading.active_count() == before


def test_whoever_stops_early_ends_the_threads() -> None:
    before, begun = threading.active_count(), list[int]()

    def count(number: int) -> int:
        begun.append(number)
        return number

    results = ahead((partial(count, number) for number in range(1000)), 2)
    assert next(results) == 0
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before
    assert len(begun) <= WAITING * 2 + 1  # no more is ever done ahead
