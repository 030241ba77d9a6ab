"""Masks of two classes in every way that tools store them: the written configuration reads the same pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from seglit.data import FolderDataModule
from seglit.images.pairs import SPLITS
from seglit.inspect.command import inspect
from tests.inspect.folders import image, mask, save

COUNT = 6
RED = np.array([[0, 0, 0, 255], [255, 0, 0, 255]], np.uint8)
OVERLAY = np.array([[0, 0, 0, 0], [255, 0, 0, 128]], np.uint8)  # the background is transparent

KINDS: dict[str, tuple[str, Callable[[Path, Any], object]]] = {
    "PNG of 1 bit": (".png", lambda path, mask: Image.fromarray(mask > 0).save(path)),
    "TIFF of 1 bit": (".tif", lambda path, mask: Image.fromarray(mask > 0).save(path, compression="group4")),
    "bool": (".npy", lambda path, mask: np.save(path, mask > 0)),
    "float32": (".tif", lambda path, mask: tifffile.imwrite(path, mask.astype(np.float32))),
    "grey with alpha": (
        ".png",
        lambda path, mask: Image.fromarray(np.dstack([mask * 255, np.full_like(mask, 255)]), "LA").save(path),
    ),
    "red with alpha": (".png", lambda path, mask: Image.fromarray(RED[mask]).save(path)),
    "overlay": (".png", lambda path, mask: Image.fromarray(OVERLAY[mask]).save(path)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_two_classes(kind: str, tmp_path: Path) -> None:
    suffix, write = KINDS[kind]
    root, masks = tmp_path / "data", {f"{number}": mask(number, 2) for number in range(COUNT)}
    (root / "masks").mkdir(parents=True)
    for name, indices in masks.items():
        save(image(int(name)), root / f"images/{name}.png")
        write(root / f"masks/{name}{suffix}", indices)
    assert inspect(str(root), write=str(tmp_path / "data.yaml"), workers=1) == 0
    settings = yaml.safe_load((tmp_path / "data.yaml").read_text(encoding="utf-8"))["init_args"]
    assert settings["class_names"] == ["background", "foreground"]
    assert "ignore_values" not in settings
    data = FolderDataModule(**{key: value for key, value in settings.items() if key != "augment"})
    read = {
        name: drawn
        for dataset in map(data.dataset, SPLITS)
        for _, drawn, name in map(dataset.read, range(len(dataset)))
    }
    assert read.keys() == masks.keys()
    for name, drawn in read.items():
        np.testing.assert_array_equal(drawn, masks[name])
