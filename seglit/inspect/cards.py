"""The pictures of the report: those of each finding first, then others spread evenly over the pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.drawing.layers import Layer, LayeredPicture, encode_layers
from seglit.drawing.predictions import as_rgb, overlay_colors
from seglit.errors import InputError
from seglit.images.listing import SUFFIXES
from seglit.images.pairs import Pair
from seglit.images.picture import open_picture
from seglit.images.read import PairReader, read_image
from seglit.inspect.findings import Finding
from seglit.inspect.inspection import Inspection
from seglit.labels import IGNORE_INDEX, Labels

_MAX_CARDS = 60
_MAX_PER_FINDING = 6
_NO_IMAGE = 128  # grey
_BYTES, _MAX_BYTES = 4_200_000, 400_000  # of all pictures together, and of one


@dataclass(frozen=True)
class Card:
    """A pair, or a file without a partner.

    Args:
        name: The image's path below the root.
        split: The pair's split; empty for a file without a partner.
        remarks: The findings that concern it, each with a detail or ''.
        picture: The image, with its mask as a layer if it can be drawn; None if the image cannot be read.
        reason: Why the image or the mask is not shown; empty if both are.
        classes: Class indices in the mask.
    """

    name: str
    split: str
    remarks: list[tuple[Finding, str]]
    picture: LayeredPicture | None
    reason: str
    classes: list[int]


def draw_cards(inspection: Inspection, labels: Labels) -> list[Card]:
    """Draws the pictures, at most 60 and at most 6 of each finding."""
    pairs = inspection.survey.pairs
    remarks: dict[Pair | Path, list[tuple[Finding, str]]] = {}
    for subject, remark in _remarks(inspection):
        remarks.setdefault(subject, []).append(remark)
    for pair in pairs[:: max(1, len(pairs) // _MAX_CARDS)]:
        remarks.setdefault(pair, [])
    chosen = list(remarks.items())[:_MAX_CARDS]
    max_bytes = min(_MAX_BYTES, _BYTES // len(chosen))
    return [_card(subject, of_subject, inspection, labels, max_bytes) for subject, of_subject in chosen]


def _remarks(inspection: Inspection) -> Iterator[tuple[Pair | Path, tuple[Finding, str]]]:
    """Yields what each finding concerns: a pair, or an image file without a partner."""
    survey = inspection.survey
    by_file: dict[Path, Pair] = {}
    for pair in survey.pairs:
        for path in (pair.numbered(pair.image), pair.numbered(pair.mask), survey.mask_file(pair)):
            by_file.setdefault(path, pair)
    for finding in inspection.findings:
        for path, detail in finding.files[:_MAX_PER_FINDING]:
            if path in by_file or path.suffix.lower() in SUFFIXES:
                yield by_file.get(path, path), (finding, detail)


def _card(
    subject: Pair | Path, remarks: list[tuple[Finding, str]], inspection: Inspection, labels: Labels, max_bytes: int
) -> Card:
    file, split = (subject, "") if isinstance(subject, Path) else (subject.numbered(subject.image), subject.split)
    image, mask, reason = _read(subject, inspection, labels)
    picture, classes = None, []
    if image is not None:
        layers = {}
        if mask is not None:
            layers["mask"] = Layer(mask, overlay_colors(labels))
            classes = [index for index in np.unique(mask).tolist() if index != IGNORE_INDEX]
        picture = encode_layers(as_rgb(np.ma.getdata(image)), layers, max_bytes)
    return Card(inspection.below(file), split, remarks, picture, reason, classes)


def _read(
    subject: Pair | Path, inspection: Inspection, labels: Labels
) -> tuple[npt.NDArray[Any] | None, npt.NDArray[np.uint8] | None, str]:
    """Reads what can be read of an image (H, W, C) and its mask (H, W), and returns why the rest cannot."""
    survey = inspection.survey
    reason = ""
    if isinstance(subject, Pair):
        try:
            return *_read_pair(subject, inspection, labels), ""
        except InputError as error:
            reason = str(error)
    file, page = (subject.image, subject.page) if isinstance(subject, Pair) else (subject, None)
    try:
        if file in inspection.layout.pairing.masks_without_image:
            stored = survey.reading.settings.classes(open_picture(file).stored_values(labels.stored_as_color))
            mask = labels.encode(np.ma.getdata(stored), file.name)
            return np.full((*mask.shape, 3), _NO_IMAGE, np.uint8), mask, ""
        return survey.opener(file, page=page).array(survey.nodata), None, reason
    except InputError as error:
        return None, None, str(error).removeprefix(f"{file}: ")


def _read_pair(pair: Pair, inspection: Inspection, labels: Labels) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    survey = inspection.survey
    if survey.annotated is None:
        reader = PairReader(labels, survey.channels, survey.nodata, survey.reading.settings)
        if survey.rows is not None:
            return reader.decode(survey.opener(pair.image), survey.opener(pair.mask))
        return reader.read(pair)
    image = read_image(pair.image, survey.channels, survey.nodata)
    drawer = survey.annotated.drawer(labels.class_names, inspection.coding.settings.get("ignore_labels", ()))
    return image, drawer.draw(survey.annotated.entry(pair), image.shape[:2]).indices
