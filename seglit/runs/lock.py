"""One process at a time trains in a run folder."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pytorch_lightning.utilities import rank_zero_only

from seglit.errors import InputError

if sys.platform != "win32":
    import fcntl

LOCK_FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a run folder, on rank 0; the system unlocks it when the process ends, however it does.

    A lock of POSIX is the process's own: worker processes, which may outlive it for seconds, do not hold it. Windows
    and file systems without locks have none.

    Raises:
        InputError: Another process trains in the folder, or nothing can be written there.
    """
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # Lightning sets it
        yield
        return
    try:
        file = (folder / LOCK_FILE).open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
    with file:
        if not _lock(file):
            file.seek(0)
            raise InputError(f"{folder} is in use by {file.read().strip() or 'another process'}")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}\n")
        file.flush()
        yield


def _lock(file: IO[str]) -> bool:
    """Whether no other process holds the lock."""
    if sys.platform != "win32":
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # which of them, depends on the system
            return False
        except OSError:  # the file system has no locks
            return True
    return True
