"""The HTML report: findings and tables, and images with their masks overlaid, those with findings first."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.drawing.page import data_address, write_page
from seglit.drawing.predictions import as_rgb, lay_over
from seglit.errors import InputError
from seglit.images.pairs import Pair
from seglit.images.read import PairReader, read_image
from seglit.images.scaling import resize_nearest
from seglit.inspect.inspection import Inspection
from seglit.inspect.text import pairs_text, sizes_text
from seglit.labels import IGNORE_INDEX, Labels

_MAX_OVERLAYS = 60
_MAX_PER_FINDING = 6
_LABEL_SETTINGS = ("class_names", "mask_values", "mask_colors", "ignore_values", "palette")
_WIDTH = 320  # pixels of an image on the page


class Overlay(NamedTuple):
    """A pair on the page; both pictures are data URLs."""

    name: str  # the image's path below the root
    split: str
    remark: str  # the finding that concerns it, if any
    image: str
    blended: str  # the image with its mask overlaid
    classes: str


def write_report(path: Path, inspection: Inspection) -> None:
    """Writes the report."""
    settings = inspection.coding.settings
    coding = {key: settings[key] for key in _LABEL_SETTINGS if key in settings}
    labels = Labels.create(**coding, tolerance=settings.get("mask_tolerance", 0))
    write_page(
        path,
        "inspect/page.html",
        inspection=inspection,
        pairs=pairs_text(inspection.survey),
        sizes=sizes_text(inspection.survey),
        colors=dict(zip(labels.class_names, labels.palette, strict=True)),
        overlays=_overlays(inspection, labels),
    )


def _overlays(inspection: Inspection, labels: Labels) -> list[Overlay]:
    pairs = inspection.survey.pairs
    by_file = {path: pair for pair in pairs for path in pair[:2]}
    remarks: dict[Pair, str] = {}
    for finding in inspection.findings:
        for path, detail in finding.files[:_MAX_PER_FINDING]:
            if path in by_file:
                remarks.setdefault(by_file[path], f"{finding.message}{f' ({detail})' if detail else ''}")
    for pair in pairs[:: max(1, len(pairs) // _MAX_OVERLAYS)]:
        remarks.setdefault(pair, "")
    overlays = (_overlay(pair, remark, inspection, labels) for pair, remark in list(remarks.items())[:_MAX_OVERLAYS])
    return [overlay for overlay in overlays if overlay is not None]


def _read(pair: Pair, inspection: Inspection, labels: Labels) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Reads an image (H, W, C) and its mask (H, W)."""
    survey = inspection.survey
    if survey.annotated is None:
        image, mask = PairReader(labels, survey.channels, survey.nodata, survey.reading.settings).read(pair)
        return image, resize_nearest(mask, image.shape[:2])
    image = read_image(pair.image, survey.channels, survey.nodata)
    label_format = survey.annotated.label_format(
        labels.class_names, inspection.coding.settings.get("ignore_labels", ())
    )
    return image, label_format.draw(survey.annotated.entry(pair), image.shape[:2]).indices


def _overlay(pair: Pair, remark: str, inspection: Inspection, labels: Labels) -> Overlay | None:
    try:
        image, mask = _read(pair, inspection, labels)
    except InputError:  # already a finding
        return None
    rgb = as_rgb(np.ma.getdata(image))
    return Overlay(
        inspection.below(pair.image),
        pair.split,
        remark,
        data_address(rgb, _WIDTH),
        data_address(lay_over(rgb, mask, labels), _WIDTH),
        ", ".join(labels.class_names[index] for index in np.unique(mask) if index != IGNORE_INDEX),
    )
