"""The schema of `scores_test.json`, the scores of a test.

Undefined scores are null; images without a labelled pixel are left out.
"""

import re
from pathlib import Path
from typing import Self

import msgspec

from seglit.errors import InputError
from seglit.images.replacing import replacing

SCORE_FILE = "scores_test.json"
"""Name of the file in the folder of a tested run."""
REPORT_FILE = "report.html"
"""Name of the page about it."""

_REQUIRED = (
    *("miou", "miou_low", "miou_high", "dice", "pixel_accuracy", "mean_accuracy"),
    *("fwiou", "boundary_iou", "boundary_f1", "ece"),
)

_SLICE = re.compile(r"\[[0-9]+\]$")

Score = float | None
"""A score; None if it is undefined."""


class Cost(msgspec.Struct, frozen=True):
    """Time and memory of the test.

    Args:
        device: Name of the device.
        parameters: Number of parameters of the module.
        test_seconds: Duration of the whole test.
        test_images_per_second: Throughput of the whole test, reading and scoring included.
        network_images_per_second: Throughput of the network alone; None without images.
        batch_size: Size of the largest batch.
        peak_memory: Peak memory in bytes: of the GPU during the test, else of the process; None if unknown.
    """

    device: str
    parameters: int
    test_seconds: float
    test_images_per_second: float
    network_images_per_second: float | None
    batch_size: int
    peak_memory: int | None


class ClassScores(msgspec.Struct, frozen=True):
    """The scores of a class, in 0..1."""

    iou: Score
    iou_low: Score
    iou_high: Score
    dice: Score
    precision: Score
    recall: Score
    boundary_iou: Score
    boundary_f1: Score
    pixel_share: Score


class CalibrationBins(msgspec.Struct, frozen=True):
    """Pixels by confidence; see `seglit.evaluation.calibration`."""

    pixels: list[int]
    accuracy: list[Score]
    confidence: list[Score]


class LevelOfClass(msgspec.Struct, frozen=True):
    """The scores of a class at one level of a breakdown."""

    iou: Score
    recall: Score
    objects: int


class Level(msgspec.Struct, frozen=True):
    """One level of a breakdown, by object size or by distance; see `seglit.evaluation.breakdown`.

    Args:
        first: Lower bound, as a share of the image or in pixels; "from" in the file.
        last: Upper bound; None for the last level; "to" in the file.
        miou: Mean IoU over the target classes of the level.
        pixel_accuracy: Share of the level's labelled pixels that are correct.
        pixels: Number of labelled pixels.
        classes: The target classes of the level.
    """

    first: float = msgspec.field(name="from")
    last: float | None = msgspec.field(name="to")
    miou: Score
    pixel_accuracy: Score
    pixels: int
    classes: dict[str, LevelOfClass]


class ErrorRegion(msgspec.Struct, frozen=True):
    """A connected component of pixels with the same target class and the same wrong predicted class.

    Args:
        image: The image's name.
        target: Target class.
        prediction: Predicted class.
        box: Bounding box: left, top, width, height in pixels.
        pixels: Number of pixels.
        confidence: Mean probability of the predicted class, 0..1; None if an exported file has masks only.
    """

    image: str
    target: str
    prediction: str
    box: tuple[int, int, int, int]
    pixels: int
    confidence: Score


class ConfusedPair(msgspec.Struct, frozen=True):
    """A split's pixels of one class that are predicted as another.

    Args:
        target: Target class.
        prediction: Predicted class.
        pixels: Number of pixels.
        share: Share of the target class's pixels.
        cost: IoU that the target class would gain if they were correct: their share of its union.
        regions: The largest regions, at most one per image.
    """

    target: str
    prediction: str
    pixels: int
    share: float
    cost: float
    regions: list[ErrorRegion]


class ImageScores(msgspec.Struct, frozen=True, omit_defaults=True):
    """The scores of one image.

    Args:
        name: Name of the image.
        miou: Mean IoU over the classes in target or prediction.
        pixel_accuracy: Share of the labelled pixels that are correct.
        pixels: Class name to its numbers of correct, target and predicted pixels, for the same classes.
        group: Group that the intervals resample it with; empty if the name states it, as `stack0[3]` does.
    """

    name: str
    miou: float
    pixel_accuracy: float
    pixels: dict[str, tuple[int, int, int]]
    group: str = ""


