"""Work that is done ahead on threads, while the results before it are in use."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
# How many calls for each thread are begun or done before their results are asked for; results are large.
WAITING = 2


def ahead(calls: Iterable[Callable[[], T]], threads: int) -> Generator[T, None, None]:
    """What calls give, in their order.

    An error comes in the place of the result. The threads end with the last result, with the first error, and when
    whoever reads the results closes this.

    Args:
        calls: Each made on a thread, a few of them before their results are asked for.
        threads: How many at once.
    """
    calls = iter(calls)
    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting = deque(pool.submit(call) for call in islice(calls, WAITING * threads))
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(pool.submit(call) for call in islice(calls, 1))
                yield made
        finally:
            pool.shutdown(cancel_futures=True)
