"""Silences what Lightning and torch say that the plan of a run replaces, or that advertises."""

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = (
    "pytorch_lightning.utilities.rank_zero",
    "pytorch_lightning.trainer.connectors.checkpoint_connector",
    "lightning_fabric.utilities.seed",
    "lightning_fabric.utilities.distributed",
    "lightning_fabric.utilities.rank_zero",
)
_CHATTER = re.compile(
    r"(\[rank: \d+\] )?Seed set|GPU available|TPU available|Using .*Precision|Loading `train_data|`weights_only` was|"
    r"LOCAL_RANK: |Initializing distributed|-+\ndistributed_backend|`Trainer.fit` stopped|Detected KeyboardInterrupt|"
    r"Restoring states|Restored all states|.*litlogger"
)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Filters log messages, warnings and tracebacks of threads of the libraries within the context."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(_is_news)
    print_error = threading.excepthook

    def print_news(error: threading.ExceptHookArgs) -> None:
        # a full disk: TensorBoard raises it in the main thread, too
        if not (isinstance(error.exc_value, OSError) and type(error.thread).__module__.startswith("tensorboard.")):
            print_error(error)

    threading.excepthook = print_news
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch|jsonargparse|PIL")
            # that a configuration calls any class
            warnings.filterwarnings("default", message="(?s).*subclass_spec_in_any")
            yield
    finally:
        threading.excepthook = print_error
        for logger in loggers:
            logger.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not _CHATTER.match(record.getMessage())
