"""`scores_test.json`, the scores of a test as plain data: what is in it, and how it is written and read.

What is n/a is null; an image without a labelled pixel is not listed.
"""

from pathlib import Path
from typing import Self

import msgspec

from seglit.errors import InputError

SCORE_FILE = "scores_test.json"
"""The file's name, in the folder of a run that was tested."""

Score = float | None
"""A score; None where it is n/a."""


class Cost(msgspec.Struct, frozen=True):
    """What the test took.

    Args:
        device: Name of the device.
        parameters: Parameters of the module.
        test_seconds: Time of the whole test.
        test_images_per_second: Images per second of the whole test, reading and scoring included.
        network_images_per_second: Images per second through the network; None of no image.
        batch_size: Images of the largest batch.
        peak_memory: Bytes at the peak: of the GPU during the test, else of the process; None where it is not known.
    """

    device: str
    parameters: int
    test_seconds: float
    test_images_per_second: float
    network_images_per_second: float | None
    batch_size: int
    peak_memory: int | None


class ClassScores(msgspec.Struct, frozen=True):
    """Every score of a class, each 0..1."""

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
    """Pixels by confidence, see `seglit.evaluation.calibration`."""

    pixels: list[int]
    accuracy: list[Score]
    confidence: list[Score]


class LevelOfClass(msgspec.Struct, frozen=True):
    """A class at one level of a breakdown."""

    iou: Score
    recall: Score
    objects: int


class Level(msgspec.Struct, frozen=True):
    """One level of a breakdown, by object size or by distance; see `seglit.evaluation.breakdown`.

    Args:
        first: Where it begins, as a share of the image or in pixels; "from" in the file.
        last: Where it ends; None of the last level; "to" in the file.
        miou: The mean over the classes that the target has there.
        pixel_accuracy: The share of its pixels that is right.
        pixels: Its labelled pixels.
        classes: The classes that the target has there.
    """

    first: float = msgspec.field(name="from")
    last: float | None = msgspec.field(name="to")
    miou: Score
    pixel_accuracy: Score
    pixels: int
    classes: dict[str, LevelOfClass]


class ErrorRegion(msgspec.Struct, frozen=True):
    """Connected pixels of one target class and another predicted one, by name; see `seglit.evaluation.mistakes`."""

    image: str
    target: str
    prediction: str
    box: tuple[int, int, int, int]
    pixels: int
    confidence: float


class ConfusedPair(msgspec.Struct, frozen=True):
    """Pixels of one class predicted as another, by name; see `seglit.evaluation.mistakes`."""

    target: str
    prediction: str
    pixels: int
    share: float
    cost: float
    regions: list[ErrorRegion]


class ImageScores(msgspec.Struct, frozen=True):
    """An image by itself.

    Args:
        name: The image.
        miou: Its mIoU over the classes in target or prediction.
        pixel_accuracy: The share of its labelled pixels that is right.
        pixels: How many pixels of each of these classes are right, in the target, and predicted.
    """

    name: str
    miou: float
    pixel_accuracy: float
    pixels: dict[str, tuple[int, int, int]]


class SavedScores(msgspec.Struct, frozen=True):
    """What the file holds.

    Args:
        checkpoint: The checkpoint that was scored, relative to the run folder where it is in it; None if there is none.
        cost: Time and memory.
        scores: The scores of the whole split, by the names that they are logged by.
        metrics: The metrics of one's own, by name: a value, or one for each class.
        classes: Every score of each class.
        confusion: Pixel counts, rows the target, columns the prediction.
        calibration: The bins of the reliability plot.
        sizes: Scores by object size.
        distances: Scores by distance to the target's outlines.
        confusions: The confusions that cost the most IoU.
        label_errors: Where the labels are likely wrong.
        images: Each image by itself.
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
        """Writes the file into a run folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCORE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the file of a run folder.

        Raises:
            InputError: It is damaged, or of another version of seglit.
        """
        try:
            return msgspec.json.decode((folder / SCORE_FILE).read_bytes(), type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InputError(
                f"{folder}: {SCORE_FILE} is damaged or of another seglit ({error}); `seglit test` writes it anew"
            ) from error
