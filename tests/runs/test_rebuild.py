"""Images of a tested run that are read again by their names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seglit.data import FolderDataModule
from seglit.drawing.shapes import write_folder
from seglit.images.pairs import Pair
from seglit.images.read import PairReader
from seglit.runs.rebuild import read_named
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
