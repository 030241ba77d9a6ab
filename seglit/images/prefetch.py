"""Work done ahead of its use, so that reading, computing and writing overlap."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import count
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")


def prefetch(function: Callable[[S], T], items: Iterable[S], pool: Executor, ahead: int) -> Iterator[T]:
    """The function's values in the order of the items, of which up to `ahead` are computed while one is used."""
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # where the user stops early or an item fails, the others are not begun
        for future in waiting:
            future.cancel()


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; the next one is made in another thread while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        for item in prefetch(lambda _: next(items, end), count(), pool, 1):
            if item is end:
                return
            yield item  # type: ignore[misc]  # it is no end
