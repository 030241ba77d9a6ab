"""Run-length encodings: equal to pycocotools, and to a reader and writer of single bits."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as reference

from seglit.annotations.brush_rle import decode_brush, encode_brush
from seglit.annotations.rle import decode_columns, encode_columns, format_counts, parse_counts

Mask = npt.NDArray[np.bool_]


def masks() -> list[Mask]:
    rng = np.random.default_rng(0)
    sizes = [(int(height), int(width)) for height, width in rng.integers(1, 40, (60, 2))]
    noise = [rng.random(size) < rng.random() for size in sizes]
    large = np.zeros((150, 150), np.bool_)
    large[:140] = True  # a run of more than 2 ** 16 values
    return [*noise, np.zeros((3, 4), np.bool_), np.ones((3, 4), np.bool_), large]


def test_coco_counts_are_those_of_pycocotools() -> None:
    for mask in masks():
        height, width = mask.shape
        expected = reference.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        runs = encode_columns(mask)
        assert format_counts(runs) == expected
        assert parse_counts(expected).tolist() == runs.tolist()
        np.testing.assert_array_equal(decode_columns(runs.tolist(), height, width), mask)


def read_bits(data: list[int]) -> list[int]:
    """The values in `@thi.ng/rle-pack`'s format, by the description of its decoder, bit by bit."""
    text = "".join(f"{byte:08b}" for byte in data)
    stream = iter(text)

    def read(size: int) -> int:
        return int("".join(itertools.islice(stream, size)), 2)

    count, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < count:
        repeated = read(1)
        length = read(sizes[read(2)]) + 1
        values += [read(word)] * length if repeated else [read(word) for _ in range(length)]
    return values


def write_bits(values: list[int], *, literal: bool) -> list[int]:
    """Writes values as literals, or as runs, of up to 16."""
    parts = [f"{len(values):032b}{7:05b}", *(f"{size - 1:04b}" for size in (3, 4, 8, 16))]
    if literal:
        for start in range(0, len(values), 16):
            part = values[start : start + 16]
            parts += [f"001{len(part) - 1:04b}", *(f"{value:08b}" for value in part)]
    else:
        for value, group in itertools.groupby(values):
            length = len(list(group))
            parts += [f"111{min(2**16, length - at) - 1:016b}{value:08b}" for at in range(0, length, 2**16)]
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return [int(text[at : at + 8], 2) for at in range(0, len(text), 8)]


def test_brushes_are_read_and_written() -> None:
    for mask in masks():
        height, width = mask.shape
        painted = (mask[..., None] * np.full(4, 255)).ravel().tolist()
        assert read_bits(encode_brush(mask)) == painted
        colored = (mask[..., None] * np.array([201, 13, 77, 128])).ravel().tolist()
        for values in (painted, colored):
            for literal in (False, True):
                drawn = decode_brush(write_bits(values, literal=literal), height, width)
                np.testing.assert_array_equal(drawn, mask)


def test_wrong_brushes_are_rejected() -> None:
    data = encode_brush(np.eye(9, dtype=np.bool_))
    with pytest.raises(ValueError, match="has 324 values, but an image of 8 x 9 pixels has 4 for each"):
        decode_brush(data, 8, 9)
    for wrong in (data[:6], data[:20], data[:-1], []):
        with pytest.raises(ValueError, match="truncated"):
            decode_brush(wrong, 9, 9)
    with pytest.raises(ValueError, match="range"):
        decode_brush([256, *data], 9, 9)
    with pytest.raises(ValueError, match="values of 16 bits"):
        decode_brush([*data[:4], (15 << 3) | (data[4] & 7), *data[5:]], 9, 9)
