"""Files in memory are read as those on disk; parts that decode to far more than their page are rejected."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from seglit.errors import InputError
from seglit.images.memory_file import MemoryFile
from seglit.images.read import read_image

RNG = np.random.default_rng(0)
ARRAYS = {
    "rgb.png": RNG.integers(0, 256, (20, 30, 3), np.uint8),
    "deep.png": RNG.integers(0, 60000, (20, 30), np.uint16),
    "bands.tif": RNG.normal(size=(20, 30, 5)).astype(np.float32),
    "pages.tif": RNG.integers(0, 60000, (3, 20, 30), np.uint16),
    "bands.npy": RNG.integers(-9, 9, (20, 30, 4), np.int16),
}


def write(path: Path) -> None:
    array = ARRAYS[path.name]
    if path.suffix == ".png":
        Image.fromarray(array).save(path)
    elif path.suffix == ".npy":
        np.save(path, array)
    else:
        tifffile.imwrite(path, array, photometric="minisblack", compression="zlib")


@pytest.mark.parametrize("name", ARRAYS)
def test_same_as_on_disk(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    bands = min(ARRAYS[name].shape[0::2]) if ARRAYS[name].ndim == 3 else 1
    expected = read_image(tmp_path / name, bands)
    file = MemoryFile((tmp_path / name).read_bytes(), max_pixels=1000)
    assert np.array_equal(read_image(file, bands), expected)
    with pytest.raises(InputError, match=r"image: .* exceed the limit of "):
        read_image(MemoryFile(file.content, max_pixels=30), bands)


def test_two_files_of_one_name_are_told_apart() -> None:
    for value in (1, 2):
        file = io.BytesIO()
        tifffile.imwrite(file, np.full((value, 20, 30), value, np.uint16), photometric="minisblack")
        assert read_image(MemoryFile(file.getvalue(), 600), value).tolist() == np.full((20, 30, value), value).tolist()


@pytest.mark.parametrize("in_memory", [True, False])
def test_part_that_decodes_to_far_more_than_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    monkeypatch.setattr("seglit.images.checks._MAX_SEGMENT", 2**20)
    path = tmp_path / "bomb.tif"
    tifffile.imwrite(path, np.zeros((16, 16, 3), np.uint16), photometric="rgb", compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offset, count = (file.pages.first.tags[code].valueoffset for code in ("StripOffsets", "StripByteCounts"))
    for num_bytes in (2**20, 2**20 + 1):
        data = zlib.compress(bytes(num_bytes))
        struct.pack_into("<I", content, offset, len(content))
        struct.pack_into("<I", content, count, len(data))
        path.write_bytes(content + data)
        given = MemoryFile(path.read_bytes(), 600) if in_memory else path
        if num_bytes == 2**20:
            assert read_image(given, 3).max() == 0
        else:
            with pytest.raises(InputError, match="decodes to over 1,048,576 bytes may be a decompression bomb"):
                read_image(given, 3)
