"""Measures the time and memory of a test."""

import sys
import time

import torch
from torch import nn

from seglit.runs.scores import Cost


def device_name(device: torch.device) -> str:
    """Returns the name of a GPU, or the kind of another device: CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


class Benchmark:
    """Times a module's forward passes and everything else from construction until `stop`.

    Args:
        module: The module; the first dimension of its input is the batch.
        device: Its device.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self._device = device
        self._parameters = sum(parameter.numel() for parameter in module.parameters())
        self._calls: list[tuple[float, int]] = []  # seconds, images
        self._handles = [
            module.register_forward_pre_hook(self._before_forward),
            module.register_forward_hook(self._after_forward),
        ]
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._start = time.monotonic()

    def stop(self) -> Cost:
        """Stops measuring and returns the cost on this rank."""
        test_seconds = time.monotonic() - self._start
        for handle in self._handles:
            handle.remove()
        timed = self._calls[1:] or self._calls  # the first call is a warm-up
        network_seconds = sum(seconds for seconds, _ in timed)
        return Cost(
            device=device_name(self._device),
            parameters=self._parameters,
            test_seconds=test_seconds,
            test_images_per_second=sum(images for _, images in self._calls) / test_seconds,
            network_images_per_second=sum(images for _, images in timed) / network_seconds if network_seconds else None,
            batch_size=max((images for _, images in self._calls), default=0),
            peak_memory=self._peak_memory(),
        )

    def _before_forward(self, *_: object) -> None:
        self._synchronize()
        self._forward_start = time.perf_counter()

    def _after_forward(self, _: object, arguments: tuple[torch.Tensor, ...], __: object) -> None:
        self._synchronize()
        self._calls.append((time.perf_counter() - self._forward_start, len(arguments[0])))

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _peak_memory(self) -> int | None:
        """Peak memory in bytes: of the GPU during the test, else of the process since its start; None on Windows."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        if sys.platform == "win32":
            return None
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
