"""Atomic writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from seglit.errors import InputError


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary file to write to, which replaces `path` on success and is deleted on an error.

    Args:
        path: The file to write.
        durable: Whether to wait until it is on the disk, so that a power failure leaves the old or the new file.

    Raises:
        InputError: The file cannot be written.
    """
    # a hash of the name, which may have the maximal length; and one file per process that writes the same path
    part = path.with_name(f".{blake2b(os.fsencode(path.name), digest_size=8).hexdigest()}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            if durable:
                _sync(part)
            part.replace(path)
            if durable and os.name != "nt":  # Windows opens no folder
                _sync(path.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
