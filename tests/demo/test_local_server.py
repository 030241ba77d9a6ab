"""`seglit demo`: the page in Chromium, from the local server, on a desktop and a phone."""

import socket
from pathlib import Path
from threading import Thread
from unittest import mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

import seglit
from seglit.demo.examples import Example, Examples
from seglit.images.read import read_image
from tests.conftest import Outcome, Run, run_in
from tests.demo.browser import BROWSER, WIDTHS, Browser
from tests.demo.visit import Visit, photos, visit

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastapi import FastAPI

from seglit.demo.local_server import create_demo
from seglit.serve import server as serve_server
from seglit.serve.limits import Limits
from tests.serve.running import running


@pytest.fixture(scope="module")
def visits(trained: Outcome, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Visit]:
    """Visits of the page that the command serves."""
    if BROWSER is None:
        pytest.skip("requires Chromium, which is not installed")
    root = tmp_path_factory.mktemp("visits")
    files, seen = photos(root), dict[int, Visit]()

    def visit_it(app: FastAPI, listener: socket.socket, limits: Limits) -> None:
        server = serve_server.make_server(app, limits)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with Browser(root) as browser:
            seen.update({width: visit(browser, url, width, files) for width in WIDTHS})
        with pytest.raises(HTTPError, match="400"):
            urlopen(Request(url, headers={"Host": "elsewhere.invalid"}))
        server.should_exit = True
        thread.join()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve_server, "run_server", visit_it)
        outcome = run_in(root, "demo", trained.folder, "--port=0", "--examples=2")
    assert outcome.code == 0, outcome.err
    return seen


def test_masks_and_probabilities_are_those_of_predict(visits: dict[int, Visit], trained: Outcome) -> None:
    for seen in visits.values():
        seen.compare(seglit.load(trained.folder), equal_jpeg=0.999)


def test_page_works_and_asks_no_other_host(visits: dict[int, Visit], shapes: Path) -> None:
    for width, seen in visits.items():
        seen.check_page(width, min(file.stem for file in (shapes / "images/test").iterdir()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_examples_are_files_that_read_as_the_images(tmp_path: Path, dtype: type[np.generic], bands: int) -> None:
    image = np.random.default_rng(0).integers(0, 200, (11, 7, bands)).astype(dtype)
    holes = np.zeros(image.shape, bool)
    holes[:3, :2] = True
    for array in (image, np.ma.MaskedArray(image, holes)):
        examples = Examples((Example("a", array),))
        ((_, name, _),) = examples.names()
        file = tmp_path / Path(name).name
        file.write_bytes(examples.files()[name])
        read = read_image(file, bands, ())
        assert read.dtype == dtype
        assert np.array_equal(np.ma.getmaskarray(read), np.ma.getmaskarray(array))
        assert np.array_equal(np.ma.getdata(read)[~holes], image[~holes])


def test_images_in_which_no_value_marks_pixels_without_data_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = np.ma.MaskedArray(np.arange(17 * 17 * 2).reshape(17, 17, 2).astype(np.uint8), mask=False)
    full[0, 0] = np.ma.masked
    images = {"a": full, "b": full.data, "c": np.ma.MaskedArray(full.data // 2, full.mask)}
    dataset = mock.Mock(read=lambda index: ([*images.values()][index], None, [*images][index]), __len__=lambda _: 3)
    data = mock.Mock(dataset=lambda _: dataset)
    monkeypatch.setattr("seglit.demo.examples.find_data", lambda *_: (data, ""))
    examples = Examples.of_run(tmp_path, 3, ())
    assert [example.name for example in examples.images] == ["b", "c"]
    assert examples.files().keys() == {f"examples/{at}.{suffix}" for at in range(2) for suffix in ("tif", "webp")}
    assert capsys.readouterr().err.startswith("not shown: a, ")


def test_the_address_shows_the_page(trained: Outcome) -> None:
    app = create_demo(seglit.load(trained.folder), "mine", Examples(), ["*"])
    with running(app) as service:
        assert b"<html" in service.request("/").body


@pytest.mark.parametrize(
    ("model", "title", "names"),
    [
        ("checkpoints/best.ckpt", "mine", ["00000", "00002"]),
        ("export/float32.onnx", "mine", ["00000", "00002"]),
        ("models/of_others.onnx", "seglit demo", []),  # config.yaml beside it is not its run's
    ],
)
def test_examples_of_checkpoints_and_exported_files(
    run: Run,
    trained: Outcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    title: str,
    names: list[str],
) -> None:
    folder = tmp_path / "mine/run"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_bytes((trained.folder / "config.yaml").read_bytes())
    (folder / model).parent.mkdir()
    (folder / model).touch()
    monkeypatch.setattr(serve_server, "run_server", lambda *_: None)
    monkeypatch.setattr("seglit.predict.load.load", lambda *_: None)
    pages = mock.Mock()
    monkeypatch.setattr("seglit.demo.local_server.create_demo", pages)
    outcome = run("demo", folder / model, "--port=0", "--examples=2")
    assert outcome.code == 0
    assert bool(outcome.err) == (not names), "says why there are no test images"
    ((_, shown_title, examples, _), _) = pages.call_args
    assert (shown_title, [example.name for example in examples.images]) == (title, names)


def test_without_data(run: Run, trained: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_server, "run_server", lambda *_: None)
    (tmp_path / "alone.ckpt").write_bytes((trained.folder / "checkpoints/best.ckpt").read_bytes())
    outcome = run("demo", "alone.ckpt", "--port=0")
    assert outcome.code == 0
    assert outcome.err == "no test images: the run has no config.yaml, so its data is not known\n"
