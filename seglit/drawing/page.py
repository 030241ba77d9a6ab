"""Pages of one HTML file: a template filled in, in the house's style, with pictures inside."""

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image


def render(template: str, **values: Any) -> str:
    """Fills in a template; what is put in is escaped.

    Args:
        template: Its path in the package, as in `inspect/page.html`; it includes the style, `page.css`.
        values: What it calls by these names.
    """
    environment = Environment(
        loader=PackageLoader("seglit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def data_address(array: npt.NDArray[np.uint8], largest: int) -> str:
    """A picture (H, W, 3) as an address that holds it, made smaller until neither side is above `largest` pixels."""
    picture = Image.fromarray(array)
    picture.thumbnail((largest, largest))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=75)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
