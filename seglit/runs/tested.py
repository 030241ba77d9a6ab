"""A run that was tested, read from its folder: configuration, curves, and the scores of every image."""

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from seglit.errors import InputError
from seglit.runs.scores import SCORE_FILE, SavedScores


@dataclass(frozen=True)
class TestedRun:
    """What a run folder holds after its test.

    Args:
        folder: The run folder.
        config: Its complete configuration.
        environment: The versions and the hardware that it ran on, in one line.
        saved: What the score file holds.
    """

    __test__ = False  # pytest takes names that begin so for tests

    folder: Path
    config: dict[str, Any]
    environment: str
    saved: SavedScores

    @property
    def name(self) -> str:
        """The experiment and the version, as in `camvid/2026-01-31_12-00-00`."""
        return "/".join(self.folder.parts[-2:])

    @property
    def class_names(self) -> list[str]:
        """The classes."""
        return list(self.saved.classes)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Pixel counts (C, C) of the whole split, rows the target, columns the prediction."""
        return np.array(self.saved.confusion, np.int64)

    @property
    def names(self) -> list[str]:
        """The images that have labelled pixels, sorted."""
        return [image.name for image in self.saved.images]

    @cached_property
    def images(self) -> NDArray[np.int64]:
        """Their pixels per class (N, 3, C): right, in the target, predicted."""
        counts = np.zeros((len(self.names), 3, len(self.class_names)), np.int64)
        places = {name: place for place, name in enumerate(self.class_names)}
        for place, image in enumerate(self.saved.images):
            for name, pixels in image.pixels.items():
                counts[place, :, places[name]] = pixels
        return counts

    @cached_property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Every logged name to its optimizer steps and values; none of a run that was only tested."""
        return read_curves(self.folder)

    @cached_property
    def fingerprint(self) -> str:
        """What tells whether two runs were tested on the same data: a hash, 16 hexadecimal digits.

        It is over the images' names and how many pixels of each class their masks hold.
        """
        targets = self.images[:, 1].tolist()
        listed = json.dumps([self.class_names, *zip(self.names, targets, strict=True)], ensure_ascii=True)
        return sha256(listed.encode()).hexdigest()[:16]

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint that was scored; None where it was not kept."""
        path = self.saved.checkpoint
        return None if path is None else self.folder / path


def read_run(folder: Path) -> TestedRun:
    """Reads the folder of a run that was tested.

    Raises:
        InputError: There is no such folder, or it holds no test.
    """
    file, config = folder / SCORE_FILE, folder / "config.yaml"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such run folder")
    if not file.is_file():
        tested = sorted(path.parent for path in folder.glob(f"*/**/{SCORE_FILE}"))
        hint = f"did you mean {tested[-1]}?" if tested else "`seglit test` makes it, as does `seglit fit` in its end"
        raise InputError(f"{folder}: holds no {SCORE_FILE}; {hint}")
    if not config.is_file():
        raise InputError(f"{folder}: holds no config.yaml beside {SCORE_FILE}; a run folder has both")
    text = config.read_text(encoding="utf-8")
    saved = SavedScores.read(folder)
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{config}: is damaged ({' '.join(str(error).split())})") from error
    return TestedRun(folder.absolute(), settings, text.partition("\n")[0].removeprefix("# "), saved)


def read_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every name that a run folder's metrics.csv logs to its optimizer steps and values; none without that file."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    path = folder / "metrics.csv"
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                for name, value in row.items():
                    if value and name not in ("epoch", "step"):
                        found[name].append((int(row["step"]), float(value)))
    return dict(found)
