"""The predictor: images of any size in, masks of the same size out."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import overload

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from seglit.drawing.predictions import draw_overlay
from seglit.errors import RunError
from seglit.hardware import avoid_broken_amx, fastest_memory_format, fastest_precision, find_device
from seglit.images.scaling import Resize, Size, resize_image
from seglit.images.validity import Flags, no_data
from seglit.labels import Labels
from seglit.networks.contract import forward
from seglit.normalization import Normalization, Normalize
from seglit.predict.inputs import Input, Inputs, check_unit_range, input_name, read_input
from seglit.predict.settings import Settings
from seglit.predict.tile_scores import Array, Block, Prediction, Tile, at_stored_size, cut
from seglit.predict.tiles import SMALLEST_TILE, Blend, Grid, divide_image, make_grid

BATCH_PIXELS = 2**21
"""Maximum number of pixels in a batch of tiles or images of one size."""
BATCH_VALUES = 2**26
"""Maximum number of output values in a batch, 4 bytes each."""
_LISTED_CLASSES = 8
_FLIPPED_AXES: dict[str, list[list[int]]] = {"none": [[]], "horizontal": [[], [3]], "all": [[], [3], [2], [2, 3]]}
_DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}


class Predictor:
    """Predicts masks with a network, on the fastest available device.

    Images of up to 4 megapixels are predicted whole, as in validation and test; larger ones, and those that exceed the
    GPU's memory, in overlapping tiles. `settings` may be changed at any time.

    Args:
        network: The network.
        labels: Names, colours and stored values of the classes.
        normalization: Mean and standard deviation of the network's input.
        in_channels: Number of image channels.
        settings: Tiling, test-time augmentation, precision.
        nodata_values: Value of pixels without data, beside the one that files state: one in all, or one per channel.
        resize: Size that the network sees images at: a factor, or (height, width); None is their own.

    >>> from seglit.networks import UNet
    >>> from seglit.normalization import Normalization
    >>> labels = Labels.create(["background", "crack"])
    >>> predictor = Predictor(UNet(num_classes=2, channels=[4, 8]), labels, Normalization((0.449,), (0.226,)))
    >>> predictor(np.zeros((48, 64, 3), np.uint8)).shape
    (48, 64)
    """

    def __init__(
        self,
        network: nn.Module,
        labels: Labels,
        normalization: Normalization,
        in_channels: int = 3,
        settings: Settings | None = None,
        nodata_values: tuple[float, ...] = (),
        resize: Resize = None,
    ) -> None:
        kind = find_device()
        if kind == "cpu":
            avoid_broken_amx()
        self.device = torch.device(kind)
        self.fastest_precision = fastest_precision(kind)
        is_channels_last = fastest_memory_format(kind) == "channels_last"
        memory_format = torch.channels_last if is_channels_last else torch.contiguous_format
        self.network = network.eval().requires_grad_(False).to(self.device).to(memory_format=memory_format)
        self.normalize = Normalize(normalization, memory_format).to(self.device)
        self.labels = labels
        self.in_channels = in_channels
        self.settings = settings or Settings()
        self.nodata_values = nodata_values
        self.resize = resize

    @overload
    def __call__(self, image: Input) -> npt.NDArray[np.uint8]: ...
    @overload
    def __call__(self, image: Inputs) -> list[npt.NDArray[np.uint8]]: ...
    def __call__(self, image: Input | Inputs) -> npt.NDArray[np.uint8] | list[npt.NDArray[np.uint8]]:
        """Predicts the mask of an image, as class indices uint8 (H, W), and 255 where the image has no data.

        Args:
            image: A file, an array (H, W, C), a Pillow image or a tensor (C, H, W), with the values that files store:
                uint8, uint16, int16 or float32, not normalised. A single channel may be given as (H, W). Of a list, a
                list of masks is returned; consecutive images of one size form a batch.

        Raises:
            InputError: The file cannot be read, the number of channels differs, or the normalisation does not support
                the dtype or range.
            RunError: The network answered NaN.
        """
        masks = [prediction.mask for prediction in self.stream(self._read(image))]
        return masks if isinstance(image, list | tuple) else masks[0]

    @overload
    def probabilities(self, image: Input) -> npt.NDArray[np.float32]: ...
    @overload
    def probabilities(self, image: Inputs) -> list[npt.NDArray[np.float32]]: ...
    def probabilities(self, image: Input | Inputs) -> npt.NDArray[np.float32] | list[npt.NDArray[np.float32]]:
        """Predicts the class probabilities of an image, float32 (num_classes, H, W), or of each of a list.

        Raises:
            InputError: As for the mask.
            RunError: Likewise.
        """
        predictions = self.stream(self._read(image), probabilities=True)
        requested = [probs for _, probs in predictions if probs is not None]
        return requested if isinstance(image, list | tuple) else requested[0]

    def overlay(self, image: Input) -> Image.Image:
        """Draws the predicted mask over an image, in RGB at its size; the background is transparent.

        Raises:
            InputError: As for the mask.
            RunError: Likewise.
        """
        (array,) = self._read([image])
        (prediction,) = self.stream([array])
        return draw_overlay(array, prediction.mask, self.labels)

    def __repr__(self) -> str:
        """Describes the network, the classes and the device."""
        names = self.labels.class_names
        listed = ", ".join([*names[:_LISTED_CLASSES], *["..."] * (len(names) > _LISTED_CLASSES)])
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        precision = self.settings.precision or self.fastest_precision
        return (
            f"Predictor({type(self.network).__name__}, {parameters:,} parameters, {self.in_channels} channels, "
            f"{len(names)} classes: {listed}; {self.device}, {precision})"
        )

    def stream(self, images: Iterable[Array], probabilities: bool = False) -> Iterator[Prediction]:
        """Predicts images in order; consecutive images of one size form a batch, so a few are read ahead.

        Args:
            images: Images (H, W, in_channels), see `seglit.images.read.read_image`.
            probabilities: Whether to return probabilities too.

        Raises:
            RunError: The network answered NaN.
        """
        for prediction in self.stream_with_errors(images, probabilities):
            if isinstance(prediction, RunError):
                raise prediction
            yield prediction

    def stream_with_errors(
        self, images: Iterable[Array], probabilities: bool = False
    ) -> Iterator[Prediction | RunError]:
        """Like `stream`, but yields the error of an image in its place, and continues."""
        error: RunError | None = None
        mask, probs = np.empty((0, 0), np.uint8), None
        for block in self._blocks_of(images, probabilities):
            if block.row.start == block.column.start == 0:
                mask = np.empty(block.grid.size, np.uint8)
                probs = np.empty((self.labels.num_classes, *mask.shape), np.float32) if probabilities else None
                error = None
            try:
                mask[block.row.finished, block.column.finished] = block.mask
            except RunError as nan:
                error = nan
            if probs is not None:
                probs[:, block.row.finished, block.column.finished] = block.scores.cpu().numpy()
            if (block.row.done, block.column.done) == mask.shape:
                yield error or Prediction(mask, probs)

    def check(self, image: Array) -> None:
        """Checks that an image (H, W, in_channels) can be predicted, else raises InputError."""
        self.check_dtype(image)

    def check_settings(self, probabilities: bool) -> None:
        """Checks that the network supports the settings, and probabilities if asked for, else raises InputError."""

    def check_dtype(self, image: Array) -> None:
        """Checks that the normalisation supports the dtype of an image, or of a part of one, else raises InputError."""
        self.normalize.normalization.divisor(torch.from_numpy(np.ma.getdata(image)).dtype)

    @torch.no_grad()
    def logits(self, image: Tensor, valid: Tensor | None = None) -> Tensor:
        """Returns logits float32 (B, num_classes, H, W) of whole images (B, C, H, W) as stored, as validation does."""
        return self._logits(self.normalize(image.to(self.device), None if valid is None else valid.to(self.device)))

    def grid(self, height: int, width: int) -> Grid:
        """Returns the tiles of an image of this size."""
        return make_grid(height, width, self.labels.num_classes, self.settings)

    def blocks(self, tiles: Iterable[Tile], probabilities: bool = False) -> Iterator[Block]:
        """Predicts tiles, all of an image in reading order, and yields one finished block per tile."""
        blend: Blend | None = None
        for (grid, row, column, pixels), scores in self._predict_batches(tiles):
            if grid.is_whole:
                yield Block(grid, row, column, scores.softmax(0) if probabilities else scores, self._empty(pixels))
                continue
            if blend is None or row.start == column.start == 0:
                blend = Blend(grid, self.labels.num_classes, scores.device)
            finished = pixels[: row.done - row.start, : column.done - column.start]
            yield Block(grid, row, column, blend.add(scores.softmax(0), row, column), self._empty(finished))

    def _blocks_of(self, images: Iterable[Array], probabilities: bool) -> Iterator[Block]:
        """Predicts images, resized if the network was trained so; yields blocks of their stored sizes."""
        if self.resize is None:
            return self.blocks((tile for image in images for tile in self._tiles(image)), probabilities)
        stored = deque[tuple[Size, Flags | None]]()

        def resized_tiles() -> Iterator[Tile]:
            for image in images:
                stored.append((image.shape[:2], self._empty(image)))
                yield from self._tiles(resize_image(image, self.resize))

        return at_stored_size(self.blocks(resized_tiles()), stored, probabilities)

    def _tiles(self, image: Array) -> Iterator[Tile]:
        return cut(image, self.grid(*image.shape[:2]))

    def _read(self, images: Input | Inputs) -> Iterator[Array]:
        """Yields an image, or those of a list, as arrays."""
        several = images if isinstance(images, list | tuple) else None
        for index, image in enumerate([images] if several is None else several):
            name = input_name(image, None if several is None else index)
            array = read_input(image, self.in_channels, self.nodata_values, name)
            if self.normalize.normalization.scale != 1:
                check_unit_range(array, name)
            yield array

    def _predict_batches(self, tiles: Iterable[Tile]) -> Iterator[tuple[Tile, Tensor]]:
        """Yields tiles with their scores (num_classes, h, w), computed in batches of one shape and dtype."""
        for (shape, _), group in groupby(tiles, lambda tile: (tile.pixels.shape, tile.pixels.dtype)):
            limit = min(BATCH_PIXELS, BATCH_VALUES // self.labels.num_classes) // math.prod(shape[:2])
            while batch := list(islice(group, max(1, limit))):
                pixels = [tile.pixels for tile in batch]
                masked = any(isinstance(image, np.ma.MaskedArray) for image in pixels)
                yield from zip(batch, self._scores((np.ma.stack if masked else np.stack)(pixels)), strict=True)

    @torch.no_grad()
    def _scores(self, pixels: Array) -> Tensor:
        """Logits, or log-probabilities if averaged, float32 (B, num_classes, H, W), of images (B, H, W, C)."""
        try:
            normal = self.normalize(self._on_device(np.ma.getdata(pixels)), self._valid(pixels))
            if not self.settings.augments:
                return self._logits(normal)
            probabilities = [
                self._augmented(normal, scale, axes)
                for scale in self.settings.scales
                for axes in _FLIPPED_AXES[self.settings.flips]
            ]
            return (sum(probabilities[1:], probabilities[0]) / len(probabilities)).log()
        except torch.OutOfMemoryError:
            if max(pixels.shape[1:3]) <= SMALLEST_TILE and len(pixels) == 1:
                raise RunError(f"the GPU's memory is too small for one tile of {SMALLEST_TILE} pixels") from None
        # Outside the handler, as the exception keeps the tensors of the failed attempt alive.
        if len(pixels) > 1:
            half = len(pixels) // 2
            return torch.cat([self._scores(pixels[:half]), self._scores(pixels[half:])])
        return self._tiled_scores(pixels[0])[None]

    def _empty(self, pixels: Array) -> Flags | None:
        return no_data(pixels) if self.settings.nodata else None

    def _on_device(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self.device).permute(0, 3, 1, 2)

    def _valid(self, pixels: Array) -> Tensor | None:
        masked = isinstance(pixels, np.ma.MaskedArray)
        return self._on_device(~np.ma.getmaskarray(pixels)) if masked else None

    def _tiled_scores(self, image: Array) -> Tensor:
        """Log-probabilities of an image or tile that exceeds the device's memory, in tiles of half its size."""
        height, width = image.shape[:2]
        tile = max(SMALLEST_TILE, -(-max(height, width) // 64) * 32)
        tiles = cut(image, divide_image(height, width, tile, self.settings.overlap))
        probabilities = torch.empty(self.labels.num_classes, height, width, device=self.device)
        for _, row, column, scores, _ in Predictor.blocks(self, tiles, probabilities=True):  # files of masks vote
            probabilities[:, row.finished, column.finished] = scores
        return probabilities.log()

    def _augmented(self, normal: Tensor, scale: float, axes: list[int]) -> Tensor:
        """Probabilities (B, num_classes, H, W) of images, predicted from copies resized by `scale` and flipped."""
        size = normal.shape[2:]
        resized = normal
        if scale != 1:
            scaled_size = [max(1, round(length * scale)) for length in size]
            resized = F.interpolate(normal, scaled_size, mode="bilinear", antialias=scale < 1)
        probabilities = self._logits(resized.flip(axes)).softmax(1).flip(axes)
        return probabilities if scale == 1 else F.interpolate(probabilities, size, mode="bilinear")

    def _logits(self, normal: Tensor) -> Tensor:
        dtype = _DTYPES[self.settings.precision or self.fastest_precision]
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            return forward(self.network, normal, self.labels.num_classes)[0].float()
