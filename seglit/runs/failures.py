"""Explains failures that are not of the input: memory that is full, and worker processes that died."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seglit.errors import RunError

_FULL = re.compile(r"out of memory|MemoryError|can't allocate memory|ALLOC_FAILED|Insufficient memory", re.IGNORECASE)
_IN_WORKER = "in DataLoader worker process"
_DEAD = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: ([^.]+)|exited)")
_SHM_FULL = re.compile(r"unable to write to file </torch|unable to (?:allocate|resize|mmap) .*shared memory")
_LARGER_SHM = "shared memory (/dev/shm) is full; enlarge it (docker run --shm-size=8g) or use fewer --data.num_workers"
_SIGNALS = {signal.strsignal(signum): signum for signum in signal.Signals}
_CAUSES = {
    "SIGKILL": "probably because the memory is full; use fewer --data.num_workers or a smaller --data.batch_size",
    "SIGBUS": f"probably because {_LARGER_SHM}",
    "SIGSEGV": "a library crashed while it read an image; --data.num_workers 0 shows where",
}


@contextmanager
def explaining_failures() -> Iterator[None]:
    """Replaces errors of memory and workers.

    Raises:
        RunError: One line with the cause, and what is said of it by the notes of the exception.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if message := _dead_worker(error) or _full_memory(error):
            raise RunError(message) from error
        raise


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, which may be that of a worker, is one of memory; libraries raise several classes."""
    if isinstance(error, RunError):
        return False
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_FULL.search(str(error))))


def _full_memory(error: BaseException) -> str:
    if _SHM_FULL.search(str(error)):
        return _LARGER_SHM
    if not is_out_of_memory(error):
        return ""
    on_gpu = isinstance(error, torch.OutOfMemoryError) or "CUDA" in str(error)
    where = " in a worker process" if _IN_WORKER in str(error) else " on the GPU" if on_gpu else ""
    return " ".join([f"out of memory{where}", *vars(error).get("__notes__", [])])


def _dead_worker(error: BaseException) -> str:
    """Names process, signal and likely cause; the signal may be that of an earlier exception."""
    texts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(str(cause))
        cause = cause.__cause__ or cause.__context__
    found = [match for text in texts if (match := _DEAD.search(text))]
    if not found:
        return ""
    match = next((match for match in found if match[2]), found[0])
    signum = _SIGNALS.get(match[2])
    what = f"was killed by {signum.name}" if signum else "ended"
    cause_text = _CAUSES.get(signum.name if signum else "", "--data.num_workers 0 may show why")
    return f"worker process {match[1]} {what}: {cause_text}"
