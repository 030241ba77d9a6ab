"""Images of a tested run that are read again by their names."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from seglit.data import FolderDataModule
from seglit.drawing.shapes import write_folder
from seglit.images.pairs import Pair
from seglit.images.read import PairReader
from seglit.labels import IGNORE_INDEX
from seglit.runs.rebuild import find_data, read_named
from tests.conftest import CLASS_NAMES


def test_reads_named_images_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, 1, 1, 6, (32, 40))
    data = FolderDataModule(str(tmp_path), CLASS_NAMES, num_workers=0)
    image, mask, name = data.dataset("test").read(4)
    read, opened = PairReader.read, []

    def record(reader: PairReader, pair: Pair) -> Any:
        opened.append(pair.name)
        return read(reader, pair)

    monkeypatch.setattr(PairReader, "read", record)
    pairs = read_named(data, [name, "missing"])
    assert opened == list(pairs) == [name]
    np.testing.assert_array_equal(pairs[name][0], image)
    np.testing.assert_array_equal(pairs[name][1], mask)


def test_pixels_without_data_are_void(tmp_path: Path) -> None:
    write_folder(tmp_path, 1, 1, 1, (32, 40))
    file = tmp_path / "images/test/00000.png"
    pixels = np.array(Image.open(file).convert("RGBA"))
    pixels[:4, :, 3] = 0
    Image.fromarray(pixels).save(file)
    pairs = read_named(FolderDataModule(str(tmp_path), CLASS_NAMES, num_workers=0), ["00000"])
    ((_, mask),) = pairs.values()
    assert (mask == IGNORE_INDEX).any(1).tolist() == [True] * 4 + [False] * 28
    assert (mask[:4] == IGNORE_INDEX).all()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"rot": "data"}, r"has no setting 'rot'; did you mean 'root'\?"),
        ({"root": "nowhere", "class_names": CLASS_NAMES}, "nowhere"),
    ],
)
def test_why_data_cannot_be_read(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    data = {"class_path": "seglit.data.FolderDataModule", "init_args": settings}
    config = {"data": data, "model": {"network": {"class_path": "seglit.networks.UNet"}}, "trainer": {}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    found, missing = find_data(tmp_path / "config.yaml", "test", ())
    assert found is None
    assert re.match(rf"the data of the run cannot be read \(.*{reason}.*\)$", missing)
