"""The web server: its socket, and its end."""

import errno
import signal
import socket

import uvicorn
from fastapi import FastAPI

from seglit.errors import InputError
from seglit.serve.limits import Limits

_MAX_HEADERS = 2**14  # bytes


def listen(host: str, port: int) -> socket.socket:
    """Opens a socket on an address.

    Raises:
        InputError: The address is invalid or in use.
    """
    if not 0 <= port < 2**16:
        raise InputError(f"port is {port}, but must be from 0 to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # which repeats the address
        if error.errno == errno.EADDRINUSE:
            reason += "; choose another --port"
        raise InputError(f"cannot listen on {host}, port {port}: {reason}") from error


def make_server(app: FastAPI, limits: Limits) -> uvicorn.Server:
    """Makes the server of an application; setting `should_exit` ends it when it has answered what it has accepted."""
    config = uvicorn.Config(
        app,
        http="h11",
        h11_max_incomplete_event_size=_MAX_HEADERS,
        timeout_graceful_shutdown=limits.timeout,
        log_level="error",  # a stranger may send any number of invalid requests
        server_header=False,
    )
    return uvicorn.Server(config)


def run_server(app: FastAPI, listener: socket.socket, limits: Limits) -> None:
    """Serves an application until SIGTERM or SIGINT, which end it when it has answered what it has accepted."""
    server = make_server(app, limits)

    def stop(*_: object) -> None:  # before the server has its own handlers, and after, when it raises the signal again
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    host, port = listener.getsockname()[:2]
    print(f"serving: http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    server.run(sockets=[listener])
