"""Text for the terminal."""

from rich.markup import escape

from seglit.errors import printable


def escaped(text: str) -> str:
    """Escapes rich's markup and unprintable characters, as in file names and in the files of others."""
    return escape(printable(text))
