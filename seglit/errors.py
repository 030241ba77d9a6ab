"""The one error of bad input: what a user can put right, said in one line."""


class InputError(ValueError):
    """Something outside the code is wrong: a file, a value, a name, a setting.

    Its message is a single line that says what is wrong, where, and the nearest right thing. The command line
    prints that line and exits with code 2.
    """
