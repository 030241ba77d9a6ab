"""Metrics of the service, in the text format of Prometheus."""

from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_TYPE", "Measured", "Measurements"]


class Measurements:
    """Requests by path and status, their seconds, batches, answers that were not received, and the process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("seglit_requests", "Requests.", ["path", "status"], registry=registry)
        self.seconds = Histogram("seglit_request_seconds", "Seconds to an answer.", ["path"], registry=registry)
        sizes = tuple(2.0**power for power in range(7))
        self.batch = Histogram("seglit_batch_images", "Images predicted together.", buckets=sizes, registry=registry)
        self.unreceived = Counter("seglit_unreceived_answers", "Answers received too slowly.", registry=registry)
        self.accepted = Gauge("seglit_accepted_requests", "Requests that wait or are at work.", registry=registry)
        ProcessCollector(registry=registry)

    def text(self) -> bytes:
        """Returns all in the text format of Prometheus."""
        return generate_latest(self._registry)


class Measured:
    """An ASGI application whose requests are counted and timed.

    Args:
        app: The application.
        measurements: What counts them.
        paths: The paths that are told apart; strangers may ask for any.
    """

    def __init__(self, app: ASGIApp, measurements: Measurements, paths: tuple[str, ...]) -> None:
        self._app = app
        self._measurements = measurements
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))  # of an application that this one is mounted in
        path = path if path in self._paths else "other"
        start, status = monotonic(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            self._measurements.requests.labels(path, status).inc()
            self._measurements.seconds.labels(path).observe(monotonic() - start)
