"""The one predictor: images of any size in, masks at their own size out."""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglit.hardware import avoid_broken_amx, fastest_memory_format, fastest_precision, find_device
from seglit.images.picture import Picture, read_image
from seglit.labels import Labels
from seglit.networks.contract import forward
from seglit.normalization import Normalization, Normalize
from seglit.predict.settings import Settings
from seglit.predict.tiles import SMALLEST_TILE, Blend, Grid, Span, divide, make_grid

BATCH_PIXELS = 2**21
"""Tiles, or images, of one size are computed together up to so many pixels."""
BATCH_VALUES = 2**26
"""And up to so many probabilities, 4 bytes each."""
_MIRRORED: dict[str, list[list[int]]] = {"none": [[]], "horizontal": [[], [3]], "all": [[], [3], [2], [2, 3]]}
_DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}

Array = npt.NDArray[Any]


class Prediction(NamedTuple):
    """What is predicted: class indices uint8 (H, W); probabilities float32 (num_classes, H, W), or None."""

    mask: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32] | None


class Tile(NamedTuple):
    """A piece of an image (h, w, C), and where it lies."""

    grid: Grid
    row: Span
    column: Span
    pixels: Array


class Block(NamedTuple):
    """A finished piece of a prediction: probabilities (K, h, w), or logits where only the mask is wanted."""

    grid: Grid
    row: Span
    column: Span
    scores: Tensor

    @property
    def mask(self) -> npt.NDArray[np.uint8]:
        """Class indices (h, w)."""
        return self.scores.argmax(0).byte().cpu().numpy()

    @property
    def completes(self) -> bool:
        """Whether the image is finished with it."""
        return (self.row.done, self.column.done) == self.grid.size


