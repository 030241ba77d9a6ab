"""`seglit serve` on loopback: requests per second and latency beside the bare predictor, and malformed requests."""

import io
import os
import re
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from rich.box import MARKDOWN
from rich.table import Table

import seglit
from seglit.images.memory_file import MemoryFile
from seglit.images.read import read_image
from seglit.labels import Labels
from seglit.networks import UNet
from seglit.normalization import Normalization
from seglit.predict.predictor import Predictor
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord
from seglit.serve.answers import Predicted, make_answer


def measure_serve(
    size: tuple[int, int] = (352, 480),
    channels: list[int] = [16, 32, 64, 128, 256],  # noqa: B006  # never changed
    batch: int = 8,
    clients: list[int] = [1, 4, 16],  # noqa: B006
    rounds: int = 3,
    seconds: float = 4.0,
    malformed: int = 1000,
) -> Table:
    """Requests for masks of one JPEG image by several clients at a time, each of which waits for its answer.

    Args:
        size: Height and width of the image.
        channels: Channels of the U-Net.
        batch: Largest batch of the service, and of the bare predictor.
        clients: Numbers of clients.
        rounds: Rounds, in which the bare predictor and the numbers of clients take turns.
        seconds: Seconds of each turn, after a first prediction or request of each client.
        malformed: Number of malformed requests that follow.
    """
    table = Table("", title=f"serve: U-Net, JPEG of {size[0]} x {size[1]}", box=MARKDOWN, title_justify="left")
    for name in ("images/s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(name, justify="right")
    # threads of libgomp that wait keep a core busy, unless there are more threads than cores, as in the service: beside
    # other processes, the bare predictor would be several times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with TemporaryDirectory() as folder, ProcessPoolExecutor(1, get_context("spawn")) as bare:
        checkpoint = Path(folder, "unet.ckpt")
        write_checkpoint(checkpoint, channels)
        body = jpeg(size)
        with served(checkpoint, batch) as port:
            turns: dict[str, list[Turn]] = defaultdict(list)
            for _ in range(rounds):
                for number in sorted({1, batch}):
                    turn = bare.submit(predict_images, checkpoint, body, number, seconds).result()
                    turns[f"predictor, batches of {number}"].append(turn)
                for number in clients:
                    turns[f"service, {number} client{'s' * (number > 1)}"].append(load(port, body, number, seconds))
            for name, each in turns.items():
                table.add_row(name, *speed(each))
            table.add_row(*send_malformed(port, body, malformed), "", "", "")
    return table


class Turn(NamedTuple):
    """Predicted images, the seconds that passed, and the seconds of each request or batch."""

    images: int
    seconds: float
    times: list[float]


def write_checkpoint(file: Path, channels: list[int]) -> None:
    """Writes the checkpoint of a U-Net with random weights."""
    init_args = {"num_classes": 11, "channels": channels}
    record = ModelRecord(
        seglit.__version__,
        {"class_path": "seglit.networks.UNet", "init_args": init_args},
        Labels.create([f"class {index}" for index in range(11)]),
        Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    )
    weights = {f"network.{name}": value for name, value in UNet(num_classes=11, channels=channels).state_dict().items()}
    torch.save({"state_dict": weights, RECORD_KEY: record.to_dict()}, file)


def jpeg(size: tuple[int, int]) -> bytes:
    """Returns a JPEG file of random, smooth colours."""
    coarse = np.random.default_rng(0).integers(0, 256, (size[0] // 16, size[1] // 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize(size[::-1]).save(file, "JPEG")
    return file.getvalue()


@cache
def bare_predictor(checkpoint: Path) -> Predictor:
    """Returns the predictor of a process, which is loaded once."""
    return seglit.load(checkpoint)


def predict_images(checkpoint: Path, body: bytes, batch: int, seconds: float) -> Turn:
    """Does what the service does with images, without HTTP: decodes, predicts, encodes."""
    predictor = bare_predictor(checkpoint)

    def answer() -> None:
        images = [read_image(MemoryFile(body, 10**7), 3) for _ in range(batch)]
        for image, prediction in zip(images, predictor.stream(images), strict=True):
            make_answer("mask", Predicted(image, prediction, predictor.labels))

    answer()
    times = timed(answer, seconds)
    return Turn(batch * len(times), sum(times), times)


def timed(function: Callable[[], None], seconds: float) -> list[float]:
    """Seconds of each call, until `seconds` have passed."""
    times: list[float] = []
    while sum(times) < seconds:
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return times


@contextmanager
def served(checkpoint: Path, batch: int) -> Iterator[int]:
    """The port of a service in a process of its own, which must end well."""
    command = [sys.executable, "-m", "seglit", "serve", str(checkpoint), "--port=0", f"--batch={batch}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+)$", process.stdout.readline().strip())
        if found is None:
            raise RuntimeError("the service did not start")
        try:
            yield int(found[1])
        finally:
            process.terminate()
    if process.returncode:
        raise RuntimeError(f"the service ended with {process.returncode}")


def load(port: int, body: bytes, clients: int, seconds: float) -> Turn:
    """Requests of clients that send one after the other."""
    ready = Barrier(clients, timeout=60)

    def client(_: int) -> tuple[float, list[float]]:
        connection = HTTPConnection("127.0.0.1", port)

        def ask() -> None:
            connection.request("POST", "/predict", body)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise RuntimeError(f"the service answered {response.status}")

        ask()
        connection.close()  # the service closes one that is idle for 5 s; `request` opens it again
        ready.wait()
        start = perf_counter()
        times = timed(ask, seconds)
        connection.close()
        return start, times

    with ThreadPoolExecutor(clients) as pool:
        results = list(pool.map(client, range(clients)))
    times = [time for _, each in results for time in each]
    return Turn(len(times), perf_counter() - min(start for start, _ in results), times)


def speed(turns: list[Turn]) -> list[str]:
    """Returns images per second, and percentiles of the latency in ms, as cells of the table."""
    percentiles = np.percentile([time for turn in turns for time in turn.times], (50, 95, 99)) * 1000
    images, seconds = sum(turn.images for turn in turns), sum(turn.seconds for turn in turns)
    return [f"{images / seconds:.1f}", *(f"{value:.0f}" for value in percentiles)]


def send_malformed(port: int, body: bytes, number: int) -> tuple[str, str]:
    """Sends malformed requests; returns what is to be said, and the change of the service's resident memory."""
    rng = np.random.default_rng(0)
    before, after = 0, 0
    for index in range(-number // 5, number):  # the first fill caches and pools
        if index == 0:
            before = resident(port)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            try:
                request, is_complete = malformed_request(rng, body)
                connection.sendall(request)
                if not is_complete:  # the service would wait for the rest
                    connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(2**16)
            except OSError:  # closed while a request that is too large is being sent
                answer = b""
        if answer.startswith(b"HTTP/1.1 500"):
            raise RuntimeError(f"malformed request {index}: {answer!r}")
    after = resident(port)
    return f"{number} malformed requests: MB of memory before, after", f"{before / 1e6:.0f}, {after / 1e6:.0f}"


def malformed_request(rng: np.random.Generator, body: bytes) -> tuple[bytes, bool]:
    """A request with a damaged image, of a wrong kind, or that is not HTTP; and whether it is complete."""
    junk = rng.bytes(int(rng.integers(1, 5000)))
    flipped = bytearray(body)
    for place in rng.integers(0, len(body), 20):
        flipped[place] = int(rng.integers(256))
    signature = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0", b"MM\0*", b"RIFF", b"GIF89a", b"\x93NUMPY")
    bodies = [
        body[: int(rng.integers(len(body)))],
        bytes(flipped),
        junk,
        signature[int(rng.integers(len(signature)))] + junk,
        b'{"image": "/etc/passwd"}',
        b"",
    ]
    kind = int(rng.integers(len(bodies) + 4))
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
    if kind < len(bodies):
        return head + b"Content-Length: %d\r\n\r\n" % len(bodies[kind]) + bodies[kind], True
    return (
        (head + b"X-Long: " + b"a" * 200_000 + b"\r\n\r\n", True),
        (head + b"Content-Length: 99999999999\r\n\r\n" + junk, True),
        (head + b"Content-Length: 1000\r\n\r\n" + junk[:500], False),
        (junk, False),
    )[kind - len(bodies)]


def resident(port: int) -> int:
    """Bytes of memory that the service states to hold."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return int(float(text.partition("\nprocess_resident_memory_bytes ")[2].split()[0]))
