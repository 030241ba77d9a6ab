"""seglit: from a folder of images and masks to a trained, honestly scored semantic segmentation network."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from seglit.predict import Predictor

__version__ = "0.1.0"


def load(path: "str | Path") -> "Predictor":
    """Makes a predictor from a checkpoint, or from a run folder's best one; see `seglit.predict.load`.

    `seglit.load(RUN)("image.jpg")` is the image's mask.

    Raises:
        InputError: There is no such checkpoint, it is none of seglit's, or its network's class is not found.
    """
    from seglit.predict import load  # only now: `import seglit` stays light

    return load(path)
