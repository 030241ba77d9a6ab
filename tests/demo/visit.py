"""A visit of the demo page: uploads, and what the page then shows and saves."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from seglit.predict.predictor import Predictor
from tests.demo.browser import Browser

OTHER_HOST = "http://elsewhere.invalid/"
PIXEL = (30, 11)  # column and row
WAIT = """new Promise((resolve) => {
    const check = () => (CONDITION) && resolve();
    new MutationObserver(check).observe(document, { attributes: true, childList: true, subtree: true });
    check();
})"""
IDLE = 'document.getElementById("stage").getAttribute("aria-busy") === "false"'
SHOWN = """({
    shares: Object.fromEntries([...document.querySelectorAll("#legend button")].map((row) =>
        [...row.querySelectorAll("span:not(.swatch, .meter)")].map((cell) => cell.textContent))),
    pixel: document.getElementById("pixel").textContent,
    probabilities: Object.fromEntries([...document.querySelectorAll("#probabilities .bars")].map((row) =>
        [...row.querySelectorAll("span:not(.swatch, .meter)")].map((cell) => cell.textContent))),
    status: document.getElementById("status").textContent,
})"""
CLICK = """(() => {
    const stage = document.getElementById("stage"), box = stage.getBoundingClientRect();
    const at = ([column, row], [width, height]) => ({ bubbles: true,
        clientX: box.left + stage.clientLeft + stage.clientWidth * (column + 0.5) / width,
        clientY: box.top + stage.clientTop + stage.clientHeight * (row + 0.5) / height });
    stage.dispatchEvent(new MouseEvent("click", at(PIXEL, SIZE)));
})()"""
VIEWS = """(() => {
    const slider = document.getElementById("opacity");
    slider.value = 25;
    slider.dispatchEvent(new Event("input"));
    return ["image", "overlay", "mask"].map((view) => {
        document.querySelector(`[data-view=${view}]`).click();
        return Number(getComputedStyle(document.getElementById("layer")).opacity);
    });
})()"""
HIDDEN = """(() => { // number of pixels that are drawn, before and after the first class is switched off
    const layer = document.getElementById("layer"), { width, height } = layer;
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    const drawn = () => {
        copy.clearRect(0, 0, width, height);
        copy.drawImage(layer, 0, 0);
        return copy.getImageData(0, 0, width, height).data.filter((value, at) => at % 4 === 3 && value).length;
    };
    const before = drawn();
    document.querySelector("#legend button").click();
    return [before, drawn()];
})()"""
DROP = """fetch("examples/0.png").then((response) => response.blob()).then((blob) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], "dropped.png"));
    const options = { dataTransfer, bubbles: true, cancelable: true };
    document.getElementById("stage").dispatchEvent(new DragEvent("drop", options));
})"""
VIOLATION = """new Promise((resolve) => {
    addEventListener("securitypolicyviolation", (event) => resolve(`${event.effectiveDirective} ${event.blockedURI}`));
    fetch("HOST").catch(() => {});
})"""


class Upload(NamedTuple):
    """A file, the mask that the page saved for it, and what it showed."""

    file: Path
    mask: npt.NDArray[np.uint8]
    shares: dict[str, str]
    pixel: str
    probabilities: dict[str, str]


class Visit(NamedTuple):
    """What was seen at one width."""

    host: str
    uploads: list[Upload]
    example: str
    opacities: list[float]
    drawn: list[int]
    scroll_width: int
    errors: list[str]
    requests: list[str]
    violation: str

    def check_page(self, width: int, example: str) -> None:
        """Checks that the page fits, works without errors, and that neither it nor a worker asks another host."""
        assert self.example == example
        assert self.scroll_width <= width
        assert self.errors == []
        assert {url.split("/")[2] for url in self.requests if not url.startswith(("blob:", "data:"))} == {self.host}
        assert self.violation == f"connect-src {OTHER_HOST}"
        assert self.opacities == [0, 0.25, 1]
        pixels = self.uploads[-1].mask.size
        first = next(iter(self.uploads[-1].shares.values()))
        assert self.drawn[0] == pixels
        assert abs(1 - self.drawn[1] / pixels - _share(first)) < 0.001

    def compare(self, predictor: Predictor, equal_jpeg: float) -> None:
        """Compares masks, shares and probabilities with those of a predictor.

        Args:
            predictor: The predictor.
            equal_jpeg: Share of the pixels that must be equal in a JPEG, whose values depend on the decoder.
        """
        names = predictor.labels.class_names
        for upload in self.uploads:
            mask, probabilities = predictor(upload.file), predictor.probabilities(upload.file)
            assert mask.shape == upload.mask.shape
            expected_equal = equal_jpeg if upload.file.suffix == ".jpg" else 0.999
            assert np.mean(mask == upload.mask) >= expected_equal, upload.file
            if upload.file.suffix == ".jpg":
                continue
            for index, name in enumerate(names):
                assert abs(_share(upload.shares.get(name, "0 %")) - np.mean(mask == index)) < 0.002
            column, row = PIXEL
            shown = {name: _share(text) for name, text in upload.probabilities.items()}
            expected = probabilities[:, row, column]
            best = np.argsort(-expected)[: len(shown)]
            assert [*shown] == [names[index] for index in best]
            assert np.allclose([*shown.values()], expected[best], atol=0.002)
            assert upload.pixel == f"x {column}, y {row}: {names[mask[row, column]]}"


def photos(folder: Path) -> list[Path]:
    """Writes a PNG of an odd size, one with transparent pixels, a JPEG to be turned, and a TIFF.

    The first states linear light, by which browsers convert its values for the screen.
    """
    random = np.random.default_rng(0)
    smooth = Image.fromarray(random.integers(0, 256, (6, 7, 3), np.uint8)).resize((53, 45), Image.Resampling.BICUBIC)
    linear = PngInfo()
    linear.add(b"gAMA", (100_000).to_bytes(4, "big"))
    smooth.save(folder / "photo.png", pnginfo=linear)
    hole = np.dstack([np.array(smooth), np.full((45, 53), 255, np.uint8)])
    hole[:10, :20, 3] = 0
    Image.fromarray(hole).save(folder / "hole.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    smooth.save(folder / "turned.jpg", quality=100, subsampling=0, exif=exif)
    smooth.save(folder / "photo.tif")
    return [folder / name for name in ("photo.png", "hole.png", "turned.jpg", "photo.tif")]


def visit(browser: Browser, url: str, width: int, files: list[Path]) -> Visit:
    """Opens the page, lets it predict its first example, uploads the files, and drops one."""
    browser.events.clear()
    browser.open(url, width)
    browser.evaluate(WAIT.replace("CONDITION", IDLE))
    example = browser.evaluate(SHOWN)["status"].partition(":")[0]
    uploads = [_upload(browser, file) for file in files]
    opacities, drawn = browser.evaluate(VIEWS), browser.evaluate(HIDDEN)
    browser.evaluate(DROP)
    _wait_for(browser, "dropped.png")
    return Visit(
        url.split("/")[2],
        uploads,
        example,
        opacities,
        drawn,
        browser.evaluate("document.documentElement.scrollWidth"),
        browser.errors(),
        browser.requests(),
        browser.evaluate(VIOLATION.replace("HOST", OTHER_HOST)),
    )


def _upload(browser: Browser, file: Path) -> Upload:
    """Uploads a file, clicks on a pixel, and saves the mask."""
    browser.upload("#file", file)
    _wait_for(browser, file.name)
    with Image.open(file) as image:
        size = image.size[::-1] if file.suffix == ".jpg" else image.size
    browser.evaluate(CLICK.replace("PIXEL", json.dumps(PIXEL)).replace("SIZE", json.dumps(size)))
    browser.evaluate(WAIT.replace("CONDITION", 'document.querySelector("#probabilities .bars")'))
    shown = browser.evaluate(SHOWN)
    browser.evaluate('document.getElementById("save-mask").click()')
    saved = browser.downloaded()
    assert saved.name == f"{file.stem}-mask.png"
    with Image.open(saved) as picture:
        mask = np.array(picture)
    saved.unlink()
    return Upload(file, mask, shown["shares"], shown["pixel"], shown["probabilities"])


def _wait_for(browser: Browser, name: str) -> None:
    """Waits for the prediction of a picture."""
    named = f'document.getElementById("status").textContent.startsWith({json.dumps(name)})'
    browser.evaluate(WAIT.replace("CONDITION", f"{named} && {IDLE}"))


def _share(text: str) -> float:
    return float(text.removeprefix("< ").removesuffix(" %")) / 100
