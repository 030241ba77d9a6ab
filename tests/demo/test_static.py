"""`seglit demo --static`: the page in Chromium, from a plain web server, on a desktop and a phone."""

import io
import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

import seglit
from seglit.demo import onnxruntime_web
from seglit.errors import InputError
from seglit.images.picture import open_picture
from seglit.images.read import read_image
from seglit.normalization import Normalization
from seglit.predict.settings import Settings
from tests.conftest import Outcome, Run, run_in
from tests.demo.browser import BROWSER, WIDTHS, Browser
from tests.demo.visit import Visit, photos, visit
from tests.export.checkpoints import write_checkpoint

pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, trained: Outcome) -> Path:
    """The folder of the page, with ONNX Runtime from npm's cache: tests use no network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("npm_config_offline", "true")
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        try:
            runtime = onnxruntime_web.download()
        except InputError:
            pytest.skip(f"npm's cache has no {onnxruntime_web.PACKAGE}: `npm cache add {onnxruntime_web.PACKAGE}`")
        patch.setattr(onnxruntime_web, "download", lambda: runtime)
        root = tmp_path_factory.mktemp("static")
        outcome = run_in(root, "demo", trained.folder, "--static", "page", "--examples=2")
    assert outcome.code == 0, outcome.err
    assert "python -m http.server --directory page" in outcome.out
    return root / "page"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if BROWSER is None:
        pytest.skip("requires Chromium, which is not installed")
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def visits(folder: Path, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Visit]]:
    files = [file for file in photos(tmp_path_factory.mktemp("photos")) if file.suffix != ".tif"]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        yield {width: visit(browser, url, width, files) for width in WIDTHS}
        server.shutdown()


def test_masks_and_probabilities_are_those_of_predict(visits: dict[int, Visit], trained: Outcome) -> None:
    expected = seglit.load(trained.folder)
    expected.settings = Settings(precision="32-true")
    for seen in visits.values():
        seen.compare(expected, equal_jpeg=0.97)


def test_page_works_and_asks_no_other_host(visits: dict[int, Visit], shapes: Path) -> None:
    for width, seen in visits.items():
        seen.check_page(width, min(file.stem for file in (shapes / "images/test").iterdir()))
        assert any(url.endswith("/model.onnx") for url in seen.requests)  # workers are watched too


def test_examples_are_copied_only_on_request(folder: Path, shapes: Path) -> None:
    assert sorted(file.name for file in (folder / "examples").iterdir()) == ["0.png", "0.webp", "1.png", "1.webp"]
    first, *_, last = sorted((shapes / "images/test").iterdir())
    for name, original in (("0.png", first), ("1.png", last)):
        assert np.array_equal(np.array(Image.open(folder / "examples" / name)), np.array(Image.open(original)))


def test_licence_is_beside_the_files_of_onnx_runtime(folder: Path) -> None:
    names = {"LICENSE", "ThirdPartyNotices.txt", *onnxruntime_web.FILES}
    assert {file.name for file in (folder / "onnxruntime-web").iterdir()} == names


def test_licence_is_that_of_onnx_runtime() -> None:
    licence, notices = onnxruntime_web.licences().values()
    assert licence.startswith(b"MIT License\n\nCopyright (c) Microsoft Corporation\n")
    assert b"protocolbuffers/protobuf" in notices


@pytest.mark.parametrize(
    "stored", [[0, 7, 255], [3, 1000, 65535], [[0, 0, 0], [250, 10, 20], [255, 255, 255]]], ids=["8", "16", "RGB"]
)
def test_masks_are_saved_as_stored(
    visits: dict[int, Visit], browser: Browser, tmp_path: Path, stored: list[Any]
) -> None:
    indices = np.random.default_rng(0).choice([0, 1, 255], (5, 9)).astype(np.uint8)
    table = [*stored[:2], *[stored[2]] * 254]
    colors = [[index, 0, 0] for index in range(256)]
    arguments = f"Uint8Array.from({indices.ravel().tolist()}), 9, 5, {table}, {colors}"
    content = browser.evaluate(
        f"import('./png.js').then(({{ encodeMask }}) => encodeMask({arguments}))"
        ".then(async (blob) => [...new Uint8Array(await blob.arrayBuffer())])"
    )
    file = tmp_path / "mask.png"
    file.write_bytes(bytes(content))
    assert np.array_equal(open_picture(file).stored_values(), np.array(table)[indices])


@pytest.mark.parametrize("nodata", [(), (7.0,), (7.0, 8.0, 9.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_that_seglit_reads(
    visits: dict[int, Visit], browser: Browser, tmp_path: Path, channels: int, nodata: tuple[float, ...]
) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (6, 8, 4), np.uint8)
    rgba[0, :4, :3], rgba[1, :4, :3] = (7, 7, 7), (7, 8, 9)
    # seglit takes one value per band, and alpha is one
    rgba[..., 3] = np.where((rgba[..., 3] < 50) & (len(nodata) < 2), 0, 255)
    Image.fromarray(rgba if len(nodata) < 2 else rgba[..., :3]).save(tmp_path / "image.png")
    expected = read_image(tmp_path / "image.png", channels, nodata)
    options = json.dumps({"channels": channels, "fill": [1, 2, 3], "nodata": nodata})
    values, empty = browser.evaluate(
        f"import('./pixels.js').then(({{ prepare }}) => prepare(Uint8Array.from({rgba.ravel().tolist()}), {options}))"
        ".then(({ values, empty }) => [[...values], [...empty]])"
    )
    holes = np.reshape(empty, (6, 8)).astype(bool)
    assert holes.any()
    assert np.array_equal(np.ma.getmaskarray(expected), np.repeat(holes[..., None], channels, -1))
    image = np.moveaxis(np.reshape(values, (channels, 6, 8)), 0, -1)
    assert np.array_equal(image[~holes], np.ma.getdata(expected)[~holes])
    assert np.all(image[holes] == [1, 2, 3][:channels])


@pytest.mark.parametrize(("alpha", "note"), [(255, ""), (0, ""), (9, "colours of half-transparent pixels are rounded")])
def test_page_says_if_values_are_rounded(visits: dict[int, Visit], browser: Browser, alpha: int, note: str) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (8, 6), (7, 8, 9, alpha)).save(file, "PNG")
    blob = f"new Blob([Uint8Array.from({[*file.getvalue()]})])"
    assert (
        browser.evaluate(f"import('./pixels.js').then(({{ decode }}) => decode({blob})).then(({{ note }}) => note)")
        == note
    )


def test_without_npm(run: Run, trained: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = run("demo", trained.folder, "--static", "page")
    assert outcome.code == 2
    assert outcome.err.endswith("which npm downloads, and npm is not installed: install Node.js\n")
    assert not (tmp_path / "page").exists()


def test_what_a_browser_cannot_read(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime_web, "download", dict)
    stored_units = Normalization((100.0,), (50.0,), 1.0)
    write_checkpoint(tmp_path / "bands.ckpt", "seglit.networks.UNet", stored_units, 5, channels=[4, 8])
    outcome = run("demo", "bands.ckpt", "--static", "page")
    assert outcome.code == 2
    assert "predicts images of 5 bands of float32; browsers read 8-bit grey or RGB" in outcome.err
    (tmp_path / "page").mkdir()
    (tmp_path / "page/mine.txt").touch()
    outcome = run("demo", "bands.ckpt", "--static", "page")
    assert (outcome.code, outcome.err) == (2, "seglit: error: --static page: not an empty folder\n")