class SavedScores(msgspec.Struct, frozen=True):
    """The content of the file.

    Args:
        checkpoint: The scored checkpoint, relative to the run folder if inside it; None if there is none.
        cost: Time and memory.
        scores: The scores of the whole split, by the names that they are logged under.
        metrics: The user's own metrics, by name: a value, or one per class.
        classes: The scores of each class.
        confusion: Pixel counts; rows are targets, columns predictions.
        calibration: The bins of the reliability diagram.
        sizes: Scores by object size.
        distances: Scores by distance to the outlines in the target.
        confusions: The confusions that cost the most IoU.
        label_errors: Regions with likely label errors.
        images: The scores of each image.
    """

    checkpoint: str | None
    cost: Cost
    scores: dict[str, Score]
    metrics: dict[str, Score | dict[str, Score]]
    classes: dict[str, ClassScores]
    confusion: list[list[int]]
    calibration: CalibrationBins
    sizes: list[Level]
    distances: list[Level]
    confusions: list[ConfusedPair]
    label_errors: list[ErrorRegion]
    images: list[ImageScores]

    def write(self, folder: Path) -> None:
        """Writes the scores to a run folder, whole or not at all.

        Raises:
            InputError: The file cannot be written.
        """
        with replacing(folder / SCORE_FILE) as unfinished:
            unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    def check(self) -> None:
        """Checks that the parts fit each other.

        Raises:
            ValueError: They do not.
        """
        count = len(self.classes)
        if missing := [name for name in _REQUIRED if name not in self.scores]:
            raise ValueError(f"has no score {missing[0]!r}")
        regions = [*self.label_errors, *(region for pair in self.confusions for region in pair.regions)]
        named = {name for region in regions for name in (region.target, region.prediction)}
        named.update(name for pair in self.confusions for name in (pair.target, pair.prediction))
        named.update(*(image.pixels for image in self.images))
        named.update(*(level.classes for level in self.sizes + self.distances))
        if unknown := sorted(named - self.classes.keys()):
            raise ValueError(f"names the class {unknown[0]!r}, which is not among its classes")
        if [len(row) for row in self.confusion] != [count] * count:
            raise ValueError(f"its confusion matrix is not of {count} x {count} classes")
        intervals = [(scores.iou_low, scores.iou_high) for scores in self.classes.values()]
        intervals.append((self.scores["miou_low"], self.scores["miou_high"]))
        if any((low is None) != (high is None) for low, high in intervals):
            raise ValueError("has an interval with one end")
        bins = self.calibration
        if not len(bins.pixels) == len(bins.accuracy) == len(bins.confidence):
            raise ValueError("its calibration has lists of different lengths")
        if any(not 0 <= side < 2**31 for region in regions for side in region.box):
            raise ValueError("has a region outside its image")
        counts = [pixels for image in self.images for entry in image.pixels.values() for pixels in entry]
        counts += [pixels for row in (*self.confusion, bins.pixels) for pixels in row]
        if any(not 0 <= pixels < 2**62 for pixels in counts):
            raise ValueError("has a number of pixels that is negative or too large")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the scores from a run folder.

        Raises:
            InputError: The file is corrupt, or was written by another version of seglit.
        """
        try:
            scores = msgspec.json.decode((folder / SCORE_FILE).read_bytes(), type=cls)
            scores.check()
            return scores
        except (msgspec.MsgspecError, ValueError) as error:  # ValueError: not UTF-8, or inconsistent
            raise InputError(
                f"{folder}: {SCORE_FILE} is corrupt or from another seglit ({error}); `seglit test` writes it again"
            ) from error


def stack_of(name: str) -> str:
    """Returns the stack that the name of a slice states (`stack0` of `stack0[3]`), any other name unchanged."""
    return _SLICE.sub("", name)


def remove_scores(folder: Path) -> None:
    """Removes the scores of a test and the report about them, when what was tested is replaced."""
    for name in (SCORE_FILE, REPORT_FILE):
        (folder / name).unlink(missing_ok=True)


def score_folder(exported: Path) -> Path:
    """Returns the folder that the scores of an exported file are written into."""
    return exported.with_name(f"{exported.name}.test")
