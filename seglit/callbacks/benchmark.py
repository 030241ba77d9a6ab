"""What a test costs: time and memory."""

import sys
import time

import pytorch_lightning as pl
import torch

from seglit.runs.scores import Cost


class Benchmark:
    """Measures from here on what a module's forward pass takes, and all the rest with it.

    Args:
        module: The module; its batches come with the images in the first dimension.
    """

    def __init__(self, module: pl.LightningModule) -> None:
        self._device = module.device
        self._parameters = sum(each.numel() for each in module.parameters())
        self._calls: list[tuple[float, int]] = []  # seconds, images
        self._handles = [
            module.register_forward_pre_hook(self._before),
            module.register_forward_hook(self._after),
        ]
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._start = time.monotonic()

    def stop(self) -> Cost:
        """Ends it and gives what was measured, on this rank."""
        test_seconds = time.monotonic() - self._start
        for handle in self._handles:
            handle.remove()
        counted = self._calls[1:] or self._calls  # the first one warms up
        seconds = sum(each for each, _ in counted)
        on_gpu = self._device.type == "cuda"
        return Cost(
            device=torch.cuda.get_device_name(self._device) if on_gpu else self._device.type.upper(),
            parameters=self._parameters,
            test_seconds=test_seconds,
            test_images_per_second=sum(count for _, count in self._calls) / test_seconds,
            network_images_per_second=sum(count for _, count in counted) / seconds if seconds else None,
            batch_size=max((count for _, count in self._calls), default=0),
            peak_memory=self._peak_memory(),
        )

    def _before(self, *_: object) -> None:
        self._wait()
        self._began = time.perf_counter()

    def _after(self, _: object, arguments: tuple[torch.Tensor, ...], __: object) -> None:
        self._wait()
        self._calls.append((time.perf_counter() - self._began, len(arguments[0])))

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _peak_memory(self) -> int | None:
        """In bytes: of the GPU in this test, else of the process since its start; None where the system has no word."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        if sys.platform == "win32":
            return None
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
