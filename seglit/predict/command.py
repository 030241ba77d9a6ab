"""`seglit predict`: masks for files, folders, patterns and TIFFs of any size."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
import torch

from seglit.drawing.progress_bar import progress_bar
from seglit.errors import InputError, one_line, printable
from seglit.images.picture import Picture, read_image
from seglit.images.prefetch import one_ahead, prefetch
from seglit.images.tiff import LargeTiff, Tag
from seglit.images.video import count_frames, read_frames
from seglit.predict.jobs import Job, claim, find_jobs
from seglit.predict.load import load
from seglit.predict.predictor import Block, Predictor, Tile
from seglit.predict.settings import Flips, Precision, Settings
from seglit.predict.write import Masks, coder, write, write_blocks
from seglit.runs.checkpoint import find_checkpoint

Array = npt.NDArray[Any]
Read = tuple[Array, list[Tag]] | Literal["video", "by windows"] | InputError


def predict(
    run: str,
    inputs: list[str],
    output: str = "predictions",
    masks: Masks = "stored",
    overlays: bool = False,
    probabilities: bool = False,
    tile: int | None = None,
    overlap: float = 0.25,
    flips: Flips = "none",
    scales: tuple[float, ...] = (1.0,),
    precision: Precision | None = None,
) -> int:
    """Writes the masks of images with a trained network; called again, it goes on where it stopped.

    Masks go to OUTPUT/masks by the images' own names and sub-folders: PNGs, or TIFFs with the georeference of a TIFF.

    Args:
        run: Run folder or checkpoint.
        inputs: Images, folders of them, videos, or glob patterns; several may be given.
        output: Folder to write into.
        masks: In the values that the training's masks store, or in the classes' colours.
        overlays: Write OUTPUT/overlays, too: the images with their masks over them.
        probabilities: Write OUTPUT/probabilities, too: float16 arrays (classes, height, width) as NPY.
        tile: Size in pixels of the tiles of larger images; by default, images of up to 4 megapixels are taken whole.
        overlap: The part of a tile that it shares with the next.
        flips: Average the answers to mirrored copies, left to right, or also top to bottom.
        scales: Average the answers to scaled copies, such as [0.75,1,1.25].
        precision: What the network computes in; by default the hardware's fastest.

    Returns:
        0 when all images are done, 1 where some could not be read.

    Raises:
        InputError: The run, an input or an option is wrong, or OUTPUT holds predictions of another kind.
    """
    settings = Settings(tile, overlap, flips, scales, precision)
    checkpoint = find_checkpoint(Path(run).expanduser()).absolute()
    jobs = find_jobs(inputs, Path(output), overlays, probabilities)
    predictor = load(checkpoint)
    predictor.settings = settings
    work = _Work(predictor, masks)
    changed = checkpoint.stat().st_mtime
    claim(Path(output), {"checkpoint": str(checkpoint), "changed": changed, "masks": masks, **asdict(settings)})
    waiting = [job for job in jobs if not job.is_done]
    start = time.monotonic()
    with progress_bar("images") as progress:
        task = progress.add_task("predicting", total=len(waiting))
        work.do(waiting, partial(progress.advance, task))
    seconds = time.monotonic() - start
    count = work.predicted
    done_before = len(jobs) - len(waiting) + work.skipped
    before = f", {done_before} done before" if done_before else ""
    speed = f" in {seconds:.1f} s ({count / seconds:.1f} images/s)" if count else ""
    print(f"{count} image{'s' * (count != 1)} predicted{speed}{before}: {Path(output) / 'masks'}")
    for job in work.without_overlay:
        print(f"no overlay, as it is read by windows: {printable(str(job.path))}", file=sys.stderr)
    for error in work.failed:
        print(f"not predicted: {one_line(error)}", file=sys.stderr)
    return int(bool(work.failed))


class _Work:
    """Reads, computes and writes at once. What cannot be read is kept in `failed`."""

    def __init__(self, predictor: Predictor, masks: Masks) -> None:
        self.predictor = predictor
        self.encode = coder(masks, predictor.labels)
        self.failed: list[InputError] = []
        self.without_overlay: list[Job] = []
        self.large: list[Job] = []
        self.under_way: deque[tuple[Job, Array, list[Tag], float]] = deque()
        self.predicted = 0
        self.skipped = 0  # frames of videos that were done before
        self.threads = min(4, os.cpu_count() or 1)

    def do(self, jobs: list[Job], advance: Callable[[float], None]) -> None:
        """Does jobs, large TIFFs last.

        Args:
            jobs: The images and videos.
            advance: Told after each piece of work which part of a job it was.
        """
        wanted = any(job.probabilities for job in jobs)
        writing: deque[Future[None]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            for prediction in self.predictor.stream(self._images(jobs, advance), wanted):
                job, image, tags, share = self.under_way.popleft()
                values = self.encode(prediction.mask)
                writing.append(pool.submit(write, job, image, prediction, values, self.predictor.labels, tags))
                if len(writing) > self.threads:
                    writing.popleft().result()
                self.predicted += 1
                advance(share)
            while writing:
                writing.popleft().result()
        for job in self.large:
            self._do_large(job, advance)

    def _images(self, jobs: list[Job], advance: Callable[[float], None]) -> Iterator[Array]:
        """Every image that fits in memory, and frame; the others are left in `large`."""
        with ThreadPoolExecutor(self.threads) as pool:
            for job, read in zip(jobs, prefetch(self._read, jobs, pool, self.threads), strict=True):
                if isinstance(read, InputError):
                    self.failed.append(read)
                    advance(1)
                elif read == "by windows":
                    self.large.append(job)
                elif read == "video":
                    share = 1 / count_frames(job.path)
                    for frame, image in one_ahead(self._frames(job)):
                        self.under_way.append((frame, image, [], share))
                        yield image
                else:
                    image, tags = read
                    self.under_way.append((job, image, tags, 1))
                    yield image

    def _read(self, job: Job) -> Read:
        if job.is_video:
            return "video"
        try:
            tags: list[Tag] = []
            if job.is_tiff and job.path.is_file():
                with LargeTiff(job.path, self.predictor.in_channels) as file:
                    if file.by_windows:
                        return "by windows"
                    tags = file.tags
            image = self._checked(job, read_image(job.path, self.predictor.in_channels))
        except InputError as error:
            return error
        return image, tags

    def _frames(self, job: Job) -> Iterator[tuple[Job, Array]]:
        """The frames of a video that are not done."""

        def skips(index: int) -> bool:
            done = job.frame(index).is_done
            self.skipped += done
            return done

        try:
            for index, pixels in read_frames(job.path, skips):
                picture = Picture.of_array(pixels, job.path).image(self.predictor.in_channels)
                yield job.frame(index), self._checked(job, picture)
        except InputError as error:
            self.failed.append(error)

    def _checked(self, job: Job, image: Array) -> Array:
        """The image, if the normalisation is for its type: it is this file's fault, not the whole batch's."""
        try:
            self.predictor.normalize.normalization.divisor(torch.from_numpy(image).dtype)
        except InputError as error:
            raise InputError(f"{job.path}: {error}") from error
        return image

    def _do_large(self, job: Job, advance: Callable[[float], None]) -> None:
        """Reads, computes and writes a TIFF row of tiles by row of tiles."""

        def told(blocks: Iterator[Block], share: float) -> Iterator[Block]:
            for block in blocks:
                yield block
                advance(share)

        try:
            with LargeTiff(job.path, self.predictor.in_channels) as file:
                grid = self.predictor.grid(*file.size)
                bands = one_ahead(self._checked(job, file.read_rows(row.seen)) for row in grid.rows)
                tiles = (
                    Tile(grid, row, column, band[:, column.seen])
                    for row, band in zip(grid.rows, bands, strict=True)
                    for column in grid.columns
                )
                blocks = one_ahead(told(self.predictor.blocks(tiles, job.probabilities is not None), 1 / len(grid)))
                write_blocks(job, file.size, blocks, self.encode, self.predictor.labels.num_classes, file.tags)
            self.predicted += 1
        except InputError as error:
            self.failed.append(error)
        if job.overlay is not None:
            self.without_overlay.append(job)
