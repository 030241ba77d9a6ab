"""Work done ahead in threads, so that reading, computing and writing overlap."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")


def map_ahead(function: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """The function's values in order, of which up to `workers` are made while one is used."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # where the user stops early or an item fails, the others are not begun
            for future in waiting:
                future.cancel()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; the next one is made in another thread while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[T | object] = pool.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, items, end)
            yield item  # type: ignore[misc]  # it is no end
