"""The one error of bad input: what a user can put right, said in one line."""


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
