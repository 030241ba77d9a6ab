"""Infers from the stored values how masks code their classes: the classes, void, and the settings that read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seglit.annotations.written_classes import WrittenClasses
from seglit.errors import InputError
from seglit.inspect.meaning import (
    NO_NAME,
    Value,
    assign_classes,
    assign_written,
    channels,
    distance,
    shown,
    stored_names,
)
from seglit.inspect.survey import Survey, ValueCount
from seglit.labels import IGNORE_INDEX, Stored

_EDGE, _BLENDED = 0.9, 0.5  # values with these shares of pixels along edges, and between others, result from blurring
_MIN_SHARE = 1e-3  # smallest share of the pixels of a real value of a blurred mask, including the values near it
_MAX_CANDIDATES = 2048  # the real values of a blurred mask are searched among this many most frequent ones
_MIN_DISTANCE = 48  # smallest distance of two real values of a blurred mask, in their largest channel


@dataclass
class Coding:
    """How the masks code their classes.

    Args:
        description: The coding in words, with its evidence.
        values: All values with a meaning, sorted.
        settings: Settings of the data module.
        blurred: Share of pixels with values that result from blurring (JPEG, anti-aliasing); None for sharp masks.
        questions: What only the user can answer.
        comments: Comment on a setting.
    """

    description: str
    values: list[Value]
    settings: dict[str, Any] = field(default_factory=dict)
    blurred: float | None = None
    questions: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> list[Value]:
        """The values that are classes."""
        return [value for value in self.values if value.class_name is not None]

    @property
    def void(self) -> list[Value]:
        """The values that are void."""
        return [value for value in self.values if value.class_name is None]


def find_coding(
    survey: Survey, class_names: Sequence[str] | None = None, written: WrittenClasses | None = None
) -> Coding:
    """Infers the coding of the masks from all their values.

    Args:
        survey: The survey, with at least one value.
        class_names: The classes in the order of their values, if the user gave them.
        written: The classes that an exporter wrote beside the masks.

    Raises:
        InputError: There are fewer values than class names, or more classes than fit.
    """
    in_color = sum(isinstance(stored, tuple) for stored in survey.values) * 2 > len(survey.values)
    if in_color and not survey.palette and any(kind.coding == "grey" for kind in survey.mask_kinds):
        survey.read_as_colors()
    same_kind = [stored for stored in survey.values if isinstance(stored, tuple) == in_color]
    counts = {stored: survey.values[stored] for stored in sorted(same_kind, key=channels)}
    total = sum(count.pixels for count in counts.values()) + survey.uncounted_pixels
    is_blurred = _is_blurred(survey, counts)
    real = _cluster_centres(counts, total) if is_blurred else list(counts)
    values = [Value(stored, counts[stored], counts[stored].pixels / total) for stored in real]
    if is_blurred:
        _add_neighbours(values, counts, total)
    questions = _name(survey, values, class_names, written, is_blurred)
    coding = Coding(_describe(survey, values, len(counts), is_blurred), values)
    if len(coding.classes) > IGNORE_INDEX:
        raise _too_many(coding.classes, survey.reading.question)
    if is_blurred:
        coding.blurred = sum(count.pixels for stored, count in counts.items() if stored not in real) / total
    coding.settings = _settings(survey, coding)
    coding.questions = questions
    return coding


def _too_many(classes: Sequence[Value], question: str) -> InputError:
    first = ", ".join(shown(value.stored) for value in classes[:2])
    key = "mask_colors" if isinstance(classes[0].stored, tuple) else "mask_values"
    return InputError(
        f"the masks contain {len(classes)} values that are not void, such as {first} in {classes[0].count.first}, but "
        f"at most {IGNORE_INDEX} classes fit beside void in 8 bits; which of them make one class? Join them in the "
        f"configuration, `{key}: {{name: [{first}, ...], ...}}`, or name those to learn with --class_names"
        f"{'; ' * bool(question)}{question}"
    )


def _name(
    survey: Survey,
    values: list[Value],
    class_names: Sequence[str] | None,
    written: WrittenClasses | None,
    is_blurred: bool,
) -> list[str]:
    """Sets the meaning of the values; returns what only the user can answer."""
    near = _MIN_DISTANCE // 2 if is_blurred else 0
    stored = {} if written is None else stored_names(written, values, survey.palette, near)
    if written is not None and stored and (class_names is None or {*class_names} <= {*stored.values()}):
        questions = assign_written(values, stored, written.file.name)
        for value in values:
            if class_names is not None and value.class_name not in class_names:
                value.class_name, value.hint = None, NO_NAME
        return questions if class_names is None else _void_questions(values)
    assign_classes(values, class_names)
    questions = [
        f"is {shown(value.stored)} void? {value.hint}; if so, move it to ignore_values"
        for value in values
        if value.hint and value.class_name is not None
    ]
    if class_names is not None:
        return [*questions, *_void_questions(values), *_color_question(values)]
    if written is not None:
        questions.append(
            f"what do the values mean? {written.file.name} names {', '.join(written.names[:20])}, but not by the "
            "values of the masks; give --class_names in the order of the values"
        )
    else:
        questions.append("what are the classes called? give --class_names, or edit class_names in the file")
    return questions


def _void_questions(values: Sequence[Value]) -> list[str]:
    """Asks whether values are void that the user gave no name for."""
    unnamed = [value for value in values if value.class_name is None and value.hint.startswith(NO_NAME)]
    if not unnamed:
        return []
    shares = ", ".join(f"{shown(value.stored)} ({value.share:.2%} of the pixels)" for value in unnamed)
    return [f"should {shares} be void? --class_names gives fewer names than the masks contain values"]


def _color_question(values: Sequence[Value]) -> list[str]:
    """Asks whether the names that the user gave are in the order of the colours."""
    named = [f"{value.class_name} is {shown(value.stored)}" for value in values if value.class_name is not None]
    is_colored = any(isinstance(value.stored, tuple) for value in values)
    return [f"does each colour have the right name? {', '.join(named)}"] if is_colored else []


def _is_blurred(survey: Survey, counts: Mapping[Stored, ValueCount]) -> bool:
    """Whether masks are saved as JPEG, or most values lie along edges and between others, as anti-aliasing makes."""
    blended = sum(count.edge_share >= _EDGE and count.blended_share >= _BLENDED for count in counts.values())
    return (survey.has_lossy_masks and len(counts) > 8) or blended > max(8, 2 * (len(counts) - blended))


def _cluster_centres(counts: Mapping[Stored, ValueCount], total: int) -> list[Stored]:
    """Finds the values that all others are blurred from: frequent with their neighbours, not only edges, far apart."""
    values = list(counts)
    colors = np.array([channels(value) for value in values])  # (V, 1) or (V, 3)
    pixels = np.array([count.pixels for count in counts.values()])
    edges = np.array([count.edge_pixels for count in counts.values()])
    centres: list[Stored] = []
    for index in np.argsort(-pixels, kind="stable")[:_MAX_CANDIDATES].tolist():
        near = np.abs(colors - colors[index]).max(-1) <= _MIN_DISTANCE // 2
        is_region = pixels[near].sum() >= _MIN_SHARE * total and edges[near].sum() < _EDGE * pixels[near].sum()
        if is_region and all(distance(values[index], centre) >= _MIN_DISTANCE for centre in centres):
            centres.append(values[index])
    return sorted(centres or [values[int(pixels.argmax())]], key=channels)


def _add_neighbours(values: list[Value], counts: Mapping[Stored, ValueCount], total: int) -> None:
    """Adds to the share of each centre the values within the tolerance."""
    tolerance = _tolerance(values)
    for value in values:
        near = (count.pixels for stored, count in counts.items() if distance(stored, value.stored) <= tolerance)
        value.share = sum(near) / total


def _tolerance(values: Sequence[Value]) -> int:
    """The largest tolerance, up to 64, with which no stored value is near two centres."""
    gaps = [distance(one.stored, other.stored) for i, one in enumerate(values) for other in values[i + 1 :]]
    return min([64, *((gap - 1) // 2 for gap in gaps)])


def _describe(survey: Survey, values: list[Value], distinct: int, is_blurred: bool) -> str:
    (coding, _, dtype), _ = survey.mask_kinds.most_common(1)[0]
    divisor = survey.reading.settings.divisor
    dtype += f" of class * {divisor} + instance" if divisor > 1 else ""
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
