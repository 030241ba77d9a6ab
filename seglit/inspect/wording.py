"""Numbers with nouns."""


def counted(number: int, noun: str) -> str:
    """Returns the number and the noun in its form: `1 mask`, `2 masks`."""
    return f"{number} {noun}{'s' * (number != 1)}"
