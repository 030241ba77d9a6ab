"""Takes an option out of a command line before the parser sees it."""

from collections.abc import Sequence


def take_option(option: str, args: Sequence[str], *, is_switch: bool = False) -> tuple[str | None, list[str]]:
    """Returns the value of an option, None if it is not given, and the other arguments.

    A switch without a value is "true", another option without one "".
    """
    value, others = None, []
    remaining = list(args)
    while remaining:
        arg = remaining.pop(0)
        if arg == option:
            has_value = bool(remaining) and (not is_switch or remaining[0] in ("true", "false"))
            value = remaining.pop(0) if has_value else "true" if is_switch else ""
        elif arg.startswith(f"{option}="):
            value = arg.partition("=")[2]
        else:
            others.append(arg)
    return value, others
