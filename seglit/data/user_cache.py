"""The user's cache folder: results that take long to compute and are valid for later runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_info

from seglit.errors import InputError
from seglit.images.replacing import replacing

_saves = ContextVar("_saves", default=True)


@contextmanager
def saving_nothing() -> Iterator[None]:
    """Makes `save` do nothing."""
    token = _saves.set(False)
    try:
        yield
    finally:
        _saves.reset(token)


def cache_file(kind: str, name: str) -> Path:
    """Returns the file of a result in the user's cache folder, `XDG_CACHE_HOME` or ~/.cache as for torch."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seglit" / kind / name


def save(file: Path, content: bytes) -> None:
    """Writes a result; if the folder cannot be written, says that the next run computes it again."""
    if not _saves.get():
        return
    try:
        with replacing(file) as part:
            part.write_bytes(content)
    except InputError as error:
        rank_zero_info(f"not saved for the next run: {error}")
