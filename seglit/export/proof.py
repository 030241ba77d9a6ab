"""The proof of an exported file: its pixels, probabilities and score against those of PyTorch in float32."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.data.base import SegmentationDataModule
from seglit.errors import RunError
from seglit.evaluation.evaluation import Evaluation
from seglit.export.scoring import batches_of, update
from seglit.exported.choices import FilePrecision
from seglit.exported.description import Dtype, Proof, ScoreProof, Size, SizeProof
from seglit.exported.graph import TRACED_SIZE
from seglit.exported.runtime import reason
from seglit.images.pairs import Split
from seglit.predict.predictor import Predictor

Array = npt.NDArray[Any]

SIZES: tuple[Size, ...] = ((64, 96), (97, 131), (165, 83))
"""Sizes that a file for any size is proven at, beside that of the data; none is the traced one."""
MAX_REAL_SIDE = 1024
"""Real images are cropped to this many pixels."""
_CALLS = 5  # timed


class Thresholds(NamedTuple):
    """Smallest share of equal pixels at each size, and largest difference of mean IoU, or loss for int8."""

    equal_pixels: float
    difference: float
    only_loss: bool = False

    def allow(self, scores: ScoreProof) -> bool:
        """Whether the mean IoU may differ so; False if it is undefined."""
        difference = scores.miou_pytorch - scores.miou
        return difference <= self.difference if self.only_loss else abs(difference) <= self.difference


def thresholds_of(precision: FilePrecision, max_drop: float) -> Thresholds:
    """Returns the thresholds of a precision; those of int8 are of the score alone.

    Args:
        precision: Precision of the file.
        max_drop: The largest loss of mean IoU by int8.
    """
    if precision == "float32":
        return Thresholds(0.999, 0.001)
    return Thresholds(0.0, max_drop, only_loss=True) if precision == "int8" else Thresholds(0.995, 0.005)


class Prover:
    """Compares files with PyTorch, which predicts everything once for all of them.

    Args:
        reference: The network in PyTorch.
        architecture: Its name, for messages.
        data: The run's data; None if it is gone.
        note: Why there is no data.
        dtype: Type of the images.
        size: The one size of the files; None for any.
    """

    def __init__(
        self,
        reference: Predictor,
        architecture: str,
        data: SegmentationDataModule | None,
        note: str,
        dtype: Dtype,
        size: Size | None,
    ) -> None:
        self.reference = reference
        self.data = data
        self.note = note
        self.size = size
        self.architecture = architecture
        self.hint = "" if size else "; for one size alone it may succeed: --size HEIGHT,WIDTH"
        self.images = [*_images(reference, data, dtype, size)]
        self.expected = [[*reference.stream(images, probabilities=True)] for images in self.images]
        self.miou_pytorch: float | None = None
        self.scored_images = 0

    def prove(
        self, masks: Predictor, probabilities: Predictor, thresholds: Thresholds, runtime: str, file: Path
    ) -> Proof:
        """Proves a file.

        Args:
            masks: The file.
            probabilities: The same graph with the probabilities as output.
            thresholds: What it must reach.
            runtime: What runs it.
            file: Where it would be kept, for messages.

        Raises:
            RunError: It differs from PyTorch at a size, or loses mean IoU.
        """
        sizes = []
        for images, expected in zip(self.images, self.expected, strict=True):
            try:
                proof = _compare(images, expected, masks, probabilities)
            except RunError as error:
                height, width = images[0].shape[:2]
                raise RunError(
                    f"{file}: not written: {self.architecture} fails at {height} x {width} pixels "
                    f"({reason(error.__cause__ or error)}){self.hint}"
                ) from error
            if proof.equal_pixels < thresholds.equal_pixels:
                raise RunError(
                    f"{file}: not written: at {proof.height} x {proof.width} pixels {self.architecture} agrees with "
                    f"PyTorch on {proof.equal_pixels:.2%} of the pixels, which must be {thresholds.equal_pixels:.1%} "
                    f"or more{self.hint}"
                )
            sizes.append(proof)
        validation = self._compare_scores(masks)
        if validation is not None and not thresholds.allow(validation):
            allowed = "be lower" if thresholds.only_loss else "differ"
            raise RunError(
                f"{file}: not written: its mean IoU on the validation split is {validation.miou:.4f}, that of PyTorch "
                f"{validation.miou_pytorch:.4f}; it may {allowed} by {thresholds.difference:g}"
            )
        seconds = _latency(masks, self.images[-1][0])
        return Proof(sizes, validation, self.note, thresholds.equal_pixels, thresholds.difference, runtime, seconds)

    def _compare_scores(self, file: Predictor) -> ScoreProof | None:
        """Mean IoU at the stored size over the validation split; None without data."""
        if self.data is None:
            return None
        if self.miou_pytorch is None:
            self.miou_pytorch = self.score(self.reference)
        if not self.scored_images:
            self.data, self.note = None, "no validation image is of this size"
            return None
        return ScoreProof(self.scored_images, self.miou_pytorch, self.score(file))

    def score(self, predictor: Predictor) -> float:
        """Returns the mean IoU of a predictor over the validation images of the files' size."""
        evaluation = Evaluation(self.reference.labels.class_names)
        self.scored_images = 0
        for batch in [] if self.data is None else batches_of(self.data, "val", self.size):
            self.scored_images += len(batch["name"])
            update(evaluation, predictor, batch)
        return evaluation.compute().miou


