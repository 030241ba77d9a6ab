"""A visit of the demo page: uploads, and what the page then shows and saves."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.predict.predictor import Predictor
from tests.demo.browser import Browser

OTHER_HOST = "http://elsewhere.invalid/"
PIXEL = (30, 11)  # column and row
WAIT = """new Promise((resolve) => {
    const check = () => (CONDITION) && resolve();
    new MutationObserver(check).observe(document, { attributes: true, childList: true, subtree: true });
    check();
})"""
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
    scroll_width: int
    errors: list[str]
    requests: list[str]
    violation: str

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
    """Writes a PNG of an odd size, one with transparent pixels, a JPEG to be turned, and a TIFF."""
    random = np.random.default_rng(0)
    smooth = Image.fromarray(random.integers(0, 256, (6, 7, 3), np.uint8)).resize((53, 45), Image.Resampling.BICUBIC)
    smooth.save(folder / "photo.png")
    hole = np.dstack([np.array(smooth), np.full((45, 53), 255, np.uint8)])
    hole[:10, :20, 3] = 0
    Image.fromarray(hole).save(folder / "hole.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    smooth.save(folder / "turned.jpg", quality=100, subsampling=0, exif=exif)
    smooth.save(folder / "photo.tif")
    return [folder / name for name in ("photo.png", "hole.png", "turned.jpg", "photo.tif")]


def visit(browser: Browser, url: str, width: int, files: list[Path]) -> Visit:
    """Opens the page, lets it predict its first example, and uploads the files."""
    browser.events.clear()
    browser.open(url, width)
    idle = 'document.getElementById("stage").getAttribute("aria-busy") === "false"'
    browser.evaluate(WAIT.replace("CONDITION", idle))
    example = browser.evaluate(SHOWN)["status"].partition(":")[0]
    uploads = []
    for file in files:
        browser.upload("#file", file)
        named = f'document.getElementById("status").textContent.startsWith({json.dumps(file.name)})'
        browser.evaluate(WAIT.replace("CONDITION", f"{named} && {idle}"))
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
        uploads.append(Upload(file, mask, shown["shares"], shown["pixel"], shown["probabilities"]))
    requests, errors = browser.requests(), browser.errors()
    return Visit(
        url.split("/")[2],
        uploads,
        example,
        browser.evaluate("document.documentElement.scrollWidth"),
        errors,
        requests,
        browser.evaluate(VIOLATION.replace("HOST", OTHER_HOST)),
    )


def _share(text: str) -> float:
    return float(text.removeprefix("< ").removesuffix(" %")) / 100
