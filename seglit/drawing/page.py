"""Self-contained HTML pages: templates and embedded images."""

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image


def render(template: str, **values: Any) -> str:
    """Renders a Jinja template; values are HTML-escaped.

    Args:
        template: Path in the package, such as `inspect/page.html`. Templates extend `drawing/page.html`.
        values: Variables of the template.
    """
    environment = Environment(
        loader=PackageLoader("seglit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def data_address(array: npt.NDArray[np.uint8], max_size: int) -> str:
    """Encodes an image (H, W, 3) as a WebP data URL, shrunk so that neither side exceeds `max_size` pixels."""
    picture = Image.fromarray(array)
    picture.thumbnail((max_size, max_size))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=75)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
