"""The handler of a signal that a run obeys later. Loads no torch."""

from types import FrameType


class NotedSignal:
    """Notes that a signal has arrived, such as while torch is imported, until the run has a handler for it."""

    def __init__(self) -> None:
        self.received = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Handles the signal."""
        self.received = True
