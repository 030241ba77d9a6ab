"""The web application: its addresses, its errors, and its access token."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from secrets import compare_digest
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Receive, Scope, Send

from seglit import __version__
from seglit.drawing.predictions import background
from seglit.errors import InputError, RunError, one_line
from seglit.labels import IGNORE_INDEX, Labels
from seglit.predict.predictor import Predictor
from seglit.serve.answers import Answer, AnswerFormat
from seglit.serve.limits import Limits
from seglit.serve.measurements import CONTENT_TYPE, Measured, Measurements
from seglit.serve.service import Service

_PART = 2**20  # bytes
_PATHS = ("/predict", "/labels", "/health", "/metrics")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The prediction",
        "content": {"image/png": {}, "application/json": {}, "application/octet-stream": {}},
    },
    **{
        status: {"description": text, "content": {"application/json": {"example": {"detail": text}}}}
        for status, text in {
            401: "the token is missing or wrong",
            413: "the body exceeds the limit",
            415: "the body is a form",
            422: "the image cannot be read or predicted",
            500: "the network answers NaN or infinity",
            503: "too many requests are waiting",
            504: "no answer in time",
        }.items()
    },
}


class _Sent(Response):
    """An answer that counts as an accepted request, and has the time limit of one, until the client has received it."""

    def __init__(self, answer: Answer, service: Service) -> None:
        super().__init__(answer.content, media_type=answer.media_type)
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it in parts; each waits until the client has received most of those before."""
        async with self._service.sending():
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for start in range(0, len(self.body), _PART):
                part = bytes(self.body[start : start + _PART])
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def create_app(predictor: Predictor, limits: Limits | None = None, token: str | None = None) -> FastAPI:
    """Creates the web application of a predictor.

    `POST /predict?format=FORMAT` takes an image file as its body and answers with its prediction; `/labels`, `/health`
    and `/metrics` describe the service, and `/docs` all of these. An error is JSON, `{"detail": "one line"}`.

    Args:
        predictor: The predictor, which no one else uses.
        limits: What is accepted.
        token: Required as `Authorization: Bearer TOKEN` by all but `/health` and the description.
    """
    measurements = Measurements()
    service = Service(predictor, limits or Limits(), measurements)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    app = FastAPI(title="seglit", version=__version__, lifespan=lifespan, description="Semantic segmentation of images")
    app.add_middleware(Measured, measurements=measurements, paths=_PATHS)
    _add_errors(app)
    allowed = [] if token is None else [Depends(_token_check(token))]
    _add_prediction(app, service, allowed)
    _add_descriptions(app, service, allowed)
    return app


def redirect_start(app: FastAPI) -> None:
    """Redirects `/`, where people look first, to the description."""
    app.add_api_route("/", lambda: RedirectResponse("docs"), include_in_schema=False)


def _add_prediction(app: FastAPI, service: Service, allowed: list[Any]) -> None:
    @app.post("/predict", response_class=Response, responses=_ANSWERS, openapi_extra=_BODY, dependencies=allowed)
    async def predict(request: Request, format: AnswerFormat = "mask") -> Response:
        """Predicts the classes of an image file, the body of the request: PNG, JPEG, TIFF, WebP, BMP, GIF, PPM or NPY.

        The format of the answer is one of

        - mask: PNG of the values that the training masks store, as `seglit predict` writes it
        - indices: PNG of class indices, 255 where the image has no data
        - color: PNG of the colours of the classes
        - overlay: PNG of the image under these colours
        - image: PNG of the image as RGB, as overlays show it
        - polygons: JSON of one polygon for each connected part of a class
        - rle: JSON of COCO, with compressed run-length encodings
        - probabilities: NPY, float16 (classes, height, width)
        """
        return _Sent(await service.answer(request, format), service)


def _add_descriptions(app: FastAPI, service: Service, allowed: list[Any]) -> None:
    predictor = service.predictor

    @app.get("/labels", dependencies=allowed)
    async def labels() -> dict[str, Any]:
        """Lists the classes by index, with names, RGB colours and stored values, and the index of the background."""
        return _describe(predictor.labels, predictor.in_channels)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Says whether images are predicted."""
        if not service.batcher.is_alive:
            raise HTTPException(503, "the service has stopped")
        return {"status": "ok", "version": __version__, "device": predictor.device.type}

    @app.get("/metrics", dependencies=allowed)
    async def metrics() -> Response:
        """Returns counts and times in the text format of Prometheus."""
        return Response(service.measurements.text(), media_type=CONTENT_TYPE)


def _describe(labels: Labels, in_channels: int) -> dict[str, Any]:
    stored: dict[int, list[Any]] = {index: [] for index in range(labels.num_classes)}
    for value, index in labels.values.items():
        if index != IGNORE_INDEX:
            stored[index].append(value)
    classes = [
        {"index": index, "name": name, "color": labels.palette[index], "values": stored[index]}
        for index, name in enumerate(labels.class_names)
    ]
    return {"classes": classes, "background": background(labels), "in_channels": in_channels}


def _token_check(token: str) -> Callable[..., None]:
    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]) -> None:
        if given is None or not compare_digest(given.credentials.encode(), token.encode()):
            raise HTTPException(401, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})

    return check


def _add_errors(app: FastAPI) -> None:
    """Answers errors by one line in JSON."""

    def answer(status: int, detail: str) -> JSONResponse:
        return JSONResponse({"detail": detail}, status)

    @app.exception_handler(InputError)
    async def invalid(_: Request, error: InputError) -> JSONResponse:
        return answer(422, one_line(error))

    @app.exception_handler(RunError)
    async def failed(_: Request, error: RunError) -> JSONResponse:
        return answer(500, one_line(error))

    @app.exception_handler(RequestValidationError)
    async def misunderstood(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return answer(422, f"{first['loc'][-1]}: {first['msg']}")

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:  # its traceback is logged
        return answer(500, f"internal error: {type(error).__name__}")
