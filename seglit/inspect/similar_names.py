"""Classes whose names differ so little that they are probably meant to be one."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from seglit.inspect.meaning import Value

_SHORTEST = 5  # letters of names that one letter may be wrong in: a cat is no car
_RARE = 0.2  # a name with a wrong letter occurs in at most this share of the images of the right one


def find_similar(classes: Sequence[Value]) -> Iterator[tuple[Value, Value]]:
    """Yields the less and the more frequent of two classes that differ by case, separators, or a letter if rare."""
    for pair in combinations(classes, 2):
        rare, frequent = sorted(pair, key=lambda value: value.count.images)
        names = [str(value.class_name).casefold() for value in (rare, frequent)]
        are_equal = len({re.sub(r"[\W_]", "", name) for name in names}) == 1
        is_rare = rare.count.images <= _RARE * frequent.count.images
        if are_equal or (is_rare and _differ_by_a_letter(*names)):
            yield rare, frequent


def _differ_by_a_letter(one: str, other: str) -> bool:
    """Whether a letter, not a digit, is replaced, missing or added."""
    short, long = sorted((one, other), key=len)
    same = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    is_one = long[same + 1 :] == short[same + (len(short) == len(long)) :]
    return is_one and len(short) >= _SHORTEST and not any(name[same : same + 1].isdecimal() for name in (short, long))
