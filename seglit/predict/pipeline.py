"""Reads, predicts and writes images concurrently."""

import os
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from seglit.drawing.progress_bar import progress_bar
from seglit.errors import InputError, RunError, one_line, printable
from seglit.hardware import keep_freed_memory
from seglit.images.picture import Picture
from seglit.images.prefetch import one_ahead, prefetch
from seglit.images.read import read_image
from seglit.images.stacks import count_slices
from seglit.images.tiff import LargeTiff, Tag
from seglit.images.video import read_frames
from seglit.predict.jobs import Job, claim, find_jobs
from seglit.predict.label_files import report_label_files
from seglit.predict.load import find_model, load
from seglit.predict.predictor import Predictor
from seglit.predict.settings import LabelFormat, Masks, Settings
from seglit.predict.tile_scores import Block, Prediction, Tile
from seglit.predict.write import Writer
from seglit.runs.trusted import Trust

Array = npt.NDArray[Any]
ReadResult = tuple[Array, list[Tag]] | Literal["video", "stack", "by windows"] | InputError


def predict_files(
    run: str,
    inputs: list[str],
    output: Path,
    settings: Settings,
    masks: Masks,
    overlays: bool,
    probabilities: bool,
    labels: LabelFormat | None,
    trust: Trust,
) -> int:
    """Does what the options of `seglit predict` ask for; returns the exit code."""
    model = find_model(run).absolute()
    jobs = find_jobs(inputs, output, overlays, probabilities)
    predictor = load(model, trust)
    predictor.settings = settings
    predictor.check_settings(probabilities)
    claim(output, {**_version(model), "masks": masks, **asdict(settings)})
    return _run(Pipeline(predictor, masks), jobs, output, labels)


def _version(model: Path) -> dict[str, str | float]:
    return {"checkpoint": str(model), "changed": model.stat().st_mtime}


def _run(pipeline: "Pipeline", jobs: list[Job], output: Path, labels: LabelFormat | None) -> int:
    """Predicts what is not done, writes label files, and prints a summary; returns the exit code."""
    keep_freed_memory()
    jobs = _count_slices(jobs, pipeline.predictor.in_channels)
    pending = [job for job in jobs if not job.is_done]
    start = time.monotonic()
    with progress_bar("images") as progress:
        task = progress.add_task("predicting", total=len(pending))
        pipeline.run(pending, partial(progress.advance, task))
    seconds = time.monotonic() - start
    count = pipeline.predicted
    done_before = sum(len(job.slices) for job in jobs) - sum(len(job.slices) for job in pending) + pipeline.skipped
    before = f", {done_before} done before" if done_before else ""
    speed = f" in {seconds:.1f} s ({count / seconds:.1f} images/s)" if count else ""
    print(f"{count} image{'s' * (count != 1)} predicted{speed}{before}: {output / 'masks'}")
    for job in pipeline.without_overlay:
        print(f"no overlay: {printable(str(job.path))}: too large, read in windows", file=sys.stderr)
    for error in pipeline.failed:
        print(f"not predicted: {one_line(error)}", file=sys.stderr)
    if labels is not None:
        report_label_files(labels, jobs, output, pipeline.masks, pipeline.predictor.labels)
    return int(bool(pipeline.failed))


def _count_slices(jobs: list[Job], in_channels: int) -> list[Job]:
    """The jobs with their numbers of slices; says what is assumed where files do not state it."""
    counted, assumed = [], defaultdict[str, list[Job]](list)
    for job in jobs:
        num_slices, what = count_slices(job.path, in_channels)
        counted.append(replace(job, num_slices=num_slices))
        assumed[what].append(job)
    assumed.pop("", None)
    for what, (first, *others) in assumed.items():
        more = f" and {len(others)} more" * bool(others)
        print(f"{printable(str(first.path))}{more}: {what}", file=sys.stderr)
    return counted


