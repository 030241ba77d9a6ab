"""Perceptual hash by differences of neighbouring patches, in which differences within the noise do not count."""

import numpy as np
import numpy.typing as npt
from PIL import Image

_SIDE = 16  # patches along each side
_DIFFERENCES = 2 * _SIDE * (_SIDE - 1)
_ABOVE_NOISE = 4  # standard deviations of a difference that counts
_MIN_CONTRAST = 0.04  # of the largest difference, where there is no noise
_SAMPLES = 1 << 16  # pixels that the noise is estimated from
_MEDIAN = 0.6745  # of the magnitudes of a standard normal distribution
BYTES = 2 * _DIFFERENCES // 8


def dhash(array: npt.NDArray[np.generic]) -> bytes:
    """Returns the signs of the differences between neighbouring patches of an image (H, W, C), 0 within the noise.

    A difference hash (N. Krawetz, 2013, hackerfactor.com/blog/?/archives/529) has a bit for each difference, which
    noise draws at random where patches are alike.
    """
    channels = array.shape[-1]
    grey = array.astype(np.float32, copy=False) @ np.full(channels, 1 / channels, np.float32)  # faster than mean()
    small = np.asarray(Image.fromarray(grey).resize((_SIDE, _SIDE), Image.Resampling.BOX))
    differences = np.concatenate([np.diff(small, axis=0).ravel(), np.diff(small, axis=1).ravel()])
    noise = _noise(grey) * (2 * _SIDE**2 / grey.size) ** 0.5
    threshold = max(_ABOVE_NOISE * noise, _MIN_CONTRAST * float(np.abs(differences).max()))
    return np.packbits([differences > threshold, differences < -threshold]).tobytes()


def _noise(grey: npt.NDArray[np.float32]) -> float:
    """Standard deviation of the noise of a pixel, from second differences along rows, which edges hardly change."""
    rows = grey[:: -(-grey.size // _SAMPLES)]
    second = np.abs(rows[:, 2:] - 2 * rows[:, 1:-1] + rows[:, :-2])
    return float(np.median(second)) / (_MEDIAN * 6**0.5) if second.size else 0.0


def signs(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Returns the differences (N, D) of hashes (N, bytes): 1, -1 or 0."""
    above, below = np.split(np.unpackbits(hashes, axis=1).astype(np.float32), 2, axis=1)
    return above - below