class Predictor:
    """Predicts with a network, on the fastest device at hand.

    An image of up to 4 megapixels is taken whole, as in validation and test; a larger one in overlapping tiles, and so
    is one that the GPU's memory is too small for. `settings` may be set at any time.

    Args:
        network: The network.
        labels: Names, colours and stored values of the classes.
        normalization: What the network's images are normalised by.
        in_channels: Channels of the images.
        settings: Tiles, test-time augmentation, precision.
    """

    def __init__(
        self,
        network: nn.Module,
        labels: Labels,
        normalization: Normalization,
        in_channels: int = 3,
        settings: Settings | None = None,
    ) -> None:
        kind = find_device()
        if kind == "cpu":
            avoid_broken_amx()
        self.device = torch.device(kind)
        self.fastest_precision = fastest_precision(kind)
        channels_last = fastest_memory_format(kind) == "channels_last"
        memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.eval().requires_grad_(False).to(self.device).to(memory_format=memory_format)
        self.normalize = Normalize(normalization, memory_format).to(self.device)
        self.labels = labels
        self.in_channels = in_channels
        self.settings = settings or Settings()

    def __call__(self, image: Array | str | Path) -> npt.NDArray[np.uint8]:
        """The mask (H, W) of an image, as class indices uint8.

        Args:
            image: A file, or (H, W, C) as a file would hold it: uint8, uint16, int16 or float32. One channel may be
                given as (H, W).

        Raises:
            InputError: The file cannot be read; other channels; a type that the normalisation is not for.
        """
        (prediction,) = self.stream([self._read(image)])
        return prediction.mask

    def probabilities(self, image: Array | str | Path) -> npt.NDArray[np.float32]:
        """The probabilities (num_classes, H, W) of an image's classes, float32.

        Raises:
            InputError: As for the mask.
        """
        (prediction,) = self.stream([self._read(image)], probabilities=True)
        assert prediction.probabilities is not None  # noqa: S101  # asked for
        return prediction.probabilities

    def stream(self, images: Iterable[Array], probabilities: bool = False) -> Iterator[Prediction]:
        """Predicts image after image; what is of one size is computed together, so that a few are read ahead.

        Args:
            images: Images (H, W, in_channels), see `seglit.images.picture.read_image`.
            probabilities: Whether they are wanted beside the masks.
        """
        mask, found = np.empty((0, 0), np.uint8), None
        for block in self.blocks((tile for image in images for tile in self._tiles(image)), probabilities):
            if block.row.start == block.column.start == 0:
                mask = np.empty(block.grid.size, np.uint8)
                found = np.empty((self.labels.num_classes, *mask.shape), np.float32) if probabilities else None
            mask[block.row.finished, block.column.finished] = block.mask
            if found is not None:
                found[:, block.row.finished, block.column.finished] = block.scores.cpu().numpy()
            if block.completes:
                yield Prediction(mask, found)

    def grid(self, height: int, width: int) -> Grid:
        """The tiles that an image is taken in."""
        return make_grid(height, width, self.labels.num_classes, self.settings)

    def blocks(self, tiles: Iterable[Tile], probabilities: bool = False) -> Iterator[Block]:
        """Predicts tiles, all of an image and in reading order, and gives as many finished pieces."""
        waiting: deque[Tile] = deque()
        blend: Blend | None = None
        for scores in self._answers(tiles, waiting):
            grid, row, column, _ = waiting.popleft()
            if grid.is_whole:
                yield Block(grid, row, column, scores.softmax(0) if probabilities else scores)
                continue
            if blend is None or row.start == column.start == 0:
                blend = Blend(grid, self.labels.num_classes, scores.device)
            yield Block(grid, row, column, blend.add(scores.softmax(0), row, column))

    def _read(self, image: Array | str | Path) -> Array:
        if isinstance(image, np.ndarray):
            return Picture(Path("image"), image, "array", "array").image(self.in_channels)
        return read_image(Path(image), self.in_channels)

    def _tiles(self, image: Array) -> Iterator[Tile]:
        grid = self.grid(*image.shape[:2])
        return (Tile(grid, row, column, image[row.seen, column.seen]) for row, column in grid.places())

    def _answers(self, tiles: Iterable[Tile], waiting: deque[Tile]) -> Iterator[Tensor]:
        """Scores (num_classes, h, w) of tiles, computed in batches of one size; `waiting` holds those under way."""
        batch: list[Array] = []
        for tile in tiles:
            pixels = tile.pixels
            limit = min(BATCH_PIXELS, BATCH_VALUES // self.labels.num_classes) // pixels[..., 0].size
            if batch and (len(batch) >= limit or (batch[0].shape, batch[0].dtype) != (pixels.shape, pixels.dtype)):
                yield from self._scores(np.stack(batch))
                batch = []
            batch.append(pixels)
            waiting.append(tile)
        if batch:
            yield from self._scores(np.stack(batch))

    @torch.no_grad()
    def _scores(self, pixels: Array) -> Tensor:
        """What softmax makes probabilities of, float32 (B, num_classes, H, W), for images (B, H, W, C)."""
        try:
            normal = self.normalize(torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2))
            if not self.settings.augments:
                return self._logits(normal)
            views = [
                self._view(normal, scale, mirrored)
                for scale in self.settings.scales
                for mirrored in _MIRRORED[self.settings.flips]
            ]
            return (sum(views[1:], views[0]) / len(views)).log()
        except torch.OutOfMemoryError:
            if max(pixels.shape[1:3]) <= SMALLEST_TILE and len(pixels) == 1:
                raise
        # Outside the handler, which would keep what the failed attempt has computed.
        if len(pixels) > 1:
            half = len(pixels) // 2
            return torch.cat([self._scores(pixels[:half]), self._scores(pixels[half:])])
        return self._tiled_scores(pixels[0])[None]

    def _tiled_scores(self, image: Array) -> Tensor:
        """Scores of an image, or tile, that the device's memory is too small for, in tiles of half its size."""
        height, width = image.shape[:2]
        tile = max(SMALLEST_TILE, -(-max(height, width) // 64) * 32)
        grid = Grid(*(divide(length, tile, self.settings.overlap) for length in (height, width)))
        found = torch.empty(self.labels.num_classes, height, width, device=self.device)
        tiles = (Tile(grid, row, column, image[row.seen, column.seen]) for row, column in grid.places())
        for _, row, column, scores in self.blocks(tiles, probabilities=True):
            found[:, row.finished, column.finished] = scores
        return found.log()

    def _view(self, normal: Tensor, scale: float, mirrored: list[int]) -> Tensor:
        """Probabilities (B, num_classes, H, W) found in a scaled and mirrored copy of images."""
        height, width = normal.shape[2:]
        seen = normal
        if scale != 1:
            size = [max(1, round(height * scale)), max(1, round(width * scale))]
            seen = F.interpolate(normal, size, mode="bilinear", antialias=scale < 1)
        found = self._logits(seen.flip(mirrored)).softmax(1).flip(mirrored)
        return found if scale == 1 else F.interpolate(found, (height, width), mode="bilinear")

    def _logits(self, normal: Tensor) -> Tensor:
        dtype = _DTYPES[self.settings.precision or self.fastest_precision]
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            return forward(self.network, normal, self.labels.num_classes)[0].float()
