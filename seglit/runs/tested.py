"""Reads a tested run from its folder: configuration, learning curves and scores."""

import csv
import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

from seglit.config.bounded_yaml import load_yaml
from seglit.errors import InputError
from seglit.images.listing import is_folder
from seglit.runs.named_run import folder_of
from seglit.runs.scores import SCORE_FILE, SavedScores
from seglit.runs.training import Training

HEADER = "# seglit "
"""How the config.yaml of a run begins; its version follows."""
Curve = list[tuple[int, float]]


class _Part(msgspec.Struct):
    class_path: str
    init_args: dict[str, Any] = {}


class _Model(msgspec.Struct):
    network: _Part


class _Config(msgspec.Struct):
    """What a configuration contains at least."""

    data: _Part
    model: _Model
    trainer: dict[str, Any]


@dataclass(frozen=True)
class TestedRun:
    """A run folder after `seglit test`.

    Args:
        folder: The run folder.
        config: The complete configuration.
        environment: Versions and hardware, in one line.
        saved: The content of the score file.
        trust: Further packages whose classes configuration and checkpoint may name, see `import_class`.
    """

    __test__ = False  # else pytest collects it as a test class

    folder: Path
    config: dict[str, Any]
    environment: str
    saved: SavedScores
    trust: Collection[str] = ()

    @property
    def name(self) -> str:
        """Experiment and version, as in `camvid/2026-01-31_12-00-00`."""
        return "/".join(self.folder.parts[-2:])

    @property
    def class_names(self) -> list[str]:
        """The class names, in the order of the class indices."""
        return list(self.saved.classes)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Pixel counts (C, C) of the whole split; rows are targets, columns predictions."""
        return np.array(self.saved.confusion, np.int64)

    @property
    def names(self) -> list[str]:
        """The names of the images that have labelled pixels, sorted."""
        return [image.name for image in self.saved.images]

    @cached_property
    def images(self) -> NDArray[np.int64]:
        """Pixels of each image and class (N, 3, C): correct, target, predicted."""
        counts = np.zeros((len(self.names), 3, len(self.class_names)), np.int64)
        class_indices = {name: index for index, name in enumerate(self.class_names)}
        for image_index, image in enumerate(self.saved.images):
            for name, pixels in image.pixels.items():
                counts[image_index, :, class_indices[name]] = pixels
        return counts

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the test data, 16 hexadecimal digits, to tell whether two runs were tested on the same data.

        It covers the names of the classes and images, and the number of target pixels per image and class.
        """
        targets = self.images[:, 1].tolist()
        listed = json.dumps([self.class_names, *zip(self.names, targets, strict=True)], ensure_ascii=True)
        return sha256(listed.encode()).hexdigest()[:16]

    @property
    def checkpoint(self) -> Path | None:
        """The scored checkpoint; None if it was not kept."""
        path = self.saved.checkpoint
        return None if path is None else self.folder / path

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """The learning curves of the run that trained the checkpoint, see `read_curves`; empty if there are none."""
        curves: dict[str, Curve] = {}
        for folder in self._folders:
            if "val/miou" in (curves := read_curves(folder)):
                break
        return curves

    @cached_property
    def training(self) -> Training | None:
        """Epochs and duration of the training of the checkpoint; None if they are not known."""
        return next(filter(None, map(Training.read, self._folders)), None)

    @property
    def _folders(self) -> list[Path]:
        """The run folder, and that of the checkpoint, which may be another one if the run only tests."""
        return [self.folder, *([] if self.checkpoint is None else [folder_of(self.checkpoint)])]


def read_run(folder: Path, trust: Collection[str] = ()) -> TestedRun:
    """Reads the folder of a tested run.

    Args:
        folder: The run folder.
        trust: See `TestedRun`.

    Raises:
        InputError: The folder or one of its files is missing or corrupt.
    """
    file, config = folder / SCORE_FILE, folder / "config.yaml"
    if not is_folder(folder):
        raise InputError(f"{folder}: no such run folder")
    if not file.is_file():
        tested = sorted(path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/{SCORE_FILE}"))
        hint = f"did you mean {tested[-1]}?" if tested else "`seglit test` writes it, as does the end of `seglit fit`"
        raise InputError(f"{folder}: contains no {SCORE_FILE}; {hint}")
    if not config.is_file():
        raise InputError(f"{folder}: contains no config.yaml beside {SCORE_FILE}; a run folder has both")
    saved = SavedScores.read(folder)
    settings, environment = read_config(config)
    return TestedRun(folder.absolute(), settings, environment, saved, trust)


def read_config(file: Path) -> tuple[dict[str, Any], str]:
    """Reads the configuration of a run, and its first line, which states versions and hardware.

    Raises:
        InputError: The file is not the configuration of a run.
    """
    try:
        text = file.read_text(encoding="utf-8")
        settings: dict[str, Any] = load_yaml(text)
        msgspec.convert(settings, _Config)
    except (UnicodeDecodeError, msgspec.ValidationError, yaml.YAMLError) as error:
        raise InputError(f"{file}: not the configuration of a run ({' '.join(str(error).split())})") from error
    return settings, text.partition("\n")[0].removeprefix("# ")


def read_curves(folder: Path) -> dict[str, Curve]:
    """Reads metrics.csv of a run folder: logged name to (optimizer step, value); empty if the file is missing.

    Raises:
        InputError: The file is not a table of numbers.
    """
    curves: dict[str, Curve] = defaultdict(list)
    path = folder / "metrics.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines, restkey=""):
                for name, value in row.items():
                    if value and name not in ("epoch", "step"):
                        curves[name].append((int(row["step"]), float(value)))
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: not a table of logged values ({error})") from error
    return dict(curves)
