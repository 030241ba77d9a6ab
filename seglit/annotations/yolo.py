"""YOLO: one text file of polygons for each image, in shares of its size."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from seglit.annotations.contours import outlines
from seglit.annotations.image_lookup import ImageLookup
from seglit.annotations.json_files import json_errors
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, split_paths
from seglit.annotations.regions import Box, Polygon, Region, Shape, coordinates
from seglit.config.bounded_yaml import load_yaml
from seglit.errors import InputError, did_you_mean
from seglit.images.listing import files_below, nearest_entry
from seglit.images.pairs import SPLITS, AnySplit, Split
from seglit.images.replacing import replacing


@dataclass(frozen=True)
class Yolo(Reader):
    """YOLO segmentation: `labels/.../NAME.txt` with normalised polygons, for each `images/.../NAME.jpg`.

    YOLO does not order regions: larger ones are drawn first. An image without a text file, or with an empty one, is all
    background. Lines of five numbers are bounding boxes.

    Args:
        data: The YAML that names classes (`names`) and the images of each split (`path`, `train`, `val`, `test`:
            folders, or lists of images). Or a text file with a class name per line, such as Label Studio's
            `classes.txt`, for images in `images` or `images/{split}`.
    """

    data: str = "data.yaml"

    format_name = "YOLO's segmentation format"
    in_file_order = False

    def find(self, root: Path) -> Annotations:
        """Finds the images of all splits; see `Reader.find`."""
        file = root / self.data
        if not file.is_file():
            raise InputError(f"{file}: no such file{nearest_entry(file)}")
        settings = _plain(root, file) if file.suffix == ".txt" else _read_yaml(file)
        with json_errors(file, self.format_name):
            names = _class_names(settings, file)
        raw = json.dumps([names, "kpt_shape" in settings]).encode()
        found, lookup = Annotations(class_names=tuple(names.values())), ImageLookup(root)
        splits: tuple[AnySplit, ...] = (*SPLITS, "all")
        for split in splits:
            value = settings.get(split, settings.get("valid") if split == "val" else None)
            for path in value if isinstance(value, list) else [value] if value else []:
                place = _resolve(root, file, str(settings.get("path", "")), str(path))
                if place is None:
                    found.notes.append(f"{file}: {split}: {path} does not exist below {root}")
                    continue
                for image, name in _images(place, root, lookup, found):
                    found.images.append(AnnotatedImage(image, _label_file(image, root), name, split, None, raw))
        if not found.images and not found.missing:
            reason = "; ".join(found.notes) or "it names none"
            raise InputError(f"{file}: no images in the folders that it names ({reason})")
        if found.images and not any(entry.annotations.is_file() for entry in found.images):
            image, expected, *_ = found.images[0]
            raise InputError(f"{image}: its labels {expected} do not exist, nor those of any other image")
        found.notes += lookup.notes()
        return found

    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the polygons and boxes of a text file; see `Reader.regions`."""
        names, has_keypoints = json.loads(entry.raw)
        regions = []
        for number, words in _lines(entry.annotations):
            try:
                values = [float(word) for word in words[1:]]
                shape = _shape(values[:4] if has_keypoints else values, size)
            except ValueError as error:
                raise InputError(f"{entry.annotations}, line {number}: {error}; expected {self.format_name}") from error
            if words[0] not in names:
                raise InputError(
                    f"{entry.annotations}, line {number}: the class {words[0]} has no name; there are "
                    f"{', '.join(f'{index} ({name})' for index, name in list(names.items())[:20])}"
                )
            regions.append(Region(names[words[0]], shape))
        return regions

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        return f"looked for {split!r} in {root / self.data}"


def _images(place: Path, root: Path, lookup: ImageLookup, found: Annotations) -> Iterator[tuple[Path, str]]:
    """Yields the images in a folder, or in a list of images, and their names."""
    if place.is_dir():
        for image in files_below(place):
            yield image, image.relative_to(place).with_suffix("").as_posix()
        return
    for line in filter(None, map(str.strip, place.read_text("utf-8", "replace").splitlines())):
        listed = lookup.find(line, place.parent, place)
        if isinstance(listed, Path):
            yield listed, listed.relative_to(root).with_suffix("").as_posix()
        else:
            found.missing.append(listed)


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    if file.is_file():
        for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
            if words := line.split():
                yield number, words


def _shape(values: list[float], size: tuple[int, int]) -> Shape:
    points = coordinates(values) * size[::-1]
    if len(points) == 2:
        (x, y), (width, height) = points.tolist()
        return Box.of_edges(x - width / 2, y - height / 2, x + width / 2, y + height / 2, bounding=True)
    if len(points) < 2:
        raise ValueError(f"{len(values)} numbers are neither a polygon nor a box")
    return Polygon(points)


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        settings = load_yaml(file.read_text("utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file}: is not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(settings, dict):
        raise InputError(f"{file}: has no 'names'")
    return settings


def _plain(root: Path, file: Path) -> dict[str, Any]:
    """The settings that a list of class names stands for."""
    names = [line.strip() for line in file.read_text("utf-8", "replace").splitlines() if line.strip()]
    settings: dict[str, Any] = {str(split): path for split, path in split_paths(root, "images/{split}").items()}
    if not settings:
        settings["all"] = "images" if (root / "images").is_dir() else "."
    return {"names": names, **settings}


def _class_names(settings: Mapping[str, Any], file: Path) -> dict[str, str]:
    """Class number, as text, to its name."""
    names = settings.get("names", list(range(int(settings.get("nc", 0)))))
    if not names or not isinstance(names, list | dict):
        raise InputError(f"{file}: has no 'names'{did_you_mean('names', map(str, settings))}")
    numbered = names.items() if isinstance(names, dict) else enumerate(names)
    return {str(number): str(name) for number, name in sorted((int(number), name) for number, name in numbered)}


def _resolve(root: Path, file: Path, base: str, path: str) -> Path | None:
    """The folder or list that a YAML names, below the root: relative to its `path`, else to the YAML, else by its end.

    Exporters write paths of their own machine, or relative to where they unpack.
    """
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part not in ("/", "..")]
    bases = [file.parent, root]
    if base and (file.parent / base).is_dir() and (file.parent / base).resolve().is_relative_to(root.resolve()):
        bases.insert(0, file.parent / base)
    for start in range(max(1, len(parts))):
        for folder in bases:
            if (place := folder.joinpath(*parts[start:])).exists():
                return place
    return None


def _label_file(image: Path, root: Path) -> Path:
    """The text file of an image: with the last folder `images` as `labels`, else beside the image."""
    parts = list(image.relative_to(root).parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def write_yolo(images: Iterable[PredictedMask], classes: Classes, folder: Path) -> Path:
    """Writes a text file for each image, and `data.yaml` beside their folder; numbers leave out the background.

    A hole is joined to the outline by a bridge of no width, since YOLO's polygons have none.
    """
    numbers = {index: number for number, index in enumerate(classes.foreground)}
    for _, _, output, mask in images:
        lines = [
            " ".join([str(numbers[index]), *(f"{value:.6f}" for value in (points / mask.shape[::-1]).ravel())])
            for index, points in outlines(mask, classes.background)
        ]
        with replacing(folder / f"{output}.txt") as part:
            part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    settings = {"path": ".", "train": "images", "names": dict(enumerate(classes.foreground.values()))}
    with replacing(folder.parent / "data.yaml") as part:
        part.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return folder
