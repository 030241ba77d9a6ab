"""How masks code their classes, told from the values they hold: the classes, void, and the settings that read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seglit.errors import InputError
from seglit.inspect.facts import LOSSY
from seglit.inspect.survey import Survey, ValueCount
from seglit.labels import IGNORE_INDEX, Color, Stored

_EDGE = 0.9  # a value is only ever between others if this share of its pixels is at an edge
_RARE = 0.05  # void is seldom more than this share of the pixels, and rarer than a class on average
_LEAST = 1e-3  # the smallest share of the pixels of a real value of a blurred mask, with what was blurred from it
_CANDIDATES = 2048  # the most frequent values, among which the real ones of a blurred mask are looked for
_APART = 48  # two real values of a blurred mask are at least this far apart in their largest channel


@dataclass
class Value:
    """A stored value and what it seems to mean.

    Args:
        stored: The value, or colour.
        count: Where it occurs.
        share: Its share of all pixels.
        class_name: The class it means; None for void.
        hint: Why it is, or may be, void.
    """

    stored: Stored
    count: ValueCount
    share: float
    class_name: str | None = None
    hint: str = ""


@dataclass
class Coding:
    """How the masks are read.

    Args:
        description: The coding in words, with its evidence.
        values: Every value that means something, in order.
        settings: What the data module has to be told.
        blurred: Share of pixels that hold a value between others (JPEG, anti-aliasing); None where masks are sharp.
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
    """Tells the coding of the masks from all the values they hold.

    Args:
        survey: What was counted.
        class_names: The classes in the order of their values, if the user named them.

    Raises:
        InputError: There are no values, or fewer than class names.
    """
    if not survey.values:
        raise InputError("no mask could be read, so there is nothing to tell the classes from")
    counts: Mapping[Stored, ValueCount] = dict(sorted(survey.values.items(), key=lambda item: _order(item[0])))
    colors = sum(isinstance(stored, tuple) for stored in counts) * 2 > len(counts)
    counts = {stored: count for stored, count in counts.items() if isinstance(stored, tuple) == colors}
    total = sum(count.pixels for count in counts.values()) + survey.rare_pixels
    centres = _centres(counts, total) if _is_blurred(survey, counts) else None
    kept = list(counts) if centres is None else centres
    values = [Value(stored, counts[stored], counts[stored].pixels / total) for stored in kept]
    if centres is not None:
        _gather(values, counts, total)
    _find_void(values, class_names)
    _name(values, class_names)
    blurred = None if centres is None else sum(c.pixels for v, c in counts.items() if v not in centres) / total
    coding = Coding(_describe(survey, values, len(counts), centres is not None), values, blurred=blurred)
    coding.settings = _settings(survey, coding)
    coding.questions = [
        f"is {_shown(value.stored)} void? {value.hint}; if so, move it to ignore_values"
        for value in coding.classes
        if value.hint
    ]
    if class_names is None:
        coding.questions.append("what are the classes called? give --class_names, or change class_names in the file")
    return coding


def _is_blurred(survey: Survey, counts: Mapping[Stored, ValueCount]) -> bool:
    """Whether most values only ever lie between others, as JPEG and anti-aliasing leave them."""
    if survey.crowded.count:
        return True
    lossy = any(file_format in LOSSY for _, file_format, _ in survey.mask_kinds)
    between = sum(count.edge_share >= _EDGE for count in counts.values())
    return (lossy and len(counts) > 8) or between > max(8, 2 * (len(counts) - between))


def _centres(counts: Mapping[Stored, ValueCount], total: int) -> list[Stored]:
    """The values that the others were blurred from: frequent, with what is near; forming areas; far from each other."""
    colors = np.array([_order(value) for value in counts])  # (V, 1) or (V, 3)
    pixels = np.array([count.pixels for count in counts.values()])
    edges = np.array([count.edge_pixels for count in counts.values()])
    values = list(counts)
    centres: list[int] = []
    for place in np.argsort(-pixels, kind="stable")[:_CANDIDATES].tolist():
        near = np.abs(colors - colors[place]).max(-1) <= _APART // 2
        areas = pixels[near].sum() >= _LEAST * total and edges[near].sum() < _EDGE * pixels[near].sum()
        if areas and all(_distance(values[place], values[centre]) >= _APART for centre in centres):
            centres.append(place)
    return sorted((values[place] for place in centres or [int(pixels.argmax())]), key=_order)


def _gather(values: list[Value], counts: Mapping[Stored, ValueCount], total: int) -> None:
    """Gives each centre the share of everything within its reach."""
    reach = _reach([value.stored for value in values])
    for value in values:
        near = (count.pixels for other, count in counts.items() if _distance(other, value.stored) <= reach)
        value.share = sum(near) / total


