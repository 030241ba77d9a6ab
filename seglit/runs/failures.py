"""Explains failures of training: full memory, worker processes and ranks that died, settings that libraries reject."""

import re
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import distributed
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from seglit.config.explain import refusal
from seglit.errors import InputError, RunError

_FULL = re.compile(
    r"out of memory|MemoryError|can(?:'t|not) allocate memory|ALLOC_FAILED|Insufficient memory", re.IGNORECASE
)
_SINGLE_VALUE = "Expected more than 1 value per channel when training"
_IN_WORKER = "in DataLoader worker process"
_DEAD = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: ([^.]+)|exited)")
_SHM_FULL = re.compile(r"unable to write to file </torch|unable to (?:allocate|resize|mmap) .*shared memory")
_LOST = re.compile(r"Connection (closed|reset) by peer|Broken pipe|communicator was aborted|remote process exited")
_LARGER_SHM = "shared memory (/dev/shm) is full; enlarge it (docker run --shm-size=8g) or use fewer --data.num_workers"
_OF_MODULES = {
    "lightning_fabric.utilities.seed": "seed_everything: ",
    "lightning_fabric.": "",
    "pytorch_lightning.": "",
    "torch.optim.": "model.optimizer: ",
    "torch.utils.data.": "data: ",
}
"""Modules that reject settings, and the prefix that names the setting where their messages do not."""
_OF_SETTINGS = ValueError, TypeError, ImportError
_IMPLEMENTATION = re.compile(r"\b_?(?:fused|foreach|capturable|differentiable)\b")
"""Settings of optimizers of torch, which raises RuntimeError or AssertionError where they contradict each other."""
_SIGNALS = {signal.strsignal(signum): signum for signum in signal.Signals}
_CAUSES = {
    "SIGKILL": "probably because the memory is full; use fewer --data.num_workers or a smaller --data.batch_size",
    "SIGBUS": f"probably because {_LARGER_SHM}",
    "SIGSEGV": "a library crashed while it read an image; --data.num_workers 0 shows where",
}


@contextmanager
def explaining_failures() -> Iterator[None]:
    """Replaces errors of memory, workers, ranks and settings, and the exit by which Lightning answers Ctrl-C.

    Raises:
        InputError: Lightning, or an optimizer or loader of torch, rejects a setting once it is used, or batches are too
            small for BatchNorm.
        KeyboardInterrupt: Ctrl-C, for which Lightning exits with 1.
        RunError: One line with the cause and the notes of the exception.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if message := _dead_worker(error) or _full_memory(error) or _lost_rank(error):
            raise RunError(message) from error
        if message := _single_value(error) or _refusal(error):
            raise InputError(message) from error
        raise
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, which may be that of a worker, is one of memory; libraries raise several classes."""
    if isinstance(error, RunError | InputError):
        return False
    return isinstance(error, MemoryError) or bool(_FULL.search(str(error)))


def is_lost_connection(error: BaseException) -> bool:
    """Whether an error is that of a collective operation in which another rank is gone."""
    return isinstance(error, RuntimeError) and distributed.is_initialized() and bool(_LOST.search(str(error)))


def _lost_rank(error: BaseException) -> str:
    if not is_lost_connection(error):
        return ""
    reason = str(error).splitlines()[0]
    return f"the connection to another rank is lost ({reason}); the output of that rank says why, unless it was killed"


def _full_memory(error: BaseException) -> str:
    if _SHM_FULL.search(str(error)):
        return _LARGER_SHM
    if not is_out_of_memory(error):
        return ""
    on_gpu = isinstance(error, torch.OutOfMemoryError) or "CUDA" in str(error)
    where = " in a worker process" if _IN_WORKER in str(error) else " on the GPU" if on_gpu else ""
    return " ".join([f"out of memory{where}", *vars(error).get("__notes__", [])])


def _single_value(error: BaseException) -> str:
    if _SINGLE_VALUE not in str(error):
        return ""
    return (
        "BatchNorm cannot normalise a single value per channel, as of a batch of one image whose deepest map is 1 x 1: "
        "set data.init_args.batch_size to 2 or more, with at least two training images per device"
    )


def _dead_worker(error: BaseException) -> str:
    """Names a worker process that died, its signal and the likely cause.

    What torch raises depends on what the training process was doing; not every message has the signal.
    """
    chain = list(_chain(error))
    if killed := next((worker for one in chain for worker in _killed_workers(one)), None):
        return _describe(str(killed.pid), signal.Signals(-(killed.exitcode or 0)))
    matches = [match for one in chain if (match := _DEAD.search(str(one)))]
    # the first that names a signal, else the first
    match = max(matches, key=lambda match: bool(match[2]), default=None)
    return _describe(match[1], _SIGNALS.get(match[2])) if match else ""


def _refusal(error: Exception) -> str:
    """The message of a library that rejects a setting, known by the function that raised it."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    prefixes = [prefix for name, prefix in _OF_MODULES.items() if frame.f_globals.get("__name__", "").startswith(name)]
    if isinstance(error, MisconfigurationException):
        return refusal(error)
    clash = isinstance(error, RuntimeError | AssertionError) and "model.optimizer: " in prefixes
    rejected = isinstance(error, _OF_SETTINGS) or (clash and _IMPLEMENTATION.search(str(error)))
    return f"{prefixes[0]}{refusal(error)}" if prefixes and rejected else ""


def _describe(pid: str, signum: signal.Signals | None) -> str:
    if signum is None:
        return f"worker process {pid} ended: --data.num_workers 0 may show why"
    cause = _CAUSES.get(signum.name, "from outside, or by a library that crashed")
    return f"worker process {pid} was killed by {signum.name}: {cause}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and those that it was raised from or during."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _killed_workers(error: BaseException) -> list[BaseProcess]:
    """The workers, of the loader that raised an exception, that a signal ended."""
    owners = (frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__))
    loaders = [owner for owner in owners if isinstance(owner, _MultiProcessingDataLoaderIter)]
    return [worker for loader in loaders for worker in loader._workers if (worker.exitcode or 0) < 0]
