"""Polygons drawn with labelme, as masks for any folder of images."""

import base64
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seglit.data.annotation import check_coordinates, nearest, read_json, uncovered, understanding
from seglit.data.augment import Augment, Pipeline
from seglit.data.base import Split
from seglit.data.cache import Cache, Source
from seglit.data.folder import FolderDataModule, FolderDataset, Pair
from seglit.errors import InputError
from seglit.images import read_image
from seglit.labels import IGNORE_INDEX, Labels
from seglit.listing import picture_folders, pictures_below


class LabelmeDataset(FolderDataset):
    """Images and their labelme files.

    Args:
        pairs: The files, in order; the mask is a JSON.
        labels: The classes.
        values: A shape's label to its class index, or void.
        fill: Class index of the pixels in no shape.
        in_channels: See `FolderDataset`.
        pipeline: See `SegmentationDataset`.
        seed: See `SegmentationDataset`.
    """

    def __init__(
        self,
        pairs: list[Pair],
        labels: Labels,
        values: dict[str, int],
        fill: int,
        in_channels: int = 3,
        pipeline: Pipeline | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(pairs, labels, in_channels, pipeline, seed)
        self.values = values
        self.fill = fill

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads the image upright, as labelme shows it, and draws its shapes; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        image = read_image(pair.image, self.in_channels)
        height, width = image.shape[:2]
        data = read_json(pair.mask, "shapes")
        stated = (data.get("imageHeight") or height, data.get("imageWidth") or width)
        if stated != (height, width):
            raise InputError(
                f"{pair.mask}: was drawn on {stated[0]} x {stated[1]} pixels (height x width), its image "
                f"{pair.image.name} has {height} x {width}"
            )
        canvas = Image.new("L", (width, height), self.fill)
        with understanding(pair.mask, "labelme's format"):
            for shape in data["shapes"]:
                _draw(canvas, shape, self._value(shape, pair.mask), pair.mask)
        return image, np.array(canvas), pair.name

    def source(self, index: int) -> Source:
        """The two files, and what the labels mean; see `SegmentationDataset.source`."""
        return super().source(index)._replace(options=(self.in_channels, self.fill, self.values))

    def _value(self, shape: dict[str, Any], file: Path) -> int:
        label = str(shape.get("label"))
        if label not in self.values:
            raise InputError(
                f"{file}: the label {label!r} is neither a class nor in ignore_labels{nearest(label, [*self.values])}"
            )
        return self.values[label]


class LabelmeDataModule(FolderDataModule):
    """Images with labelme's JSON beside them, or in a folder of their own.

    Polygons, rectangles, circles and masks are drawn in the order of the file, later ones over earlier ones; a shape
    covers every pixel that its outline touches. Both are as in labelme's own export, and so are images without a JSON:
    passed over, because nobody has looked at them. (An image that shows nothing has a JSON without shapes.)

    Args:
        root: The folder that everything below is relative to.
        class_names: One name a class, in the order of the class indices: the labels of the shapes, and `background`.
        images: Folder of the images; see `FolderDataModule`.
        annotations: Folder of the JSON files; None finds them beside the images.
        background: Class of the pixels in no shape; None makes them void.
        ignore_labels: Labels of shapes that are void.
        splits: For flat folders: list files or shares; see `FolderDataModule`.
        split_seed: See `FolderDataModule`.
        palette: RGB colours that pictures draw the classes in.
        in_channels: See `FolderDataModule`.
        batch_size: See `SegmentationDataModule`.
        crop_size: See `SegmentationDataModule`.
        augment: See `SegmentationDataModule`.
        num_workers: See `SegmentationDataModule`.
        seed: See `SegmentationDataModule`.
        mean: See `SegmentationDataModule`.
        std: See `SegmentationDataModule`.
        cache: See `SegmentationDataModule`.

    Raises:
        InputError: A folder, list or JSON is missing, or a shape is of another kind or label.
    """

    def __init__(
        self,
        root: str,
        class_names: list[str],
        images: str = "images/{split}",
        annotations: str | None = None,
        background: str | None = "background",
        ignore_labels: list[str] | None = None,
        splits: dict[str, float | str] | None = None,
        split_seed: int = 0,
        palette: list[list[int]] | None = None,
        in_channels: int = 3,
        batch_size: int = 8,
        crop_size: tuple[int, int] | None = None,
        augment: Augment | None = None,
        num_workers: int | None = None,
        seed: int = 0,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        cache: Cache | None = None,
    ) -> None:
        super().__init__(
            root,
            class_names,
            images=images,
            masks=annotations or images,
            splits=splits,
            split_seed=split_seed,
            palette=palette,
            in_channels=in_channels,
            batch_size=batch_size,
            crop_size=crop_size,
            augment=augment,
            num_workers=num_workers,
            seed=seed,
            mean=mean,
            std=std,
            cache=cache,
        )
        self.fill = uncovered(class_names, background)
        self.values = {name: index for index, name in enumerate(class_names)}
        self.values |= dict.fromkeys(ignore_labels or [], IGNORE_INDEX)

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> LabelmeDataset:
        """Makes the data set of a split."""
        return LabelmeDataset(
            self.pairs_of(split), self.labels, self.values, self.fill, self.in_channels, pipeline, self.seed
        )

    def _match(self, images: Path, masks: Path) -> list[Pair]:
        by_name = {path.relative_to(images).with_suffix("").as_posix(): path for path in pictures_below(images)}
        pairs: list[Pair] = []
        for file in sorted(file for folder, _ in picture_folders(masks) for file in folder.glob("[!.]*.json")):
            name = file.relative_to(masks).with_suffix("").as_posix()
            if name not in by_name:
                raise InputError(f"{file}: its image {name}.* is not in {images}{nearest(name, list(by_name))}")
            pairs.append(Pair(by_name[name], file, name))
        return pairs


def _draw(canvas: Image.Image, shape: dict[str, Any], value: int, file: Path) -> None:
    """Draws one shape; what labelme calls a line or a point covers no area that anyone has drawn."""
    kind = shape.get("shape_type") or "polygon"  # labelme's first versions knew nothing else
    points = [(float(x), float(y)) for x, y in shape.get("points", [])]
    check_coordinates([each for point in points for each in point], canvas.height, canvas.width)
    draw = ImageDraw.Draw(canvas)
    if kind == "polygon" and len(points) > 2:
        draw.polygon(points, fill=value, outline=value)
    elif kind == "rectangle" and len(points) == 2:
        (left, right), (top, bottom) = (sorted(ends) for ends in zip(*points, strict=True))
        draw.rectangle((left, top, right, bottom), fill=value)
    elif kind == "circle" and len(points) == 2:
        (x, y), rim = points
        radius = math.dist((x, y), rim)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value)
    elif kind == "mask" and points:
        canvas.paste(value, (int(points[0][0]), int(points[0][1])), _decode(shape, file))
    else:
        raise InputError(
            f"{file}: holds a shape {kind!r} of {len(points)} points; what is read are polygons (3 or more), "
            "rectangles and circles (2), and masks"
        )


def _decode(shape: dict[str, Any], file: Path) -> Image.Image:
    """The picture in a shape of kind mask: of its box's size, 255 inside and 0 outside."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"])), formats=["PNG"]) as part:
            return part.convert("L").point(lambda grey: 255 * (grey > 0))
    # OSError: bytes that are no picture
    except (KeyError, OSError, SyntaxError, TypeError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: holds a shape 'mask' that is no picture ({type(error).__name__})") from error
