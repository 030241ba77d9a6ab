"""Reads all pairs of a survey in worker processes."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from seglit.annotations.reader import AnnotatedImage
from seglit.errors import InputError
from seglit.images.mask_settings import MaskSettings
from seglit.images.pairs import Pair
from seglit.images.picture import Picture
from seglit.images.prefetch import prefetch
from seglit.inspect.facts import PairFacts, read_facts
from seglit.inspect.label_format import RegionDrawer
from seglit.inspect.part_classes import PartClasses
from seglit.inspect.survey import Survey

_ENDING = (signal.SIGINT, signal.SIGTERM)
_CHUNK = 16  # pairs per task of a worker process


def read_all(survey: Survey, workers: int | None = None) -> Iterator[PairFacts]:
    """Reads every pair of a survey in worker processes, in order, with a bounded number of tasks in flight.

    Raises:
        InputError: A worker process died.
    """
    workers = workers or os.cpu_count() or 1
    pairs, annotated = survey.pairs, survey.annotated
    chunks = (
        [(pair, None if annotated is None else annotated.entry(pair)) for pair in pairs[start : start + _CHUNK]]
        for start in range(0, len(pairs), _CHUNK)
    )
    drawer = None if annotated is None else annotated.drawer()
    read_chunk = partial(
        _read_chunk,
        nodata=survey.nodata,
        drawer=drawer,
        masks=survey.reading.settings,
        opener=survey.opener,
        classes=survey.parts,
    )
    with _start(workers) as pool:
        try:
            for facts in prefetch(read_chunk, chunks, pool, 4 * workers):
                yield from facts
        except BrokenProcessPool as error:
            raise InputError("a worker process died, probably out of memory; try --workers 1") from error


def _start(workers: int) -> ProcessPoolExecutor:
    """Starts the worker processes, which end without a traceback by Ctrl-C, which a terminal sends to all processes.

    Signals wait until they have started, since an exception that a handler raises within a fork is lost.
    """
    if sys.platform == "win32":
        return ProcessPoolExecutor(workers)
    pool = ProcessPoolExecutor(workers, initializer=_end_by_signals)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        pool.submit(int)  # the first task starts them
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pool


def _end_by_signals() -> None:
    for signum in _ENDING:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def _read_chunk(
    pairs: list[tuple[Pair, AnnotatedImage | None]],
    nodata: tuple[float, ...],
    drawer: RegionDrawer | None,
    masks: MaskSettings,
    opener: Callable[..., Picture],
    classes: PartClasses | None,
) -> list[PairFacts]:
    return [read_facts(pair, nodata, entry, drawer, masks, opener, classes) for pair, entry in pairs]
