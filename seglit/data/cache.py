"""Decoded pairs kept as files: what was decoded once is mapped into memory, by every reading process and later run."""

import mmap
import os
import re
import shutil
import struct
import sys
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from torch.utils.data import get_worker_info

from seglit.data.cache_key import content_key, reading_code
from seglit.data.dataset import SegmentationDataset
from seglit.errors import InputError
from seglit.images.replacing import replacing

Arrays = tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]

_HEADER = struct.Struct("<8s I 20s 3I 8s 12x")  # magic, CRC-32 of what follows it, key, height, width, channels, dtype
_CHECKED = 12  # from here on
_MAGIC = b"seglit\0\1"
_ENTRY = re.compile(r"[0-9a-f]{40}\.pair")
_SPARED = 1e10  # bytes


@dataclass
class Cache:
    """A folder in which decoded pairs lie as they do in memory.

    An entry goes by a hash of all that it was made from: the bytes of its files, and the options and the code that they
    are read by. What has changed goes by another, so that no entry is ever stale. Entries are mapped into memory, where
    all processes share one copy of them; in a folder on a memory file system (`/dev/shm/seglit`) that is the only one.

    Where there is no room, the entries that were used longest ago are removed, though none that was used since this run
    began; what then finds none is decoded anew each time. A tenth of the disk, at most 10 GB, stays free in any case.

    Args:
        folder: Made where it is missing. Several runs and data sets may share one.
        gb: How many GB (10^9 bytes) of entries it holds at most.

    Raises:
        InputError: `gb` is not positive, or the folder cannot be written.
    """

    folder: str
    gb: float = 16.0
    began: float = field(default_factory=time.time, init=False, repr=False)
    closed: bool = field(default=False, init=False, repr=False)  # this process writes no more

    def __post_init__(self) -> None:
        """Makes the folder, and holds it to the bound."""
        if self.gb <= 0:
            raise InputError(f"cache: gb is {self.gb:g}; it is how many GB the folder holds at most, more than 0")
        try:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            with self._lock():
                self._write_total(self._make_room(0))
        except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
            raise InputError(
                f"cache: folder {self.folder}: cannot be written ({_reason(error)}); name another, or leave cache out"
            ) from error

    def read(self, dataset: SegmentationDataset, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a pair from its entry, which is written first if there is none yet.

        Returns:
            Image, mask and name as `dataset.read(index)` returns them. Writing to the arrays leaves the entry as it is.

        Raises:
            InputError: A file cannot be read, or the data set does not say what it reads from.
        """
        source, code = dataset.source(index), reading_code(type(dataset))
        try:
            key = content_key(source, code)
        except OSError:
            return dataset.read(index)  # raises an error that names the file
        kept = self._load(key)
        if kept is not None:
            return *kept, source.name
        image, mask, name = dataset.read(index)
        if not self.closed and content_key(source, code) == key:  # else a file was changed while it was decoded
            self._store(key, image, mask)
        return image, mask, name

    def _load(self, key: bytes) -> Arrays | None:
        """Maps an entry; None where there is none, or a damaged one."""
        path = self._entry(key)
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # what is written to it stays here
        except (OSError, ValueError):  # ValueError: an empty file
            return None
        pair = _unpack(mapped, key)
        if pair is not None:
            with suppress(OSError):  # it may just have been removed
                _mark_as_used(path)
        return pair

    def _store(self, key: bytes, image: npt.NDArray[Any], mask: npt.NDArray[np.uint8]) -> None:
        """Writes an entry if there is room; else says so and writes no more."""
        parts = _pack(key, image, mask)
        size = sum(part.nbytes for part in parts)
        try:
            with self._lock():  # one process writes at a time, so that the bound holds
                if self._load(key) is not None:  # another process was faster
                    return
                total = self._total()
                if size > self._room(total) and size > self._room(total := self._make_room(size)):
                    self._close(
                        f"no room beside its {total / 1e9:.3g} GB (gb is {self.gb:g}; a tenth of the disk is spared)"
                    )
                    return
                self._write_total(total + size)
                with replacing(self._entry(key)) as unfinished:
                    with unfinished.open("wb") as file:
                        file.writelines(parts)
                    _mark_as_used(unfinished)
        except (InputError, OSError, NotImplementedError) as error:
            self._close(f"cannot be written ({_reason(error)})")

    def _close(self, reason: str) -> None:
        """Writes no more in this process, and says so once for all reading processes."""
        self.closed = True
        worker = get_worker_info()
        if worker is None or worker.id == 0:
            print(
                f"cache: {self.folder}: {reason}; what is not in it is decoded each time", file=sys.stderr, flush=True
            )

    def _room(self, total: int) -> float:
        """How many bytes may be added to the `total` of all entries."""
        disk = shutil.disk_usage(self.folder)
        return min(self.gb * 1e9 - total, disk.free - min(disk.total / 10, _SPARED))

    def _make_room(self, size: int) -> int:
        """Removes what was used longest ago if `size` bytes do not fit; returns how many bytes there are then."""
        found = []
        for path in Path(self.folder).iterdir():
            if path.suffix == ".part":  # nobody else writes: it is of a process that was killed
                path.unlink(missing_ok=True)
            elif _ENTRY.fullmatch(path.name):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(each[1] for each in found)
        if size <= self._room(total):
            return total
        wanted = size + self.gb * 1e9 / 10  # room for many, since counting looks at every file
        for used, freed, path in sorted(found):
            if used >= self.began or wanted <= self._room(total):
                break
            with suppress(PermissionError):  # Windows removes no file that is mapped
                path.unlink(missing_ok=True)
                total -= freed
        return total

    def _total(self) -> int:
        """Bytes of all entries, as last written; after a crash, or if someone removed some, there are fewer."""
        try:
            return int(Path(self.folder, "seglit.total").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return self._make_room(0)

    def _write_total(self, total: int) -> None:
        Path(self.folder, "seglit.total").write_text(str(total), encoding="ascii")

    def _lock(self) -> FileLock:
        return FileLock(Path(self.folder, "seglit.lock"))

    def _entry(self, key: bytes) -> Path:
        return Path(self.folder, f"{key.hex()}.pair")


def _pack(key: bytes, image: npt.NDArray[Any], mask: npt.NDArray[np.uint8]) -> list[memoryview]:
    """An entry's parts: header, image (H, W, C), mask (H, W)."""
    head = bytearray(_HEADER.pack(_MAGIC, 0, key, *image.shape, image.dtype.str.encode()))
    bodies = [np.ascontiguousarray(array).data.cast("B") for array in (image, mask)]
    crc = zlib.crc32(memoryview(head)[_CHECKED:])
    for body in bodies:
        crc = zlib.crc32(body, crc)
    struct.pack_into("<I", head, len(_MAGIC), crc)
    return [memoryview(head), *bodies]


def _unpack(mapped: mmap.mmap, key: bytes) -> Arrays | None:
    """The arrays in an entry; None if it is not whole, or not this key's."""
    if len(mapped) < _HEADER.size:
        return None
    magic, crc, named, height, width, channels, dtype = _HEADER.unpack_from(mapped)
    if (magic, named) != (_MAGIC, key) or zlib.crc32(memoryview(mapped)[_CHECKED:]) != crc:
        return None
    shape = height, width, channels
    image = np.frombuffer(mapped, dtype.rstrip(b"\0").decode(), height * width * channels, _HEADER.size).reshape(shape)
    mask = np.frombuffer(mapped, np.uint8, height * width, _HEADER.size + image.nbytes).reshape(height, width)
    return image, mask


def _mark_as_used(path: Path) -> None:
    now = time.time_ns()  # given, since a file system's own clock is coarser than the one `began` was read from
    os.utime(path, ns=(now, now))


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, InputError) else error
    return (cause.strerror if isinstance(cause, OSError) else None) or " ".join(str(cause).split())
