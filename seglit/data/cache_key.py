"""Hashes of everything that determines decoded arrays: file contents, settings, code and library versions."""

import hashlib
import inspect
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from seglit import annotations, images, labels
from seglit.data.dataset import SegmentationDataset

_LIBRARIES = ("pillow", "opencv-python-headless", "tifffile", "imagecodecs", "scipy")


@cache
def code_of(kind: type) -> bytes:
    """Hashes the files that define a class and its bases."""
    digest = hashlib.blake2b(digest_size=20)
    for base in kind.__mro__:
        with suppress(TypeError, OSError):  # built in, or defined in a notebook
            digest.update(Path(inspect.getfile(base)).read_bytes())
    return digest.digest()


@cache
def reading_code(dataset: type[SegmentationDataset]) -> bytes:
    """Hashes the code that a data set reads by: its classes, seglit's readers, and the libraries that decode files."""
    files = {Path(inspect.getfile(labels))}
    for room in (images, annotations):
        files.update(Path(inspect.getfile(room)).parent.glob("*.py"))
    digest = hashlib.blake2b(code_of(dataset), digest_size=20)
    for file in sorted(files):
        digest.update(file.read_bytes())
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            digest.update(f"{name} {version(name)}".encode())
    return digest.digest()


def pair_key(dataset: SegmentationDataset, index: int) -> bytes:
    """Hashes what a pair is made from: the bytes of its files, the settings and the code that they are read by.

    Raises:
        InputError: The data set defines no `source`.
        OSError: A file cannot be read.
    """
    source = dataset.source(index)
    contents = [file.read_bytes() for file in source.files]
    kinds = [(file.suffix.lower(), len(content)) for file, content in zip(source.files, contents, strict=True)]
    digest = hashlib.blake2b(reading_code(type(dataset)), digest_size=20)
    digest.update(repr((source.options, kinds)).encode())
    for content in contents:
        digest.update(content)
    return digest.digest()
