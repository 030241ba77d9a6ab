"""Reads every pair once before training: an invalid file in the last split ends a run before its first step."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader

from seglit.data.base import SegmentationDataModule
from seglit.data.cache_key import reading_code
from seglit.data.dataset import SegmentationDataset, Source
from seglit.data.samples import Samples
from seglit.data.user_cache import cache_file, save
from seglit.data.workers import available_cores
from seglit.drawing.progress_bar import progress_bar
from seglit.errors import InputError, one_line
from seglit.images.pairs import SPLITS, Split

_BATCH_SIZE = 8  # pairs per task of a worker
_MOST_WORKERS = 16
_DIGEST_SIZE = 16  # bytes


@rank_zero_only
def verify(data: SegmentationDataModule, *, test: bool) -> None:
    """Reads all pairs, and downloads them first if the data module does so; rank 0 alone does it.

    A pair that was read without an error is not read again until a file changes its size or time, or the settings or
    the code that read it change: the user's cache folder keeps a hash of these. Data sets without `source`, such as
    synthetic ones, are not read.

    Args:
        data: The data module.
        test: Whether to read the test split too.

    Raises:
        InputError: A pair cannot be used: the error of the first, and how many there are.
    """
    data.prepare_data()
    for split in SPLITS if test else SPLITS[:2]:
        if data.has_split(split):
            _verify_split(Samples(data.dataset(split), cache=data.cache), split, data.loading.workers)


def _verify_split(samples: Samples, split: Split, num_workers: int) -> None:
    try:
        sources = [samples.dataset.source(index) for index in range(len(samples))]
    except InputError:  # the data set does not say what it reads
        return
    digests = [_digest(samples.dataset, source) for source in sources]
    file = _file(samples.dataset, sources)
    verified = _load(file)
    pending = [index for index, digest in enumerate(digests) if digest not in verified]
    if not pending:
        return
    errors = dict(zip(pending, _read(samples, pending, f"checking {split}", num_workers), strict=True))
    save(file, b"".join(digest for index, digest in enumerate(digests) if digest and not errors.get(index)))
    if failed := [error for error in errors.values() if error]:
        others = f" ({len(failed)} of {len(samples)} pairs of {split} cannot be used)" if len(failed) > 1 else ""
        raise InputError(f"{failed[0]}{others}")


def _read(samples: Samples, indices: Sequence[int], description: str, num_workers: int) -> list[str]:
    """Reads pairs in parallel; returns the error of each, or ''."""
    if num_workers:  # more than in training, which leaves cores to the network
        num_workers = min(available_cores(), _MOST_WORKERS, len(indices) // _BATCH_SIZE)
    dataset: Any = indices
    # its own generator: else a run that reads the pairs and one that has read them would differ in dropout
    generator, read = torch.Generator(), partial(_errors, samples)
    loader = DataLoader(dataset, _BATCH_SIZE, num_workers=num_workers, collate_fn=read, generator=generator)
    errors: list[str] = []
    with progress_bar("pairs") as progress:
        task = progress.add_task(description, total=len(indices))
        for batch in loader:
            errors += batch
            progress.advance(task, len(batch))
    return errors


def _errors(samples: Samples, indices: Sequence[int]) -> list[str]:
    errors = []
    for index in indices:
        try:
            samples.read(index)
            errors.append("")
        except InputError as error:
            errors.append(one_line(error))
    return errors


def _digest(dataset: SegmentationDataset, source: Source) -> bytes:
    """Hashes path, size and time of a pair's files, and how they are read; empty if a file is missing."""
    try:
        status = [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in source.files]
    except OSError:  # reading says which
        return b""
    text = repr((source.options, status)).encode(errors="surrogateescape")
    return hashlib.blake2b(reading_code(type(dataset)) + text, digest_size=_DIGEST_SIZE).digest()


def _file(dataset: SegmentationDataset, sources: Sequence[Source]) -> Path:
    """The file that keeps the digests of a data set's pairs."""
    first = sources[0]
    key = repr((type(dataset).__qualname__, len(sources), first.options, [str(path) for path in first.files]))
    return cache_file("verified", hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=20).hexdigest())


def _load(file: Path) -> set[bytes]:
    if not file.is_file():
        return set()
    content = file.read_bytes()
    return {content[start : start + _DIGEST_SIZE] for start in range(0, len(content), _DIGEST_SIZE)}
