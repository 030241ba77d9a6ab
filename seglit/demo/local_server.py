"""The service of a predictor, with the page."""

from pathlib import Path

from fastapi import FastAPI, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from seglit.demo.examples import Examples
from seglit.demo.page import ON_SERVER, describe_page, page_files
from seglit.predict.predictor import Predictor
from seglit.serve.app import create_app
from seglit.serve.limits import Limits

_MEDIA_TYPES = {  # not `mimetypes`, which follows the registry of Windows
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
}
LIMITS = Limits(timeout=600)


def create_demo(predictor: Predictor, title: str, examples: Examples, hosts: list[str]) -> FastAPI:
    """Creates the web application of a predictor, with the page at `/`.

    Args:
        predictor: The predictor, which no one else uses.
        title: Heading of the page.
        examples: Test images to choose from.
        hosts: Names by which the server may be called, so that no other page reads the images by a name of its own
            (DNS rebinding); ["*"] for any.
    """
    app = create_app(predictor, LIMITS)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    files = {
        **page_files(ON_SERVER),
        **examples.files(),
        "demo.json": describe_page(title, predictor.labels, examples),
    }
    files[""] = files["index.html"]
    for name, content in files.items():
        _add_file(app, name, content)
    return app


def _add_file(app: FastAPI, name: str, content: bytes) -> None:
    media_type = _MEDIA_TYPES[Path(name).suffix or ".html"]

    @app.get(f"/{name}", include_in_schema=False)
    async def file() -> Response:
        return Response(content, media_type=media_type)
