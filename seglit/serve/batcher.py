"""Predicts the images of concurrent requests together, in one thread."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.predict.predictor import Predictor
from seglit.predict.tile_scores import Prediction

_WAIT = 0.005  # seconds that a batch waits for images that are arriving

Array = npt.NDArray[Any]
_DROPPED: Array = np.empty((0, 0, 0), np.uint8)


@dataclass(eq=False)
class _Waiting:
    image: Array
    probabilities: bool
    result: "Future[Prediction]"

    def drop_image(self, _: object) -> None:
        """Frees the image when its request is answered or given up: it may be in the queue for long."""
        self.image = _DROPPED

    @property
    def kind(self) -> tuple[object, ...]:
        """What images of one batch have in common."""
        return self.probabilities, self.image.shape, self.image.dtype.str


class Batcher:
    """Predicts images that threads submit, those of one shape and dtype in batches.

    A batch consists of the images that were submitted while the last one was predicted. While others are arriving, it
    waits for them for 5 ms; so a single client never waits.

    Args:
        predictor: The predictor, which no one else uses.
        size: Largest number of images that are taken from the queue at a time.
        are_arriving: Whether further images are being received or decoded.
        observe: Called with the size of each batch.
    """

    def __init__(
        self,
        predictor: Predictor,
        size: int,
        are_arriving: Callable[[], bool],
        observe: Callable[[int], None],
    ) -> None:
        self._predictor = predictor
        self._size = size
        self._are_arriving = are_arriving
        self._observe = observe
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether images are still predicted."""
        return self._thread.is_alive()

    def submit(self, image: Array, probabilities: bool) -> "Future[Prediction]":
        """Enqueues an image (H, W, C). A cancelled future is not predicted, unless it has begun."""
        waiting = _Waiting(image, probabilities, Future())
        waiting.result.add_done_callback(waiting.drop_image)
        self._queue.put(waiting)
        return waiting.result

    def close(self) -> None:
        """Predicts what was submitted, and ends."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            self._predict_groups([first, *self._more()])
            del first  # its result may be large, and the next request far

    def _predict_groups(self, taken: list[_Waiting]) -> None:
        for _, group in groupby(sorted(taken, key=lambda waiting: waiting.kind), lambda waiting: waiting.kind):
            self._predict([waiting for waiting in group if waiting.result.set_running_or_notify_cancel()])

    def _more(self) -> Iterator[_Waiting]:
        deadline = monotonic() + _WAIT
        for _ in range(self._size - 1):
            rest = max(0, deadline - monotonic()) if self._are_arriving() else 0
            try:
                waiting = self._queue.get(timeout=rest)
            except Empty:
                return
            if waiting is None:
                self._queue.put(None)  # for `_run`
                return
            yield waiting

    def _predict(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        self._observe(len(batch))
        images = (waiting.image for waiting in batch)
        try:
            predictions = self._predictor.stream_with_errors(images, batch[0].probabilities)
            for waiting, prediction in zip(batch, predictions, strict=True):
                if isinstance(prediction, Prediction):
                    waiting.result.set_result(prediction)
                else:
                    waiting.result.set_exception(prediction)
        except Exception as error:  # noqa: BLE001  # raised again by each request
            for waiting in batch:
                if not waiting.result.done():
                    waiting.result.set_exception(error)
