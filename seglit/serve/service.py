"""A request from its body to its answer, within the limits of the service."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import numpy.typing as npt
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from seglit.errors import InputError
from seglit.images.memory_file import MemoryFile
from seglit.images.read import read_image
from seglit.predict.predictor import Predictor
from seglit.predict.tile_scores import Prediction
from seglit.serve.answers import Answer, AnswerFormat, Predicted, make_answer
from seglit.serve.batcher import Batcher
from seglit.serve.limits import Limits
from seglit.serve.measurements import Measurements

Result = TypeVar("Result")


class Service:
    """Answers requests with a predictor.

    Args:
        predictor: The predictor, which no one else uses.
        limits: What is accepted.
        measurements: Counts of what was done.
    """

    def __init__(self, predictor: Predictor, limits: Limits, measurements: Measurements) -> None:
        self.predictor = predictor
        self.limits = limits
        self.measurements = measurements
        self.batcher = Batcher(predictor, limits.batch, lambda: self._arriving > 0, measurements.batch.observe)
        self._arriving = 0  # accepted, and not yet submitted to the batcher
        self._accepted = 0
        self._threads = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "images")

    async def answer(self, request: Request, format: AnswerFormat) -> Answer:
        """Predicts the image in the body of a request.

        Raises:
            InputError: The image cannot be read or predicted.
            RunError: The network answered NaN.
            HTTPException: The service is busy (503), the body too large (413), incomplete (400) or a form (415), or
                the time is over (504).
        """
        if self._accepted >= self.limits.queue:
            raise HTTPException(503, f"{self._accepted} requests are waiting; try again later", {"Retry-After": "1"})
        self._count(1)
        try:
            async with asyncio.timeout(self.limits.timeout):
                image, result = await self._submit(request, format)
                predicted = Predicted(image, await asyncio.wrap_future(result), self.predictor.labels)
                return await self._in_thread(lambda: make_answer(format, predicted))
        except TimeoutError:
            raise HTTPException(504, f"no answer within {self.limits.timeout} s") from None
        except ClientDisconnect:
            raise HTTPException(400, "the connection was closed before the end of the body") from None
        finally:
            self._count(-1)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Counts a request while its answer is sent, and gives it up when the time is over."""
        self._count(1)
        try:
            async with asyncio.timeout(self.limits.timeout):
                yield
        except TimeoutError:  # the status is sent; the server closes the connection
            self.measurements.unreceived.inc()
        finally:
            self._count(-1)

    async def close(self) -> None:
        """Ends the threads."""
        await asyncio.to_thread(self.batcher.close)
        self._threads.shutdown()

    def _count(self, change: int) -> None:
        self._accepted += change
        self.measurements.accepted.set(self._accepted)

    async def _body(self, request: Request) -> bytes:
        """Reads the body of a request, unless it is a form, or too large."""
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise HTTPException(415, "the body is a form; send the image file itself: curl --data-binary @FILE")
        too_large = f"the body exceeds the limit of {self.limits.max_bytes:,} bytes"
        stated = request.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > self.limits.max_bytes:
            raise HTTPException(413, too_large)
        body = bytearray()
        stream: AsyncIterator[bytes] = request.stream()
        async for chunk in stream:
            body += chunk
            if len(body) > self.limits.max_bytes:
                raise HTTPException(413, too_large)
        return bytes(body)

    async def _submit(self, request: Request, format: AnswerFormat) -> tuple[npt.NDArray[Any], Future[Prediction]]:
        self._arriving += 1
        try:
            content = await self._body(request)
            image = await self._in_thread(lambda: self._read(content, format))
        finally:
            self._arriving -= 1
        return image, self.batcher.submit(image, format == "probabilities")

    def _read(self, content: bytes, format: AnswerFormat) -> npt.NDArray[Any]:
        file = MemoryFile(content, self.limits.max_pixels)
        image = read_image(file, self.predictor.in_channels, self.predictor.nodata_values)
        self.predictor.check(image)
        num_bytes = 4 * image.shape[0] * image.shape[1] * self.predictor.labels.num_classes  # float32
        if format == "probabilities" and num_bytes > file.max_bytes:
            raise InputError(f"{file}: its probabilities are {num_bytes:,} bytes; the limit is {file.max_bytes:,}")
        return image

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)
