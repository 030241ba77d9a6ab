"""The files of the page, and what it knows of the network: demo.json."""

from pathlib import Path

import msgspec
import numpy as np

from seglit.demo.examples import Examples
from seglit.drawing.predictions import background
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX, Color, Labels, Stored
from seglit.predict.write import Writer

_ROOM = Path(__file__).parent
_FILES = {
    "index.html": _ROOM / "index.html",
    "page.css": _ROOM.parent / "drawing/page.css",
    **{name: _ROOM / name for name in ("demo.css", "demo.js", "png.js")},
}
IN_BROWSER = {"predictor.js": _ROOM / "in_browser.js", **{name: _ROOM / name for name in ("worker.js", "pixels.js")}}
"""Scripts that predict in the browser."""
ON_SERVER = {"predictor.js": _ROOM / "on_server.js"}
"""Scripts that predict by `seglit serve`."""


class PageClass(msgspec.Struct, frozen=True):
    """A class: name, colour, and what mask files store for it."""

    name: str
    color: Color
    stored: Stored


class PageExample(msgspec.Struct, frozen=True):
    """A test image: name, and the addresses of the image and of a small copy."""

    name: str
    file: str
    thumbnail: str


class PageInput(msgspec.Struct, frozen=True):
    """What a file takes: channels, values that fill pixels without data, and values that mark them."""

    channels: int
    fill: tuple[float, ...]
    nodata: tuple[float, ...]


class PageData(msgspec.Struct, frozen=True):
    """The content of demo.json.

    Args:
        title: Heading.
        classes: In the order of the class indices.
        void: What mask files store for pixels without data.
        background: The class that overlays do not show; None if they show all.
        examples: Test images to choose from.
        input: For prediction in the browser; None on a server.
    """

    title: str
    classes: list[PageClass]
    void: Stored
    background: int | None
    examples: list[PageExample]
    input: PageInput | None


def title_of(folder: Path) -> str:
    """Returns the experiment of a run folder; if the folder is none, a general title."""
    return folder.parent.name if (folder / "config.yaml").is_file() else "seglit demo"


def describe_page(title: str, labels: Labels, examples: Examples, page_input: PageInput | None = None) -> bytes:
    """Describes a network to the page, as JSON.

    Args:
        title: Heading.
        labels: Its classes.
        examples: Test images to choose from.
        page_input: For prediction in the browser.
    """
    *stored, void = _stored_values(labels)
    classes = [PageClass(*one) for one in zip(labels.class_names, labels.palette, stored, strict=True)]
    listed = [PageExample(*names) for names in examples.names()]
    return msgspec.json.encode(PageData(title, classes, void, background(labels), listed, page_input))


def page_files(scripts: dict[str, Path]) -> dict[str, bytes]:
    """Returns the files of the page by name: those of both variants, and the scripts of one."""
    return {name: file.read_bytes() for name, file in {**_FILES, **scripts}.items()}


def _stored_values(labels: Labels) -> list[Stored]:
    """What `seglit predict` writes for each class, then for void; colours if PNG cannot store the values."""
    indices = np.array([[*range(labels.num_classes), IGNORE_INDEX]], np.uint8)
    try:
        (values,) = Writer("stored", labels, nodata=True).encode(indices)
    except InputError:
        (values,) = Writer("color", labels, nodata=True).encode(indices)
    return [tuple(value) if isinstance(value, list) else value for value in values.tolist()]
