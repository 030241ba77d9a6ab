"""A page to look at: what was found, and the images with their masks laid over them, problems first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seglit.drawing.page import data_address, render
from seglit.drawing.predictions import as_rgb, lay_over
from seglit.errors import InputError
from seglit.images.pairs import Pair
from seglit.images.picture import read_pair
from seglit.inspect.coding import Coding
from seglit.inspect.inspection import Inspection
from seglit.inspect.survey import Survey
from seglit.inspect.text import sizes_text
from seglit.labels import IGNORE_INDEX, Labels

_PICTURES = 60
_WIDTH = 320  # pixels of a picture on the page
_PER_FINDING = 6


@dataclass(frozen=True)
class Overlay:
    """One picture on the page.

    Args:
        name: The image's path below the root.
        split: Its split.
        remark: Why it is shown, if something is wrong with it.
        plain: The image as a data address.
        overlay: The image with its mask laid over it, as a data address.
        classes: The classes in it.
    """

    name: str
    split: str
    remark: str
    plain: str
    overlay: str
    classes: str


@dataclass(frozen=True)
class Point:
    """One size in the plot: its place in per cent, its radius in pixels, and its label."""

    x: float
    y: float
    radius: float
    label: str


def write_page(folder: Path, inspection: Inspection) -> Path:
    """Writes `index.html` into a folder: one file that needs no other and no network.

    Returns:
        The page's path.
    """
    survey, coding = inspection.survey, inspection.coding
    labels = Labels.create(**_labels_arguments(coding))
    page = render(
        "inspect/page.html",
        inspection=inspection,
        survey=survey,
        coding=coding,
        advice=inspection.advice,
        sizes=sizes_text(survey),
        points=_points(survey),
        colors=dict(zip(labels.class_names, labels.palette, strict=True)),
        most=max(value.share for value in coding.values),
        overlays=_overlays(inspection, labels),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8", errors="backslashreplace")  # names of files need be no Unicode
    return path


def _labels_arguments(coding: Coding) -> dict[str, Any]:
    settings = dict(coding.settings)
    settings["tolerance"] = settings.pop("mask_tolerance", 0)
    return settings


def _points(survey: Survey) -> list[Point]:
    """Sizes as points, wide ones to the right, high ones up, larger where there are more."""
    height, width = (max(sides) for sides in zip(*survey.sizes, strict=True))
    most = survey.sizes.most_common(1)[0][1]
    return [
        Point(100 * columns / width, 100 * rows / height, 3 + 9 * (count / most) ** 0.5, f"{rows} x {columns}: {count}")
        for (rows, columns), count in survey.sizes.most_common(500)
    ]


def _overlays(inspection: Inspection, labels: Labels) -> list[Overlay]:
    survey = inspection.survey
    by_file = {path: pair for pair in survey.pairs for path in pair[:2]}
    chosen: dict[Pair, str] = {}
    for finding in inspection.findings:
        for path, detail in finding.files[:_PER_FINDING]:
            if path in by_file:
                chosen.setdefault(by_file[path], f"{finding.message}{f' ({detail})' if detail else ''}")
    step = max(1, len(survey.pairs) // _PICTURES)
    for pair in survey.pairs[::step]:
        chosen.setdefault(pair, "")
    overlays = (_overlay(pair, remark, inspection, labels) for pair, remark in list(chosen.items())[:_PICTURES])
    return [overlay for overlay in overlays if overlay is not None]


def _overlay(pair: Pair, remark: str, inspection: Inspection, labels: Labels) -> Overlay | None:
    """The picture of a pair; None where its files cannot be shown together."""
    try:
        image, mask = read_pair(pair.image, pair.mask, labels, inspection.survey.channels)
    except InputError:  # among the findings already
        return None
    seen = as_rgb(image)
    blended = lay_over(seen, mask, labels)
    present = [labels.class_names[index] for index in np.unique(mask) if index != IGNORE_INDEX]
    return Overlay(
        inspection.below(pair.image),
        pair.split,
        remark,
        data_address(seen, _WIDTH),
        data_address(blended, _WIDTH),
        ", ".join(present),
    )
