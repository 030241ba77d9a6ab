"""Mean and standard deviation in stored units, of weights that were trained on other images."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.normalization import Normalization

_MAX_SIDE = 256  # pixels of a side that are looked at
_ENDS = (0.001, 0.999)  # quantiles, since single pixels may be defects
_FARTHEST = 30  # standard deviations between the mean of all images and an end of one
_NARROWEST = 0.1  # standard deviations between the ends of an image


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
        InputError: The image cannot have these units: its data type ends below the mean, or no channel has values that
            are neither far from the mean nor all but equal.
    """
    stated = f"mean {_listed(normalization.mean)} and std {_listed(normalization.std)}"
    own = f"{name}: values of {image.dtype} from {image.min()} to {image.max()}"
    is_beyond = image.dtype.kind in "ui" and max(normalization.mean) > np.iinfo(image.dtype).max
    fits = [*_fits(normalization, image)]
    if is_beyond or (fits and not any(fits)):
        raise InputError(
            f"{own}, but {source} normalises by {stated} in the units of its own images: set the data's mean and std, "
            "which `seglit inspect` prints, or these if the units are the same"
        )
    return f"normalised by {stated} in stored units, as in {source}; {own}"


def _fits(normalization: Normalization, image: npt.NDArray[Any]) -> Iterator[bool]:
    """Yields whether each channel that has data may have these units."""
    step = max(1, max(image.shape[:2]) // _MAX_SIDE)
    means, stds = (np.broadcast_to(each, image.shape[2]) for each in (normalization.mean, normalization.std))
    for channel, (mean, std) in enumerate(zip(means, stds, strict=True)):
        band = image[::step, ::step, channel]
        values = np.ma.getdata(band)[~np.ma.getmaskarray(band)]  # without pixels that lack data
        if values.size:
            low, high = np.quantile(values, _ENDS)
            is_narrow = 0 < high - low < _NARROWEST * std  # an image of one value, such as a black one, says nothing
            yield bool(max(mean - low, high - mean) <= _FARTHEST * std and not is_narrow)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
