"""Reading a pair by its two files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglit.images.mask_settings import MaskSettings
from seglit.images.pairs import Pair
from seglit.images.read import PairReader
from seglit.labels import Labels


def read_pair(
    image: Path, mask: Path, labels: Labels, in_channels: int, **masks: Any
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Reads a pair; `masks` are arguments of `MaskSettings`."""
    return PairReader(labels, in_channels, masks=MaskSettings(**masks)).read(Pair(image, mask, image.stem))
