"""The meaning of stored values, class or void: by names from the user or an exporter, or by evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seglit.annotations.written_classes import WrittenClasses
from seglit.errors import InputError
from seglit.inspect.survey import ValueCount
from seglit.labels import Color, Stored

NO_NAME = "no class name was given for it"
"""The hint of values that are void because the user named fewer classes."""

_RARE = 0.05  # void is seldom more than this share of the pixels, and rarer than a class on average
_BORDER = 0.6  # a void border between objects has at least this share of its pixels beside other values
_VOID_NAMES = ("void", "ignore", "ignored")


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


def shown(stored: Stored) -> str:
    """Returns a stored value as it is written in YAML."""
    return str(list(stored) if isinstance(stored, tuple) else stored)


def assign_classes(values: list[Value], class_names: Sequence[str] | None) -> None:
    """Sets the `class_name` of every class, and the `hint` of every value that is or may be void.

    Args:
        values: The values, sorted.
        class_names: The classes in the order of their values, if the user gave them.

    Raises:
        InputError: There are fewer values than class names.
    """
    for value in values:
        value.hint = _void_hint(value, values)
    void: set[Stored]
    if class_names is None:
        void = {value.stored for value in values if _is_usually_void(value, values)}
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
            if not _is_usually_void(value, values):  # else its hint stays: the user is asked if it has a name
                reasons = filter(None, (NO_NAME, value.hint))
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


def _is_usually_void(value: Value, values: list[Value]) -> bool:
    """Whether a value with a hint is void by convention, not only by where it lies."""
    return bool(value.hint) and (value.stored == 255 or _is_negative(value.stored, values))


def _is_negative(stored: Stored, values: list[Value]) -> bool:
    """Whether a value is negative, and not one of two classes, as -1 and 0 are."""
    last = values[-1].stored
    return isinstance(stored, int) and stored < 0 and isinstance(last, int) and (len(values) > 2 or last - stored > 255)


def _default_names(classes: Sequence[Value]) -> list[str]:
    if len(classes) == 2:
        return ["background", "foreground"]
    return [f"class_{value.stored if isinstance(value.stored, int) else i}" for i, value in enumerate(classes)]


def stored_names(
    written: WrittenClasses, values: Sequence[Value], palette: Mapping[int, Color], near: int = 0
) -> dict[Stored, str]:
    """Returns the name that an exporter wrote for each value; none if it wrote of another coding.

    Args:
        written: What it wrote.
        values: The values in the masks.
        palette: The masks' own colours, by value.
        near: Largest difference of a value and the one that it wrote.
    """
    named: dict[Stored, str] = {stored: name for name, stored in (written.values or written.colors).items()}
    names: dict[Stored, str] = {}
    for value in values:
        color = value.stored
        if isinstance(color, int) and written.colors:  # of a palette, or three equal channels
            color = palette.get(color, (color, color, color))
        if isinstance(color, int) == bool(written.values):
            nearest = min(named, key=lambda stored: distance(stored, color), default=None)
            if nearest is not None and distance(nearest, color) <= near and named[nearest] not in names.values():
                names[value.stored] = named[nearest]
    is_grey = bool(written.colors) and not palette and all(isinstance(value.stored, int) for value in values)
    return {} if is_grey and len(names) < len(values) else names  # indices may equal a grey by chance


def assign_written(values: list[Value], names: Mapping[Stored, str], file: str) -> list[str]:
    """Sets the classes that an exporter wrote; returns a question for each value that is void or without name.

    Args:
        values: The values, sorted.
        names: The name of each value that has one.
        file: Where they are written.
    """
    questions = []
    for index, value in enumerate(values):
        name = names.get(value.stored)
        if name is not None and name.strip("_").lower() not in _VOID_NAMES:
            value.class_name, value.hint = name, ""
            continue
        if name is not None:
            value.hint = f"{file} calls it {name}"
            continue
        is_border = value.share < min(_RARE, 1 / len(values)) and value.count.edge_share > _BORDER
        hint = _void_hint(value, values) or ("it is rare, and lies beside other values" if is_border else "")
        value.hint = f"{file} does not name it"
        if hint:
            value.hint += f"; {hint}"
            questions.append(f"is {shown(value.stored)} void? {value.hint}")
        else:
            taken = {*names.values()}
            label = f"class_{value.stored if isinstance(value.stored, int) else index}"
            value.class_name = label if label not in taken else f"{label}_unnamed"
            questions.append(
                f"what is {shown(value.stored)}? {file} does not name it; it is called {value.class_name}: rename it, "
                "or move it to ignore_values"
            )
    return questions


def channels(value: Stored) -> tuple[int, ...]:
    """Returns a colour, or a value as the only channel."""
    return value if isinstance(value, tuple) else (value,)


def distance(one: Stored, other: Stored) -> int:
    """Returns the largest difference in any channel."""
    return max(abs(a - b) for a, b in zip(channels(one), channels(other), strict=True))