def _reach(centres: Sequence[Stored]) -> int:
    gaps = [_distance(a, b) for i, a in enumerate(centres) for b in centres[i + 1 :]]
    return min([64, *((gap - 1) // 2 for gap in gaps)])


def _find_void(values: list[Value], class_names: Sequence[str] | None) -> None:
    """Marks what must be void as such (`class_name` None), and says of what may be why."""
    suspects = [value for value in values if _suspect(value, values)]
    unnamed = 0 if class_names is None else len(values) - len(class_names)
    if unnamed < 0:
        raise InputError(
            f"--class_names names {len(class_names or ())} classes, but the masks hold {len(values)} values: "
            f"{', '.join(_shown(value.stored) for value in values[:20])}"
        )
    if class_names is None:
        void = [value for value in suspects if value.stored == 255]
    else:  # what was not named: the suspects first, then from the last value down
        rest = [value for value in reversed(values) if value not in suspects]
        void = [*sorted(suspects, key=lambda value: (value.stored != 255, value.share)), *rest][:unnamed]
    if crowd := max(0, len(values) - len(void) - IGNORE_INDEX):  # class indices have 8 bits
        rarest = sorted((value for value in values if value not in void), key=lambda value: value.share)[:crowd]
        for value in rarest:
            value.hint = f"only {IGNORE_INDEX} classes fit, and it is not among the most frequent"
        void += rarest
    for value in values:
        value.class_name = None if value in void else ""
        if class_names is not None:
            value.hint = f"no class was named for it{'; ' * bool(value.hint)}{value.hint}" if value in void else ""


def _suspect(value: Value, values: list[Value]) -> bool:
    """Whether a value may be void; says why in its `hint`."""
    others = [other.stored for other in values if isinstance(other.stored, int) and other.stored != value.stored]
    last = isinstance(value.stored, int) and value.stored > max(others, default=value.stored)
    if value.stored == 255 and len(others) > 1 and max(others) < 128 and len(others) > max(others) / 2:
        value.hint = "255 beside class indices is the usual void"
    elif value.share < min(_RARE, 1 / len(values)) and len(values) > 2 and (last or value.stored in (0, (0, 0, 0))):
        value.hint = f"it is rare ({value.share:.1%}) and {'the last value' if last else 'zero'}"
        if value.count.edge_share > 0.6:
            value.hint += f", and {value.count.edge_share:.0%} of it lies between other values, like a border"
    return bool(value.hint)


def _name(values: list[Value], class_names: Sequence[str] | None) -> None:
    classes = [value for value in values if value.class_name is not None]
    if class_names is not None:
        names = list(class_names)
    elif len(classes) == 2:
        names = ["background", "foreground"]
    else:
        names = [f"class_{value.stored if isinstance(value.stored, int) else i}" for i, value in enumerate(classes)]
    for value, name in zip(classes, names, strict=True):
        value.class_name = name


def _describe(survey: Survey, values: list[Value], distinct: int, blurred: bool) -> str:
    (coding, _, dtype), _ = survey.mask_kinds.most_common(1)[0]
    grey = [value.stored for value in values if isinstance(value.stored, int)]
    if blurred:
        formats = {file_format for _, file_format, _ in survey.mask_kinds}
        cause = "saved with loss, as JPEG does" if formats & {*LOSSY} else "anti-aliased"
        return f"blurred ({cause}): {distinct} distinct values around {len(values)} real ones"
    if coding == "colours" and not grey:
        return f"RGB colours: {distinct} distinct"
    if grey in ([0, 255], [0, 1]):
        return f"binary: {grey[0]} and {grey[1]}"
    classes = [value.stored for value in values if value.class_name is not None and isinstance(value.stored, int)]
    kind = "palette indices" if coding == "palette" else "indices"
    if distinct == 1:
        return f"the one value {grey[0]} ({dtype})"
    if classes == list(range(len(classes))):
        return f"class {kind} 0 to {len(classes) - 1} ({dtype})"
    if classes == list(range(1, len(classes) + 1)):
        return f"class {kind} from 1 on, 1 to {len(classes)}, where they are commonly from 0 ({dtype})"
    gaps = " with gaps" if grey[-1] - grey[0] >= len(grey) else ""
    return f"{distinct} values from {grey[0]} to {grey[-1]}{gaps} ({dtype})"


def _settings(survey: Survey, coding: Coding) -> dict[str, Any]:
    names = [str(value.class_name) for value in coding.classes]
    settings: dict[str, Any] = {"class_names": names}
    if any(isinstance(value.stored, tuple) for value in coding.values):
        settings["mask_colors"] = {v.class_name: _plain(v.stored) for v in coding.classes}
    elif [value.stored for value in coding.classes] != list(range(len(names))):
        settings["mask_values"] = {v.class_name: v.stored for v in coding.classes}
    if coding.void:
        settings["ignore_values"] = [_plain(value.stored) for value in coding.void]
    if coding.blurred is not None:
        settings["mask_tolerance"] = _reach([value.stored for value in coding.values])
    palette = [survey.palette.get(v.stored) if isinstance(v.stored, int) else None for v in coding.classes]
    if all(palette) and len(set(palette)) == len(palette):
        settings["palette"] = [list(color) for color in palette if color]
    return settings


def _order(value: Stored) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _distance(one: Stored, other: Stored) -> int:
    return max(abs(a - b) for a, b in zip(_order(one), _order(other), strict=True))


def _plain(value: Stored) -> int | list[int]:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Stored | Color) -> str:
    return str(_plain(value))
