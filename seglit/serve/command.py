"""`seglit serve`: predictions over HTTP."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from seglit.errors import InputError
from seglit.serve.limits import Limits

TOKEN_VARIABLE = "SEGLIT_TOKEN"  # noqa: S105  # a name
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    run: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: str | None = None,
    max_mb: int = 32,
    max_megapixels: int = 24,
    queue: int = 32,
    batch: int = 8,
    timeout: int = 30,
    trust: str | list[str] | None = None,
) -> int:
    """Predicts the masks of images that are sent over HTTP, until SIGTERM or Ctrl-C; then answers what it has accepted.

    POST /predict?format=mask takes an image file as its body; /docs describes this and the other addresses. No file is
    written. All but /health require the token of --token_file, or of the environment variable SEGLIT_TOKEN, if there is
    one.

    Args:
        run: Run folder, checkpoint, file or bundle of `seglit export`, or hf:owner/name.
        host: Address to listen on; by default, only this machine can connect. 0.0.0.0: all networks.
        port: Port; 0 chooses a free one.
        token_file: File with the access token.
        max_mb: Largest image file in MB.
        max_megapixels: Largest image in megapixels; one of more than 16 bytes per pixel must be smaller.
        queue: Number of requests that are accepted at a time; others are told to try again.
        batch: Largest number of images that are predicted together.
        timeout: Seconds after which a request is given up.
        trust: Package or packages whose networks may be loaded besides those of seglit and its libraries: mynet.

    Returns:
        0 after SIGTERM or Ctrl-C.

    Raises:
        InputError: The run or an option is invalid, the address is in use, or a package is missing.
    """
    require_packages()
    from seglit.predict.load import load
    from seglit.serve.app import create_app, redirect_start
    from seglit.serve.server import listen, run_server

    limits = Limits(max_mb, max_megapixels, queue, batch, timeout)
    token = read_token(token_file)
    with listen(host, port) as listener:
        if token is None and host not in LOOPBACK:
            print(f"no token: whoever reaches {host} may use the service; see --token_file", file=sys.stderr)
        app = create_app(load(run, trust), limits, token)
        redirect_start(app)
        run_server(app, listener, limits)
    return 0


def require_packages() -> None:
    """Raises InputError if a package of the extra `serve` is missing."""
    for package in ("fastapi", "prometheus_client", "uvicorn"):
        if find_spec(package) is None:
            raise InputError(f'serving requires {package}: pip install "seglit[serve]"')


def read_token(file: str | None) -> str | None:
    """Returns the access token of a file, else of the environment variable SEGLIT_TOKEN; None if there is none.

    Raises:
        InputError: The file cannot be read, or the token is empty or not printable ASCII.
    """
    token, where = os.environ.get(TOKEN_VARIABLE), TOKEN_VARIABLE
    if file is not None:
        where = file
        try:
            token = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--token_file {file}: cannot be read ({error})") from error
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token and token):
        raise InputError(f"{where}: the token is empty, or not of printable ASCII characters")
    return token