def _compare(images: list[Array], expected: list[Any], masks: Predictor, probabilities: Predictor) -> SizeProof:
    # one image alone, and several at once
    answers = [*masks.stream(images[:1]), *masks.stream(images[1:])]
    scores = [*probabilities.stream(images[:1], True), *probabilities.stream(images[1:], True)]
    equal = [np.mean(one.mask == other.mask) for one, other in zip(answers, expected, strict=True)]
    differences = [
        np.abs(one.probabilities - other.probabilities).max() for one, other in zip(scores, expected, strict=True)
    ]
    height, width = images[0].shape[:2]
    return SizeProof(height, width, len(images), float(np.mean(equal)), float(max(differences)))


def _latency(predictor: Predictor, image: Array) -> float:
    """Returns the median time in seconds of an image; a network that has predicted before needs no warm-up."""
    seconds = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        predictor(image)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _images(
    reference: Predictor, data: SegmentationDataModule | None, dtype: Dtype, size: Size | None
) -> Iterator[list[Array]]:
    """Yields random and real images (H, W, C) at each size."""
    real = [] if data is None else read_images(data, "val", reference.in_channels, 2)
    sides = [tuple(min(side, MAX_REAL_SIDE) for side in image.shape[:2]) for image in real[:1]]
    sizes = [size] if size else [*SIZES, *(own for own in sides if own not in (*SIZES, TRACED_SIZE))]
    for number, (height, width) in enumerate(sizes):
        generator = np.random.default_rng(number)
        random = [_random(reference, dtype, (height, width), cells, generator) for cells in (1000, 5)]
        yield [*random, *(crop_or_reflect(image, height, width) for image in real)]


def read_images(data: SegmentationDataModule, split: Split, in_channels: int, count: int) -> list[Array]:
    """Reads the first images (H, W, C) of a split as stored, at most `count`."""
    dataset = data.dataset(split)
    read = (np.ma.getdata(dataset.read(index)[0]) for index in range(min(count, len(dataset))))
    return [image.reshape(*image.shape[:2], in_channels) for image in read]


def _random(reference: Predictor, dtype: Dtype, size: Size, cells: int, generator: np.random.Generator) -> Array:
    """Draws an image (H, W, C) of at most `cells` x `cells` cells of one colour each.

    Its values are of the whole range of 8 bits, else of the distribution of the training images. A few large cells show
    errors that the means over many pixels hide.
    """
    rows, columns = (np.arange(side) * min(cells, side) // side for side in size)
    shape = (rows[-1] + 1, columns[-1] + 1, reference.in_channels)
    if dtype == "uint8":
        values: Array = generator.integers(0, 256, shape, np.uint8)
    else:
        normalization = reference.normalize.normalization
        values = generator.normal(normalization.mean, normalization.std, shape)
        if dtype != "float32":
            info = np.iinfo(dtype)
            values = values.round().clip(info.min, info.max)
    return values.astype(dtype)[rows][:, columns]


def crop_or_reflect(image: Array, height: int, width: int) -> Array:
    """Crops an image to a size, or continues it by its reflection."""
    pad = ((0, max(0, height - image.shape[0])), (0, max(0, width - image.shape[1])), (0, 0))
    return np.pad(image, pad, "symmetric")[:height, :width]


def describe_proof(proof: Proof) -> str:
    """Describes a proof for the terminal, one line per size."""
    lines = [
        f"{one.height} x {one.width}: {one.equal_pixels:.3%} of the pixels equal, probabilities differ by at most "
        f"{one.largest_difference:.1e}"
        for one in proof.sizes
    ]
    if scores := proof.validation:
        lines.append(
            f"validation, {scores.images} images: mean IoU {scores.miou:.4f}, PyTorch {scores.miou_pytorch:.4f}"
        )
    return "\n".join([*lines, *filter(None, [proof.note])])
