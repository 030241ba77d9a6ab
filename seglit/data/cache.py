"""Cache of decoded pairs on disk, memory-mapped and shared by all workers and runs."""

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

from seglit.data.cache_key import pair_key
from seglit.data.dataset import SegmentationDataset
from seglit.data.private_folder import make_folder, no_follow
from seglit.errors import InputError
from seglit.images.replacing import replacing

Arrays = tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]

_HEADER = struct.Struct("<8s I 20s 3I 2I 8s ? 3x")  # magic, CRC-32 of the rest, key, shapes (3 and 2), dtype, masked
_CRC_START = 12  # first byte that the CRC-32 covers
_MAGIC = b"decoded\3"
_ENTRY = re.compile(r"[0-9a-f]{40}\.pair")
_MAX_RESERVE = 1e10  # bytes of disk left free at most


@dataclass
class Cache:
    """A folder of decoded pairs.

    The key of an entry is a hash of the bytes of its files and of the settings and code that read them, so no entry is
    ever stale. Entries are memory-mapped: all processes share one copy, which in `/dev/shm` is the only one.

    When the folder is full, the least recently used entries are removed, except those used since this run started;
    pairs that do not fit are decoded each time. A tenth of the disk, at most 10 GB, stays free.

    Args:
        folder: Created if missing. Several runs and data sets may share it, and a group of users, but below a folder
            that everybody may write to, such as /tmp or /dev/shm, it is yours alone, with the mode 0700.
        gb: Maximum size of all entries in GB (10^9 bytes).

    Raises:
        InputError: `gb` is not positive, the folder cannot be written, or others could replace what is in it.
    """

    folder: str
    gb: float = 16.0
    start_time: float = field(default_factory=time.time, init=False, repr=False)
    closed: bool = field(default=False, init=False, repr=False)  # whether this process has stopped writing

    def __post_init__(self) -> None:
        """Creates the folder and enforces its maximum size."""
        if self.gb <= 0:
            raise InputError(f"cache: gb is {self.gb:g}; the maximum size in GB must be above 0")
        try:
            make_folder(Path(self.folder))
            with self._lock():
                self._write_total(self._make_room(0))
        except (OSError, NotImplementedError) as error:  # NotImplementedError: no file locks
            raise InputError(
                f"cache: folder {self.folder}: cannot be written ({_reason(error)}); use another, or remove cache"
            ) from error

    def read(self, dataset: SegmentationDataset, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a pair from its entry, which is written first if there is none yet.

        Returns:
            Image, mask and name as `dataset.pair(index)` returns them. Writing to the arrays leaves the entry as it is.

        Raises:
            InputError: A file cannot be read, or the data set does not say what it reads from.
        """
        try:
            key = pair_key(dataset, index)
        except OSError:
            return dataset.pair(index)  # raises an error that names the file
        entry = self._load(key)
        if entry is not None:
            return *entry, dataset.source(index).name
        image, mask, name = dataset.pair(index)
        if not self.closed and pair_key(dataset, index) == key:  # else a file changed while it was decoded
            self._store(key, image, mask)
        return image, mask, name

    def _load(self, key: bytes) -> Arrays | None:
        """Maps an entry; None if it is missing or corrupt."""
        path = self._entry(key)
        try:
            mapped = np.memmap(path, np.uint8, mode="c")  # copy on write
        except (OSError, ValueError):  # ValueError: empty file
            return None
        pair = _unpack(mapped, key)
        if pair is not None:
            with suppress(OSError):  # another process may have removed it
                _touch(path)
        return pair

    def _store(self, key: bytes, image: npt.NDArray[Any], mask: npt.NDArray[np.uint8]) -> None:
        """Writes an entry; if it does not fit, warns and stops writing."""
        parts = _pack(key, image, mask)
        size = sum(part.nbytes for part in parts)
        try:
            with self._lock():  # one writer at a time, so that the total is right
                if self._load(key) is not None:  # another process has written it
                    return
                total = self._total()
                if size > self._room(total) and size > self._room(total := self._make_room(size)):
                    self._close(f"full at {total / 1e9:.3g} GB (gb is {self.gb:g}; a tenth of the disk stays free)")
                    return
                self._write_total(total + size)
                with replacing(self._entry(key)) as unfinished:
                    with open(unfinished, "wb", opener=no_follow) as file:
                        file.writelines(parts)
                    _touch(unfinished)
        except (InputError, OSError, NotImplementedError) as error:
            self._close(f"cannot be written ({_reason(error)})")

    def _close(self, reason: str) -> None:
        """Stops writing in this process, and warns once, not in every worker."""
        self.closed = True
        worker = get_worker_info()
        if worker is None or worker.id == 0:
            print(
                f"cache: {self.folder}: {reason}; pairs not in it are decoded each time",
                file=sys.stderr,
                flush=True,
            )

    def _room(self, total: int) -> float:
        """Returns how many bytes may be added to a `total` of all entries."""
        disk = shutil.disk_usage(self.folder)
        return min(self.gb * 1e9 - total, disk.free - min(disk.total / 10, _MAX_RESERVE))

    def _make_room(self, size: int) -> int:
        """Removes least recently used entries until `size` bytes fit; returns the total of the others."""
        entries = []
        for path in Path(self.folder).iterdir():
            if path.suffix == ".part":  # left by a killed process: we hold the lock
                path.unlink(missing_ok=True)
            elif _ENTRY.fullmatch(path.name):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        total = sum(entry_size for _, entry_size, _ in entries)
        if size <= self._room(total):
            return total
        target = size + self.gb * 1e9 / 10  # more than needed, because counting stats every file
        for last_used, entry_size, path in sorted(entries):
            if last_used >= self.start_time or target <= self._room(total):
                break
            with suppress(PermissionError):  # Windows does not remove mapped files
                path.unlink(missing_ok=True)
                total -= entry_size
        return total

    def _total(self) -> int:
        """Returns the size of all entries as last written; too large if entries were removed by hand."""
        try:
            return int(Path(self.folder, "seglit.total").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return self._make_room(0)

    def _write_total(self, total: int) -> None:
        path = Path(self.folder, "seglit.total")
        with open(path, "w", encoding="ascii", opener=no_follow) as file:
            file.write(str(total))

    def _lock(self) -> FileLock:
        return FileLock(Path(self.folder, "seglit.lock"))

    def _entry(self, key: bytes) -> Path:
        return Path(self.folder, f"{key.hex()}.pair")


def _pack(key: bytes, image: npt.NDArray[Any], mask: npt.NDArray[np.uint8]) -> list[memoryview]:
    """Serialises an entry: header, image (H, W, C), mask (h, w), and of a masked image its mask (H, W, C)."""
    masked = isinstance(image, np.ma.MaskedArray)
    head = bytearray(_HEADER.pack(_MAGIC, 0, key, *image.shape, *mask.shape, image.dtype.str.encode(), masked))
    arrays = [np.ma.getdata(image), mask, *([np.ma.getmaskarray(image)] if masked else [])]
    bodies = [np.ascontiguousarray(array).data.cast("B") for array in arrays]
    crc = zlib.crc32(memoryview(head)[_CRC_START:])
    for body in bodies:
        crc = zlib.crc32(body, crc)
    struct.pack_into("<I", head, len(_MAGIC), crc)
    return [memoryview(head), *bodies]


def _unpack(mapped: npt.NDArray[np.uint8], key: bytes) -> Arrays | None:
    """Returns the arrays of an entry; None if it is corrupt or has another key."""
    if len(mapped) < _HEADER.size:
        return None
    magic, crc, stored_key, height, width, channels, *mask_shape, dtype, masked = _HEADER.unpack_from(mapped.data)
    if (magic, stored_key) != (_MAGIC, key) or zlib.crc32(mapped.data[_CRC_START:]) != crc:
        return None
    shape = height, width, channels
    image = np.frombuffer(mapped, dtype.rstrip(b"\0").decode(), height * width * channels, _HEADER.size).reshape(shape)
    pixels = mask_shape[0] * mask_shape[1]
    mask = np.frombuffer(mapped, np.uint8, pixels, _HEADER.size + image.nbytes).reshape(mask_shape)
    if masked:
        invalid = np.frombuffer(mapped, np.bool_, image.size, _HEADER.size + image.nbytes + mask.nbytes).reshape(shape)
        image = np.ma.MaskedArray(image, invalid)
    return image, mask


def _touch(path: Path) -> None:
    now = time.time_ns()  # explicit: the clock of a file system is coarser than that of `start_time`
    os.utime(path, ns=(now, now))


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, InputError) else error
    return (cause.strerror if isinstance(cause, OSError) else None) or " ".join(str(cause).split())
