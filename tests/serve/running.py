"""A service on a loopback port, and requests to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import NamedTuple

from fastapi import FastAPI

from seglit.serve.limits import Limits
from seglit.serve.server import listen, make_server


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Service(NamedTuple):
    """The port of a running service."""

    port: int

    def request(self, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, response.read())
        finally:
            connection.close()

    def predict(self, body: bytes, format: str = "mask") -> bytes:
        reply = self.request(f"/predict?format={format}", body)
        assert reply.status == 200, reply.body
        return reply.body


@contextmanager
def running(app: FastAPI, limits: Limits | None = None) -> Iterator[Service]:
    """Runs an application on a free port; at the end it is stopped as by SIGTERM."""
    with listen("127.0.0.1", 0) as listener:
        server = make_server(app, limits or Limits())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.005)
            yield Service(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
