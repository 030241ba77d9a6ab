"""Infers from the stored values how masks code their classes: the classes, void, and the settings that read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seglit.errors import InputError
from seglit.inspect.survey import Survey, ValueCount
from seglit.labels import IGNORE_INDEX, Stored

TOO_MANY = f"only {IGNORE_INDEX} classes fit, and it is not among the most frequent"
"""The hint of values that are void because class indices have 8 bits."""

_EDGE = 0.9  # values with this share of their pixels along edges result from blurring
_RARE = 0.05  # void is seldom more than this share of the pixels, and rarer than a class on average
_BORDER = 0.6  # a void border between objects has at least this share of its pixels beside other values
_MIN_SHARE = 1e-3  # smallest share of the pixels of a real value of a blurred mask, including the values near it
_MAX_CANDIDATES = 2048  # the real values of a blurred mask are searched among this many most frequent ones
_MIN_DISTANCE = 48  # smallest distance of two real values of a blurred mask, in their largest channel


@dataclass
class Value:
    """A stored value and its inferred meaning.

    Args:
        stored: The value or colour.
        count: Its occurrences.
        share: Its share of all pixels.
        class_name: Its class; None for void.
        hint: Why it is, or may be, void.
    """

    stored: Stored
    count: ValueCount
    share: float
    class_name: str | None = None
    hint: str = ""


@dataclass
class Coding:
    """How the masks code their classes.

    Args:
        description: The coding in words, with its evidence.
        values: All values with a meaning, sorted.
        settings: Settings of the data module.
        blurred: Share of pixels with values that result from blurring (JPEG, anti-aliasing); None for sharp masks.
        questions: What only the user can answer.
    """

    description: str
    values: list[Value]
    settings: dict[str, Any] = field(default_factory=dict)
    blurred: float | None = None
    questions: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[Value]:
        """The values that are classes."""
        return [value for value in self.values if value.class_name is not None]

    @property
    def void(self) -> list[Value]:
        """The values that are void."""
        return [value for value in self.values if value.class_name is None]


def find_coding(survey: Survey, class_names: Sequence[str] | None = None) -> Coding:
    """Infers the coding of the masks from all their values.

    Args:
        survey: The survey, with at least one value.
        class_names: The classes in the order of their values, if the user gave them.

    Raises:
        InputError: There are fewer values than class names.
    """
    in_color = sum(isinstance(stored, tuple) for stored in survey.values) * 2 > len(survey.values)
    same_kind = [stored for stored in survey.values if isinstance(stored, tuple) == in_color]
    counts = {stored: survey.values[stored] for stored in sorted(same_kind, key=_channels)}
    total = sum(count.pixels for count in counts.values()) + survey.uncounted_pixels
    is_blurred = _is_blurred(survey, counts)
    real = _cluster_centres(counts, total) if is_blurred else list(counts)
    values = [Value(stored, counts[stored], counts[stored].pixels / total) for stored in real]
    if is_blurred:
        _add_neighbours(values, counts, total)
    _assign_classes(values, class_names)
    coding = Coding(_describe(survey, values, len(counts), is_blurred), values)
    if is_blurred:
        coding.blurred = sum(count.pixels for stored, count in counts.items() if stored not in real) / total
    coding.settings = _settings(survey, coding)
    coding.questions = [
        f"is {shown(value.stored)} void? {value.hint}; if so, move it to ignore_values"
        for value in coding.classes
        if value.hint
    ]
    if class_names is None:
        coding.questions.append("what are the classes called? give --class_names, or edit class_names in the file")
    return coding


def shown(stored: Stored) -> str:
    """Returns a stored value as it is written in YAML."""
    return str(list(stored) if isinstance(stored, tuple) else stored)


def _is_blurred(survey: Survey, counts: Mapping[Stored, ValueCount]) -> bool:
    """Whether most values occur only along edges, as in masks that are saved as JPEG or anti-aliased."""
    along_edges = sum(count.edge_share >= _EDGE for count in counts.values())
    return (
        survey.truncated_masks > 0
        or (survey.has_lossy_masks and len(counts) > 8)
        or along_edges > max(8, 2 * (len(counts) - along_edges))
    )


def _cluster_centres(counts: Mapping[Stored, ValueCount], total: int) -> list[Stored]:
    """Finds the values that all others are blurred from: frequent with their neighbours, not only edges, far apart."""
    values = list(counts)
    colors = np.array([_channels(value) for value in values])  # (V, 1) or (V, 3)
    pixels = np.array([count.pixels for count in counts.values()])
    edges = np.array([count.edge_pixels for count in counts.values()])
    centres: list[Stored] = []
    for index in np.argsort(-pixels, kind="stable")[:_MAX_CANDIDATES].tolist():
        near = np.abs(colors - colors[index]).max(-1) <= _MIN_DISTANCE // 2
        is_region = pixels[near].sum() >= _MIN_SHARE * total and edges[near].sum() < _EDGE * pixels[near].sum()
        if is_region and all(_distance(values[index], centre) >= _MIN_DISTANCE for centre in centres):
            centres.append(values[index])
    return sorted(centres or [values[int(pixels.argmax())]], key=_channels)


def _add_neighbours(values: list[Value], counts: Mapping[Stored, ValueCount], total: int) -> None:
    """Adds to the share of each centre the values within the tolerance."""
    tolerance = _tolerance(values)
    for value in values:
        near = (count.pixels for stored, count in counts.items() if _distance(stored, value.stored) <= tolerance)
        value.share = sum(near) / total


def _tolerance(values: Sequence[Value]) -> int:
    """The largest tolerance, up to 64, with which no stored value is near two centres."""
    gaps = [_distance(one.stored, other.stored) for i, one in enumerate(values) for other in values[i + 1 :]]
    return min([64, *((gap - 1) // 2 for gap in gaps)])


def _assign_classes(values: list[Value], class_names: Sequence[str] | None) -> None:
    """Sets the `class_name` of every class, and the `hint` of every value that is or may be void."""
    for value in values:
        value.hint = _void_hint(value, values)
    void: set[Stored]
    if class_names is None:
        void = {v.stored for v in values if v.hint and (v.stored == 255 or _is_negative(v.stored, values))}
        by_share = sorted((value for value in values if value.stored not in void), key=lambda value: value.share)
        for value in by_share[: max(0, len(by_share) - IGNORE_INDEX)]:
            value.hint = TOO_MANY
            void.add(value.stored)
    elif len(class_names) > len(values):
        raise InputError(
            f"--class_names has {len(class_names)} names, but the masks contain {len(values)} values: "
            f"{', '.join(shown(value.stored) for value in values[:20])}"
        )
    else:  # as many void values as have no name: the likely ones first, then from the last value down
        likely = sorted((value for value in values if value.hint), key=lambda value: (value.stored != 255, value.share))
        others = [value for value in reversed(values) if not value.hint]
        void = {value.stored for value in [*likely, *others][: len(values) - len(class_names)]}
        for value in values:
            reasons = filter(None, ("no class name was given for it", value.hint))
            value.hint = "; ".join(reasons) if value.stored in void else ""
    classes = [value for value in values if value.stored not in void]
    for value, name in zip(classes, class_names or _default_names(classes), strict=True):
        value.class_name = name


def _void_hint(value: Value, values: list[Value]) -> str:
    """Returns why one of the sorted values may be void, else ''."""
    if _is_negative(value.stored, values):
        return "negative values usually mark pixels without data"
    if len(values) <= 2:
        return ""
    is_last = isinstance(value.stored, int) and value is values[-1]
    largest_other = values[-2 if is_last else -1].stored
    if value.stored == 255 and isinstance(largest_other, int) and largest_other < min(128, 2 * (len(values) - 1)):
        return "255 beside class indices usually means void"
    is_border = value.share < min(_RARE, 1 / len(values)) and value.count.edge_share > _BORDER
    if not is_border or not (is_last or value.stored in (0, (0, 0, 0))):
        return ""
    return f"it is rare ({value.share:.1%}), and {value.count.edge_share:.0%} of it lies beside other values"


def _is_negative(stored: Stored, values: list[Value]) -> bool:
    """Whether a value is negative, and not one of two classes, as -1 and 0 are."""
    last = values[-1].stored
    return isinstance(stored, int) and stored < 0 and isinstance(last, int) and (len(values) > 2 or last - stored > 255)


def _default_names(classes: Sequence[Value]) -> list[str]:
    if len(classes) == 2:
        return ["background", "foreground"]
    return [f"class_{value.stored if isinstance(value.stored, int) else i}" for i, value in enumerate(classes)]


def _describe(survey: Survey, values: list[Value], distinct: int, is_blurred: bool) -> str:
    (coding, _, dtype), _ = survey.mask_kinds.most_common(1)[0]
    grey = [value.stored for value in values if isinstance(value.stored, int)]
    if is_blurred:
        cause = "lossy compression, such as JPEG" if survey.has_lossy_masks else "anti-aliased"
        return f"blurred ({cause}): {distinct} distinct values around {len(values)} real ones"
    if not grey:
        return f"RGB colours: {distinct} distinct"
    if grey in ([0, 255], [0, 1]):
        return f"binary: {grey[0]} and {grey[1]}"
    if distinct == 1:
        return f"a single value, {grey[0]} ({dtype})"
    classes = [value.stored for value in values if value.class_name is not None]
    kind = "palette indices" if coding == "palette" else "indices"
    if classes == list(range(len(classes))):
        return f"class {kind} 0 to {len(classes) - 1} ({dtype})"
    if classes == list(range(1, len(classes) + 1)):
        return f"class {kind} 1 to {len(classes)}, which usually start at 0 ({dtype})"
    gaps = " with gaps" if grey[-1] - grey[0] >= len(grey) else ""
    return f"{distinct} values from {grey[0]} to {grey[-1]}{gaps} ({dtype})"


def _settings(survey: Survey, coding: Coding) -> dict[str, Any]:
    names = [value.class_name for value in coding.classes]
    stored = [value.stored for value in coding.classes]
    settings: dict[str, Any] = {"class_names": names}
    if isinstance(coding.values[0].stored, tuple):
        settings["mask_colors"] = dict(zip(names, stored, strict=True))
    elif stored != list(range(len(names))):
        settings["mask_values"] = dict(zip(names, stored, strict=True))
    if coding.void:
        settings["ignore_values"] = [value.stored for value in coding.void]
    if coding.blurred is not None:
        settings["mask_tolerance"] = _tolerance(coding.values)
    palette = [survey.palette.get(value) if isinstance(value, int) else None for value in stored]
    if all(palette) and len(set(palette)) == len(palette):
        settings["palette"] = palette
    return settings


def _channels(value: Stored) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _distance(one: Stored, other: Stored) -> int:
    return max(abs(a - b) for a, b in zip(_channels(one), _channels(other), strict=True))
