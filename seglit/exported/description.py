"""What is stored in an exported file beside the network: classes, input, scores of the run, and the proof."""

from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import numpy as np

from seglit.errors import InputError
from seglit.exported.choices import FilePrecision, Output
from seglit.runs.checkpoint import ModelRecord
from seglit.runs.record_schema import check_record

KEY = "seglit"
"""Name of the description in a file's metadata."""

Dtype = Literal["uint8", "uint16", "int16", "float32"]
Size = tuple[int, int]


class SizeProof(msgspec.Struct, frozen=True):
    """How the file and PyTorch agree at one size.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        images: Number of images.
        equal_pixels: Share of the pixels with the same class.
        largest_difference: Largest difference of a probability.
    """

    height: int
    width: int
    images: int
    equal_pixels: float
    largest_difference: float


class ScoreProof(msgspec.Struct, frozen=True):
    """Mean IoU of the validation split at the stored size, by PyTorch in float32 and by the file."""

    images: int
    miou_pytorch: float
    miou: float


class Proof(msgspec.Struct, frozen=True):
    """What was checked before the file was kept.

    Args:
        sizes: The comparison of pixels, one entry per size.
        validation: The comparison of scores; None without data.
        note: Why something was not checked; "" if everything was.
        min_equal_pixels: Threshold of each size.
        max_difference: Threshold of the difference of mean IoU.
        runtime: Name and version of what ran the file.
        seconds: Median time of one image of the last size, on the machine that exported.
    """

    sizes: list[SizeProof]
    validation: ScoreProof | None
    note: str
    min_equal_pixels: float
    max_difference: float
    runtime: str
    seconds: float


class Description(msgspec.Struct, frozen=True):
    """The metadata of an exported file.

    Args:
        input: What the file expects, in words.
        output: `mask`: uint8 (N, H, W) class indices, 255 where the network answers NaN; or `probabilities`: float32
            (N, classes, H, W).
        dtype: Type of the images.
        size: Height and width of the images; None for any.
        precision: Precision of the computation.
        parameters: Number of parameters of the network.
        record: Version of seglit, network, classes with colours and stored values, normalisation: see `ModelRecord`.
        scores: Scores of the run on its test split, by name; empty if it was not tested.
        proof: None while it is not proven.
        checkpoint: SHA-256 of the checkpoint that it was exported from; empty in files of earlier versions.
    """

    input: str
    output: Output
    dtype: Dtype
    size: Size | None
    precision: FilePrecision
    parameters: int
    record: dict[str, Any]
    scores: dict[str, float | None]
    proof: Proof | None = None
    checkpoint: str = ""

    @property
    def model(self) -> ModelRecord:
        """The record of the network."""
        return ModelRecord.from_dict(self.record)

    def to_json(self) -> str:
        """Converts to indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode()

    @classmethod
    def from_json(cls, text: str | bytes | None, file: Path) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: The text is not a description.
        """
        if text is None:
            raise InputError(f"{file}: not written by `seglit export`; it does not describe its classes")
        try:
            description = msgspec.json.decode(text, type=cls)
        except ValueError as error:  # msgspec's errors, and not UTF-8
            raise InputError(f"{file}: its description is damaged or of another version ({error})") from error
        check_record(description.record, file)
        return description


def fill_values(record: ModelRecord, dtype: Dtype) -> tuple[float, ...]:
    """Returns what stands for pixels without data, one value per channel: the mean, in the units and type of images."""
    scale = record.normalization.scale if dtype != "float32" else 1.0
    means = np.broadcast_to(np.array(record.normalization.mean, np.float64) * scale, record.in_channels)
    if dtype != "float32":
        info = np.iinfo(dtype)
        means = means.round().clip(info.min, info.max)
    return tuple(means.tolist())


def describe_input(record: ModelRecord, dtype: Dtype, size: tuple[int, int] | None) -> str:
    """Says in words what a file expects."""
    channels = record.in_channels
    kind = {1: "grey", 3: "RGB"}.get(channels, f"{channels} bands in the order of the training images")
    sides = f"N, {channels}, H, W" if size is None else "N, {}, {}, {}".format(channels, *size)
    fill = ", ".join(f"{value:g}" for value in fill_values(record, dtype))
    return (
        f"image: {dtype} ({sides}), {kind}, with the values that image files store: normalisation and padding are "
        f"inside. Pixels without data: set them to {fill} (the mean) before, and their mask to void after, if all "
        "bands lack data"
    )
