"""InputError, raised for everything a user can correct, RunError, and helpers for their one-line messages."""

import difflib
from collections.abc import Iterable

_MAX_LISTED = 20  # names listed if none is similar


class InputError(ValueError):
    """Invalid input: a file, a value, a name or a setting.

    The message is a single line: what is wrong, where, and the nearest valid value. The command line prints it and
    exits with code 2.
    """


class RunError(RuntimeError):
    """A run that cannot continue with valid input: values that are not finite, no memory left, a dead worker process.

    The message is a single line. The command line prints it and exits with code 1.
    """


def one_line(error: Exception) -> str:
    """Returns the message as one printable line, without the traceback that a DataLoader worker adds."""
    return printable(str(error).rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2].strip())


def printable(text: str) -> str:
    """Escapes line breaks, control characters and surrogates, which file names may contain."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns the end of a message on an unknown name: `; did you mean 'x'?`, or `; there are a, b, c` for a few."""
    known = list(known)
    if matches := difflib.get_close_matches(name, known, 1):
        return f"; did you mean {matches[0]!r}?"
    return f"; there are {', '.join(known)}" if 0 < len(known) <= _MAX_LISTED else ""
