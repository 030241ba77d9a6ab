"""Label Studio's run-length encoding of brushes: the RGBA values of an image, as packed bits.

The format is that of `@thi.ng/rle-pack`: a header of 32 bits for the number of values, 5 for their width less 1, and
four times 4 for the widths less 1 of run lengths. Then follow runs: 1 bit (repeated or literal), 2 bits that select the
width of the length, the length less 1, and one value, or each value.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_VALUE_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)  # as Label Studio writes them
_LONGEST = 2 ** _LENGTH_BITS[-1]


def decode_brush(data: Sequence[int], height: int, width: int) -> npt.NDArray[np.bool_]:
    """Returns the painted pixels (H, W): those with an alpha above 0.

    Raises:
        ValueError: The data are truncated, or of an image of another size.
        TypeError: The data are not bytes.
    """
    packed = bytes(data)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    position = 0

    def read(size: int) -> int:
        nonlocal position
        position += size
        if position > len(bits):
            raise ValueError("the brush's run-length encoding is truncated")
        last = -(-position // 8)
        window = int.from_bytes(packed[(position - size) // 8 : last], "big")
        return window >> last * 8 - position & (1 << size) - 1

    count, value_bits = read(32), read(5) + 1
    length_bits = [read(4) + 1 for _ in range(4)]
    if count != 4 * height * width:
        raise ValueError(f"the brush has {count} values, but an image of {height} x {width} pixels has 4 for each")
    if value_bits != _VALUE_BITS:
        raise ValueError(f"the brush has values of {value_bits} bits, not 8")
    values = np.empty(count, np.uint8)
    done = 0
    while done < count:
        is_run, length = read(1), read(length_bits[read(2)]) + 1
        end = min(done + length, count)
        if is_run:
            values[done:end] = read(_VALUE_BITS)
        else:
            first = position
            position += (end - done) * _VALUE_BITS
            if position > len(bits):
                raise ValueError("the brush's run-length encoding is truncated")
            values[done:end] = np.packbits(bits[first:position])
        done = end
    painted: npt.NDArray[np.bool_] = values.reshape(height, width, 4)[..., 3] > 0
    return painted


def encode_brush(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Returns the encoding of a mask (H, W), 255 in all four channels of the painted pixels; see `decode_brush`."""
    pixels = mask.ravel()
    edges = np.concatenate([[0], np.flatnonzero(np.diff(pixels)) + 1, [len(pixels)]])
    header = [f"{4 * len(pixels):032b}", f"{_VALUE_BITS - 1:05b}", *(f"{size - 1:04b}" for size in _LENGTH_BITS)]
    parts = header
    for start, length in zip(edges[:-1].tolist(), (4 * np.diff(edges)).tolist(), strict=True):
        value = f"{255 * int(pixels[start]):08b}"
        for piece in [*[_LONGEST] * (length // _LONGEST), length % _LONGEST]:
            if piece:
                chosen = next(i for i, size in enumerate(_LENGTH_BITS) if piece <= 2**size)
                parts.append(f"1{chosen:02b}{piece - 1:0{_LENGTH_BITS[chosen]}b}{value}")
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
