"""The one error of bad input: what a user can put right, said in one line."""

import difflib
from collections.abc import Iterable

_FEW = 20  # names that are listed where none is similar


class InputError(ValueError):
    """Something outside the code is wrong: a file, a value, a name, a setting.

    Its message is a single line that says what is wrong, where, and the nearest right thing. The command line
    prints that line and exits with code 2.
    """


def one_line(error: InputError) -> str:
    """An error's message as a line to print; of the traceback that a reading process wraps one in, the last."""
    return printable(str(error).rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2].strip())


def printable(text: str) -> str:
    """A text as one line: what would end it, acts on a terminal or is no Unicode, as in names of files, is escaped."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: `; did you mean 'x'?`, or `; there are a, b, c` if they are few."""
    known = list(known)
    if near := difflib.get_close_matches(name, known, 1):
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if 0 < len(known) <= _FEW else ""
