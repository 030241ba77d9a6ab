"""PNG images inside annotation files."""

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image


def decode_png(content: bytes, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Decodes a mask: its pixels that are neither black nor, if there is alpha, transparent.

    Args:
        content: The PNG.
        size: Height and width of the annotated image, which the mask may not exceed.

    Raises:
        ValueError: It is not a PNG, or larger than the image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=["PNG"]) as part:
                if part.height > size[0] or part.width > size[1]:
                    raise ValueError(f"it is {part.height} x {part.width} pixels, larger than the image")
                has_alpha = "A" in part.getbands() or "transparency" in part.info
                converted = part.convert("RGBA" if has_alpha else "L")
                return np.array(converted.getchannel("A") if has_alpha else converted) > 0
    except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{type(error).__name__}: not a PNG") from error
