"""Files written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from seglit.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `path` when all went well, and else is deleted.

    Raises:
        InputError: The place cannot be written to.
    """
    # not the name itself, which may be as long as names can be; and a file for each process that writes the same
    part = path.with_name(f".{blake2b(os.fsencode(path.name), digest_size=8).hexdigest()}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
