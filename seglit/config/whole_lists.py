"""Lists of a configuration replace each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jsonargparse import _typehints


@contextmanager
def whole_lists() -> Iterator[None]:
    """Lets a list replace the one before it: its items have the settings that are stated with them, and no others.

    jsonargparse merges lists of equal length item by item (its issue 478): a loss or a transform that follows one of
    the same class would keep settings of that one, such as class weights, which its file does not state.
    """
    adapt: Any = _typehints.adapt_typehints

    def adapt_whole(val: Any, typehint: Any, **options: Any) -> Any:
        if isinstance(val, list) and not options.get("append"):
            options["prev_val"] = None
        return adapt(val, typehint, **options)

    _typehints.adapt_typehints = adapt_whole  # type: ignore[assignment]
    try:
        yield
    finally:
        _typehints.adapt_typehints = adapt
