"""Mean and standard deviation in stored units, of weights that were trained on other images."""

from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.normalization import Normalization

_MAX_SIDE = 256  # pixels of which the median is computed
_FARTHEST = 30  # standard deviations between the median of an image and the mean of all


def check_stored_units(normalization: Normalization, image: npt.NDArray[Any], name: str, source: str) -> str:
    """Checks that an image may have the units of a normalisation.

    Args:
        normalization: In stored units: its `scale` is 1.
        image: The first training image (H, W, C) as stored.
        name: Name of the image.
        source: What the normalisation is from.

    Returns:
        What the images are normalised by, and the values of this one.

    Raises:
        InputError: The image cannot have these units: its data type ends below the mean, or its values are far away.
    """
    mean, std = (np.array(each) for each in (normalization.mean, normalization.std))
    stated = " and ".join(f"{key} {_listed(each)}" for key, each in (("mean", mean), ("std", std)))
    step = max(1, max(image.shape[:2]) // _MAX_SIDE)
    values = np.ma.masked_array(image)[::step, ::step]  # pixels that lack data are masked
    own = f"{name}: values of {image.dtype} from {image.min()} to {image.max()}"
    distances = abs(np.ma.median(values, axis=(0, 1)) - mean) / std  # (C,)
    is_beyond = image.dtype.kind in "ui" and mean.max() > np.iinfo(image.dtype).max
    if is_beyond or np.ma.min(distances) > _FARTHEST:
        raise InputError(
            f"{own}, but {source} normalises by {stated} in the units of its own images: set the data's mean and std, "
            "which `seglit inspect` prints"
        )
    return f"normalised by {stated} in stored units, as in {source}; {own}"


def _listed(values: npt.NDArray[Any]) -> str:
    return ", ".join(f"{value:g}" for value in values)
