"""Self-contained HTML pages: templates and embedded images."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image


def write_page(path: Path, template: str, **values: Any) -> None:
    """Writes a page: one self-contained HTML file that works offline.

    Args:
        path: HTML file; missing parent folders are created.
        template: Path in the package, such as `inspect/page.html`. Templates extend `drawing/page.html`.
        values: Variables of the template; they are HTML-escaped.
    """
    environment = Environment(
        loader=PackageLoader("seglit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(**values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", errors="backslashreplace")  # file names may not be valid Unicode


def data_address(array: npt.NDArray[np.uint8], max_size: int) -> str:
    """Encodes an image (H, W, 3) as a WebP data URL, shrunk so that neither side exceeds `max_size` pixels."""
    picture = Image.fromarray(array)
    picture.thumbnail((max_size, max_size))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=75)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
