"""Restores the state of the process that a run changes."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import cv2
import torch
import yaml
from jsonargparse import get_loader, set_loader
from pytorch_lightning.utilities.seed import isolate_rng

from seglit.config.quiet import quiet_libraries


@contextmanager
def unchanged_process() -> Iterator[None]:
    """Restores environment, random numbers, threads, logging, warnings, signal handlers and the YAML loader."""
    with ExitStack() as stack:
        stack.enter_context(quiet_libraries())
        # CUDA's generators only if they exist: asking for them would start CUDA, and Lightning could not fork
        with_cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        random_numbers = isolate_rng(with_cuda)
        random_numbers.__enter__()
        stack.callback(random_numbers.__exit__, None, None, None)  # by itself it restores nothing after an exception
        stack.callback(_set_environment, dict(os.environ))
        stack.callback(set_loader, "yaml", get_loader("yaml"), (yaml.YAMLError,))
        stack.callback(cv2.setNumThreads, cv2.getNumThreads())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        stack.callback(setattr, torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
        stack.callback(
            torch.use_deterministic_algorithms,
            torch.are_deterministic_algorithms_enabled(),
            warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
        )
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM, *({signal.SIGUSR1} if os.name == "posix" else ())):
                if (handler := signal.getsignal(signum)) is not None:  # None: not set by Python
                    stack.callback(signal.signal, signum, handler)
        yield


def _set_environment(variables: Mapping[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
