"""Prefetching: items are computed in other threads while earlier ones are used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import count
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")


def prefetch(function: Callable[[S], T], items: Iterable[S], pool: Executor, ahead: int) -> Iterator[T]:
    """Yields the function's results in order; up to `ahead` of them are computed while one is used.

    The pool is shut down afterwards.
    """
    pending: deque[Future[T]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:  # after an early stop or an error the remaining items are not started; the pool alone knows which
        pool.shutdown(cancel_futures=True)


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yields the same items; the next one is computed in another thread while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        for item in prefetch(lambda _: next(items, end), count(), pool, 1):
            if item is end:
                return
            yield item  # type: ignore[misc]  # not `end`