class Pipeline:
    """Reads, predicts and writes concurrently; collects the errors of single images in `failed`."""

    def __init__(self, predictor: Predictor, masks: Masks) -> None:
        self.predictor = predictor
        self.masks = masks
        self.reading = predictor.in_channels, predictor.nodata_values
        self.writer = Writer(masks, predictor.labels, nodata=predictor.settings.nodata)
        self.failed: list[InputError | RunError] = []
        self.without_overlay: list[Job] = []
        self.large: list[Job] = []
        self.stacks: list[Job] = []
        self.in_flight: deque[tuple[Job, Array, list[Tag], float]] = deque()
        self.predicted = 0
        self.skipped = 0  # video frames that were done before
        self.threads = min(4, os.cpu_count() or 1)

    def run(self, jobs: list[Job], advance: Callable[[float], None]) -> None:
        """Processes all jobs, stacks and large TIFFs last; calls `advance` with each completed fraction of a job."""
        probabilities = any(job.probabilities for job in jobs)
        with ThreadPoolExecutor(self.threads) as pool:
            predictions = self.predictor.stream_with_errors(self._read_images(jobs, advance), probabilities)
            finished = self._finished(predictions, advance)
            for fraction in prefetch(self._write, finished, pool, self.threads):
                self.predicted += 1
                advance(fraction)
        for job in self.stacks:
            self._predict_stack(job, advance)
        for job in self.large:
            self._predict_large(job, advance)

    def _read_images(self, jobs: list[Job], advance: Callable[[float], None]) -> Iterator[Array]:
        """Yields every image and video frame that fits in memory; defers the others to `stacks` and `large`."""
        with ThreadPoolExecutor(self.threads) as pool:
            for job, read in zip(jobs, prefetch(self._read, jobs, pool, self.threads), strict=True):
                if isinstance(read, InputError):
                    self.failed.append(read)
                    advance(1)
                elif read == "by windows":
                    self.large.append(job)
                elif read == "stack":
                    self.stacks.append(job)
                elif read == "video":
                    for frame, image, fraction in one_ahead(self._read_video(job)):
                        self.in_flight.append((frame, image, [], fraction))
                        yield image
                else:
                    image, tags = read
                    self.in_flight.append((job, image, tags, 1))
                    yield image

    def _read(self, job: Job) -> ReadResult:
        if job.is_video:
            return "video"
        if job.num_slices is not None:
            return "stack"
        try:
            tags: list[Tag] = []
            if job.is_tiff and job.path.is_file():
                with LargeTiff(job.path, *self.reading) as file:
                    if file.by_windows and self.predictor.resize is None:  # windows cannot be resized one by one
                        return "by windows"
                    tags = file.tags
            image = self._checked(job, read_image(job.path, *self.reading))
        except InputError as error:
            return error
        return image, tags

    def _read_video(self, job: Job) -> Iterator[tuple[Job, Array, float]]:
        """Yields the frames that are not done yet, each with its fraction of the video."""

        def skips(index: int) -> bool:
            done = job.frame(index).is_done
            self.skipped += done
            return done

        try:
            for index, num_frames, pixels in read_frames(job.path, skips):
                image = Picture.of_array(pixels, job.path).image(*self.reading)
                yield job.frame(index), self._checked(job, image), 1 / num_frames
        except InputError as error:
            self.failed.append(error)

    def _checked(self, job: Job, image: Array, *, is_whole: bool = True) -> Array:
        """Checks that the image, or a part of it, can be predicted, so that only this file fails, not its batch."""
        try:
            (self.predictor.check if is_whole else self.predictor.check_dtype)(image)
        except InputError as error:
            raise InputError(f"{job.path}: {error}") from error
        return image

    def _finished(
        self, predictions: Iterator[Prediction | RunError], advance: Callable[[float], None]
    ) -> Iterator[tuple[Job, Array, list[Tag], float, Prediction]]:
        """Yields what is to be written; an image for which the network answers NaN is not."""
        for prediction in predictions:
            job, image, tags, fraction = self.in_flight.popleft()
            if isinstance(prediction, RunError):
                self.failed.append(RunError(f"{job.path}: {prediction}"))
                advance(fraction)
            else:
                yield job, image, tags, fraction, prediction

    def _write(self, finished: tuple[Job, Array, list[Tag], float, Prediction]) -> float:
        job, image, tags, fraction, prediction = finished
        self.writer.write(job, image, prediction, tags)
        return fraction

    def _predict_stack(self, job: Job, advance: Callable[[float], None]) -> None:
        """Reads, predicts and writes the slices of a stack one after another."""
        slices = job.slices
        in_flight: deque[Array] = deque()

        def images() -> Iterator[Array]:
            for one in slices:
                image = self._checked(one, read_image(one.path, *self.reading, page=one.page))
                in_flight.append(image)
                yield image

        def masks() -> Iterator[Array]:
            predictions = self.predictor.stream(one_ahead(images()), job.probabilities is not None)
            for one, prediction in zip(slices, predictions, strict=True):
                yield self.writer.write_all_but_mask(one, in_flight.popleft(), prediction)
                advance(1 / len(slices))

        try:
            with LargeTiff(job.path, *self.reading) as file:
                tags = file.tags
            self.writer.write_masks(job, masks(), tags)
            self.predicted += len(slices)
        except InputError as error:
            self.failed.append(error)
        except RunError as error:
            self.failed.append(RunError(f"{job.path}: {error}"))

    def _predict_large(self, job: Job, advance: Callable[[float], None]) -> None:
        """Reads, predicts and writes a TIFF one row of tiles at a time."""

        def with_progress(blocks: Iterator[Block], fraction: float) -> Iterator[Block]:
            for block in blocks:
                yield block
                advance(fraction)

        try:
            with LargeTiff(job.path, *self.reading) as file:
                grid = self.predictor.grid(*file.size)
                parts = (file.read_rows(row.seen) for row in grid.rows)
                bands = one_ahead(self._checked(job, part, is_whole=False) for part in parts)
                tiles = (
                    Tile(grid, row, column, band[:, column.seen])
                    for row, band in zip(grid.rows, bands, strict=True)
                    for column in grid.columns
                )
                blocks = self.predictor.blocks(tiles, job.probabilities is not None)
                blocks = one_ahead(with_progress(blocks, 1 / len(grid)))
                self.writer.write_blocks(job, file.size, blocks, file.tags)
            self.predicted += 1
        except InputError as error:
            self.failed.append(error)
        except RunError as error:
            self.failed.append(RunError(f"{job.path}: {error}"))
        if job.overlay is not None:
            self.without_overlay.append(job)
