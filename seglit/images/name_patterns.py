"""Patterns of file names: `{stem}` is the part that image and mask share, a final `.*` any suffix."""

from pathlib import Path

from seglit.images.listing import normalized


def stem_of(name: str, pattern: str) -> str | None:
    """The part of a name that `{stem}` stands for in a pattern; None if the name does not match."""
    name = normalized(name)
    before, _, after = normalized(pattern).partition("{stem}")
    if after.endswith(".*"):
        after = after.removesuffix(".*") + Path(name).suffix
    matches = name.startswith(before) and name.removeprefix(before).endswith(after)
    return name[len(before) : len(name) - len(after)] if matches else None
