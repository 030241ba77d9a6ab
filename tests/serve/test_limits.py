"""What the service refuses, how it batches, and how it ends."""

import io
import json
import signal
import socket
import struct
import threading
import time
import weakref
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seglit.labels import Labels
from seglit.networks import UNet
from seglit.normalization import Normalization
from seglit.predict.predictor import Predictor
from tests.conftest import Outcome, Run

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from seglit.serve.answers import Answer
from seglit.serve.app import create_app
from seglit.serve.batcher import Batcher
from seglit.serve.limits import Limits
from seglit.serve.server import listen
from tests.serve.running import Reply, Service, running
from tests.serve.test_answers import decoded, encoded, make_predictor


class Gate:
    """Holds a predictor until it is opened; the sizes of its batches."""

    def __init__(self, predictor: Predictor) -> None:
        self.batches: list[tuple[int, ...]] = []
        self.opened = threading.Event()
        self.entered = threading.Event()
        predictor.network.register_forward_pre_hook(self._wait)

    def _wait(self, _: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        self.batches.append(tuple(inputs[0].shape))
        self.entered.set()
        assert self.opened.wait(20)


def picture(size: int = 32) -> bytes:
    return encoded(np.zeros((size, size, 3), np.uint8))


def detail(reply: Reply) -> str:
    text: str = json.loads(reply.body)["detail"]
    assert "\n" not in text
    return text


@pytest.fixture
def gate() -> Iterator[tuple[Predictor, Gate]]:
    predictor = make_predictor()
    gate = Gate(predictor)
    yield predictor, gate
    gate.opened.set()


def accepted(service: Service) -> int:
    text = service.request("/metrics").body.decode()
    return int(float(text.partition("\nseglit_accepted_requests ")[2].split()[0]))


def wait_until_accepted(service: Service, number: int) -> None:
    end = time.monotonic() + 20
    while accepted(service) != number:
        assert time.monotonic() < end


def test_images_of_one_size_are_predicted_together(
    gate: tuple[Predictor, Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seglit.serve.batcher._WAIT", 20)  # seconds: until all have arrived
    predictor, held = gate
    with running(create_app(predictor)) as service, ThreadPoolExecutor(6) as pool:
        first = pool.submit(service.predict, picture())
        assert held.entered.wait(20)
        others = [pool.submit(service.predict, picture(size)) for size in (32, 48, 32, 32)]
        wait_until_accepted(service, 5)
        held.opened.set()
        sizes = [decoded(each.result()).shape for each in (first, *others)]
    assert sizes == [(32, 32), (32, 32), (48, 48), (32, 32), (32, 32)]
    assert sorted(batch[0] for batch in held.batches) == [1, 1, 3]


def test_queue_is_bounded(gate: tuple[Predictor, Gate]) -> None:
    predictor, held = gate
    with running(create_app(predictor, Limits(queue=2))) as service, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(service.predict, picture()) for _ in range(2)]
        wait_until_accepted(service, 2)
        reply = service.request("/predict", picture())
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert detail(reply) == "2 requests are waiting; try again later"
        held.opened.set()
        assert all(decoded(each.result()).shape == (32, 32) for each in waiting)
        assert service.request("/predict", picture()).status == 200


def test_time_is_limited(gate: tuple[Predictor, Gate]) -> None:
    predictor, held = gate
    with running(create_app(predictor, Limits(timeout=1)), Limits(timeout=1)) as service:
        with ThreadPoolExecutor(2) as pool:
            for reply in pool.map(lambda size: service.request("/predict", picture(size)), (32, 48)):
                assert (reply.status, detail(reply)) == (504, "no answer within 1 s")
        held.opened.set()
        assert service.request("/predict", picture(64)).status == 200
    assert len(held.batches) == 2  # the one that waited was not predicted


def test_images_of_requests_that_were_given_up_are_freed(gate: tuple[Predictor, Gate]) -> None:
    predictor, held = gate
    batcher = Batcher(predictor, 8, lambda: False, lambda _: None)
    batcher.submit(np.zeros((32, 32, 3), np.uint8), probabilities=False)
    assert held.entered.wait(20)
    image = np.zeros((32, 32, 3), np.uint8)
    freed = weakref.ref(image)
    assert batcher.submit(image, probabilities=False).cancel()
    del image
    assert freed() is None
    held.opened.set()
    batcher.close()


def test_answer_that_is_not_received_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seglit.serve.service.make_answer", lambda *_: Answer(bytes(2**26), "image/png"))
    limits = Limits(timeout=1)
    with running(create_app(make_predictor(), limits), limits) as service:
        content = picture()
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
            assert client.recv(15) == b"HTTP/1.1 200 OK"
            wait_until_accepted(service, 0)
        assert b"\nseglit_unreceived_answers_total 1.0\n" in service.request("/metrics").body


def test_stopping_answers_what_was_accepted(gate: tuple[Predictor, Gate]) -> None:
    predictor, held = gate
    with ThreadPoolExecutor(2) as pool:
        with running(create_app(predictor)) as service:
            replies = [pool.submit(service.predict, picture(size)) for size in (32, 48)]
            wait_until_accepted(service, 2)
            threading.Timer(0.2, held.opened.set).start()
        assert [decoded(each.result()).shape for each in replies] == [(32, 32), (48, 48)]
        with pytest.raises(ConnectionRefusedError):
            service.request("/health")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(create_app(make_predictor(), Limits(max_mb=1, max_megapixels=1))) as service:
        yield service


def png_header(height: int, width: int) -> bytes:
    """A PNG that states a size, with next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/predict", b"", 422, "image: cannot be read as an image (unknown format, or truncated)"),
        ("/predict", b"\x89PNG\r\n\x1a\nrest", 422, "image: cannot be read as an image"),
        ("/predict", picture()[:60], 422, "image: cannot be read as an image"),
        ("/predict", b"\x93NUMPY", 422, "image: cannot be read as an image"),
        ("/predict", b"II*\0\x08\0\0\0", 422, "image: cannot be read as an image"),
        (
            "/predict",
            png_header(1001, 1000),
            422,
            "image: 1001 x 1000 pixels (height x width) exceed the limit of 1,000,000",
        ),
        (
            "/predict",
            png_header(60000, 60000),
            422,
            "image: cannot be read as an image (Image size (3600000000",
        ),
        ("/predict", bytes(1_000_001), 413, "the body exceeds the limit of 1,000,000 bytes"),
        ("/predict?format=tiff", picture(), 422, "format: Input should be 'mask', 'indices', 'color'"),
        ("/predict?path=/etc/passwd", b"/etc/passwd", 422, "image: cannot be read as an image"),
        ("/etc/passwd", None, 404, "Not Found"),
        ("/predict", None, 405, "Method Not Allowed"),
    ],
)
def test_bad_requests_are_one_line(service: Service, path: str, body: bytes | None, status: int, message: str) -> None:
    reply = service.request(path, body)
    assert reply.status == status
    assert detail(reply).startswith(message)
    assert reply.headers["content-type"] == "application/json"


def test_forms_are_refused(service: Service) -> None:
    reply = service.request("/predict", picture(), **{"Content-Type": "multipart/form-data; boundary=x"})
    assert reply.status == 415
    assert detail(reply) == "the body is a form; send the image file itself: curl --data-binary @FILE"


def test_body_without_stated_length_is_limited(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = bytes(500_000)
        for _ in range(3):
            connection.sendall(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000,
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    ],
)
def test_malformed_http(service: Service, text: bytes) -> None:
    # the service may close the connection before all is sent
    with socket.create_connection(("127.0.0.1", service.port)) as connection, suppress(OSError):
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(4096)
    assert service.request("/health").status == 200
    assert accepted(service) == 0


def test_token() -> None:
    with running(create_app(make_predictor(), token="secret")) as service:
        for headers in ({}, {"Authorization": "Bearer Secret"}, {"Authorization": "Basic secret"}):
            reply = service.request("/predict", picture(), **headers)
            assert (reply.status, detail(reply)) == (401, "the token is missing or wrong")
        assert service.request("/labels").status == service.request("/metrics").status == 401
        assert service.request("/health").status == 200
        assert service.request("/predict", picture(), Authorization="Bearer secret").status == 200


def test_descriptions() -> None:
    with running(create_app(make_predictor())) as service:
        labels = json.loads(service.request("/labels").body)
        assert labels["classes"][2] == {"index": 2, "name": "tree", "color": [0, 120, 1], "values": [7, 8]}
        assert (labels["background"], labels["in_channels"]) == (0, 3)
        assert json.loads(service.request("/health").body)["status"] == "ok"
        service.predict(picture())
        service.request("/predict", b"")
        service.request("/some/other/path")
        text = service.request("/metrics").body.decode()
        for line in (
            'seglit_requests_total{path="/predict",status="200"} 1.0',
            'seglit_requests_total{path="/predict",status="422"} 1.0',
            'seglit_requests_total{path="other",status="404"} 1.0',
            "seglit_batch_images_count 1.0",
        ):
            assert f"\n{line}\n" in text
        paths = json.loads(service.request("/openapi.json").body)["paths"]
        assert set(paths) == {"/predict", "/labels", "/health", "/metrics"}
        assert "application/octet-stream" in paths["/predict"]["post"]["requestBody"]["content"]
        assert b"swagger" in service.request("/docs").body


def test_answers_are_limited(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = Labels.create(list("abcde"))
    predictor = Predictor(UNet(num_classes=5, channels=[4, 8]), labels, Normalization((0.5,), (0.3,)))
    with running(create_app(predictor, Limits(max_megapixels=1))) as many:
        reply = many.request("/predict?format=probabilities", picture(900))
        assert reply.status == 422
        assert detail(reply) == "image: its probabilities are 16,200,000 bytes; the limit is 16,000,000"
    monkeypatch.setattr("seglit.serve.answers._MAX_POLYGONS", 1)
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    reply = service.request("/predict?format=polygons", encoded(noise))
    assert (reply.status, detail(reply)) == (422, "the mask has more than 1 polygons; use the format rle")


def test_failed_prediction_is_an_error_of_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    predictor = make_predictor()

    def fail(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if inputs[0].shape[-1] == 48:
            raise ArithmeticError("of the network")

    predictor.network.register_forward_pre_hook(fail)
    with running(create_app(predictor)) as service:
        reply = service.request("/predict", picture(48))
        assert (reply.status, detail(reply)) == (500, "internal error: ArithmeticError")
        assert service.request("/predict", picture()).status == 200
    assert "of the network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--queue=0"], "queue is 0, but must be above 0"),
        (["--port=70000"], "port is 70000, but must be from 0 to 65535"),
        (["--token_file=no"], "--token_file no: cannot be read"),
        (["--token_file=empty"], "empty: the token is empty"),
        (["--host=256.0.0.1"], "cannot listen on 256.0.0.1, port 8000: "),
    ],
)
def test_invalid_options(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    (tmp_path / "empty").write_text("\n")
    outcome = run("serve", "RUN", *options)
    assert outcome.code == 2
    assert outcome.err.startswith(f"seglit: error: {message}")
    assert outcome.err.count("\n") == 1


def test_address_in_use_and_missing_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        outcome = run("serve", "RUN", "--port", port)
        assert (outcome.code, outcome.err) == (
            2,
            f"seglit: error: cannot listen on 127.0.0.1, port {port}: Address already in use; choose another --port\n",
        )
    monkeypatch.setattr("seglit.serve.command.find_spec", lambda _: None)
    outcome = run("serve", "RUN")
    assert outcome.err == 'seglit: error: serving requires fastapi: pip install "seglit[serve]"\n'


def test_command_ends_by_sigterm(run: Run, trained: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("SEGLIT_TOKEN", "secret")
    replies: list[Reply] = []

    def use() -> None:
        try:
            for _ in range(1000):
                with suppress(ConnectionRefusedError):
                    replies.append(Service(port).request("/predict", picture(), Authorization="Bearer secret"))
                    replies.append(Service(port).request("/"))
                    break
                time.sleep(0.02)
        finally:
            signal.raise_signal(signal.SIGTERM)

    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    client = threading.Thread(target=use)
    client.start()
    try:
        outcome = run("serve", trained.folder, "--port", port)
    finally:
        client.join()
        signal.signal(signal.SIGTERM, handlers[0])
        signal.signal(signal.SIGINT, handlers[1])
    assert (outcome.code, outcome.out, outcome.err) == (0, f"serving: http://127.0.0.1:{port}\n", "")
    assert replies[0].status == 200
    assert Image.open(io.BytesIO(replies[0].body)).size == (32, 32)
    assert replies[1].headers["location"] == "docs"
