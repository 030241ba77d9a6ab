"""Class names, colours, and the map between values stored in mask files and class indices."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError, did_you_mean

IGNORE_INDEX = 255
"""The class index of void pixels: ignored in training and scores. Padding is void too."""

Color = tuple[int, int, int]
VOID_COLOR: Color = (200, 200, 200)
Stored = int | Color


@dataclass(frozen=True)
class Labels:
    """Class names, colours, and the map from stored values to class indices; part of every checkpoint.

    Args:
        class_names: One name per class, in the order of the class indices.
        palette: One RGB colour per class, 0 to 255.
        values: Stored value (an integer, or an RGB colour) to class index or `IGNORE_INDEX`.
        tolerance: Largest difference, in any channel, by which a stored value may miss a listed one.
    """

    class_names: tuple[str, ...]
    palette: tuple[Color, ...]
    values: Mapping[Stored, int]
    tolerance: int = 0

    def __post_init__(self) -> None:
        """Checks the tolerance."""
        if self.tolerance < 0:
            raise InputError(f"mask_tolerance is {self.tolerance}; it must be 0 or more")

    @classmethod
    def create(
        cls,
        class_names: Sequence[str],
        mask_values: Mapping[str, int | list[int]] | None = None,
        mask_colors: Mapping[str, list[int] | list[list[int]]] | None = None,
        ignore_values: Sequence[int | list[int]] = (),
        palette: Sequence[Sequence[int]] | None = None,
        tolerance: int = 0,
    ) -> Self:
        """Builds labels from the settings of a YAML file.

        Args:
            class_names: One name per class.
            mask_values: Class name to its stored integer or integers. If neither this nor `mask_colors` is given, the
                stored integers are the class indices 0, 1, 2, ...
            mask_colors: Class name to its stored RGB colour or colours.
            ignore_values: Stored integers (or colours) that are void.
            palette: One RGB colour per class; default `mask_colors`, else well separated hues.
            tolerance: A stored value within this distance of a listed one counts as that one, any other is void. 0
                accepts listed values only.

        Raises:
            InputError: A class without value, a value without class, one value for two classes, too many classes.
        """
        names = tuple(class_names)
        _check_names(names)
        if mask_values is not None and mask_colors is not None:
            raise InputError("mask_values and mask_colors are both set; a mask holds integers or colours: keep one")
        given: Mapping[str, Any] | None = mask_values if mask_colors is None else mask_colors
        stored = {name: index for index, name in enumerate(names)} if given is None else given
        key = "mask_values" if mask_colors is None else "mask_colors"
        values: dict[Stored, int] = {}
        for name, entry in stored.items():
            if name not in names:
                raise InputError(
                    f"{key} names the class {name!r}, which is not among class_names{did_you_mean(name, names)}"
                )
            for value in _as_list(entry, colors=mask_colors is not None):
                if value in values:
                    raise InputError(f"{key}: {value} is given to both {names[values[value]]!r} and {name!r}")
                values[value] = names.index(name)
        if missing := [name for name in names if name not in stored]:
            raise InputError(f"{key} has no entry for the class {missing[0]!r}")
        for value in map(_as_stored, ignore_values):
            if value in values:
                raise InputError(f"ignore_values holds {value}, which is also the class {names[values[value]]!r}")
            values[value] = IGNORE_INDEX
        if len({isinstance(value, tuple) for value in values}) > 1:
            raise InputError("ignore_values must be integers for masks of integers, colours [r, g, b] for colours")
        return cls(names, _palette(names, palette, mask_colors), values, tolerance)

    @property
    def num_classes(self) -> int:
        """Number of classes, without void."""
        return len(self.class_names)

    @property
    def stored_as_color(self) -> bool:
        """Whether mask files store RGB colours (True) or integers (False)."""
        return isinstance(next(iter(self.values)), tuple)

    def encode(self, stored: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint8]:
        """Maps the values of a mask file to class indices.

        Args:
            stored: (H, W) integers, or (H, W, 3) uint8 colours.
            where: The mask's file, for the message.

        Returns:
            (H, W) uint8 class indices, void 255.

        Raises:
            InputError: A stored value is neither a class nor void.
        """
        if self.tolerance:
            return self._encode_nearest(stored)
        if stored.dtype == np.uint8 and stored.ndim == 2:
            indices: npt.NDArray[np.int16] = self._byte_classes[stored]
            if indices.min() < 0:
                self._refuse(stored[indices < 0], where)
            return indices.astype(np.uint8)
        packed = _pack(stored) if stored.ndim == 3 else stored
        values, classes = self._lookup
        position = np.searchsorted(values, packed).clip(max=len(values) - 1)
        if not np.array_equal(values[position], packed):
            self._refuse(packed[values[position] != packed], where)
        encoded: npt.NDArray[np.uint8] = classes[position]
        return encoded

    def decode(self, mask: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """Maps class indices to the values of a mask file; the first listed value of each class.

        Args:
            mask: (H, W) class indices without void.

        Returns:
            (H, W) integers of the smallest dtype that fits, or (H, W, 3) uint8 colours.
        """
        first: dict[int, Stored] = {}
        for value, index in self.values.items():
            first.setdefault(index, value)
        table = np.array([first[index] for index in range(self.num_classes)])
        smallest = np.result_type(np.min_scalar_type(table.min()), np.min_scalar_type(table.max()))
        stored: npt.NDArray[Any] = table.astype(smallest)[mask]
        return stored

    def colorize(self, mask: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Colours class indices (H, W) by the palette: RGB (H, W, 3) uint8; void is light grey."""
        table = np.full((256, 3), VOID_COLOR, np.uint8)
        table[: self.num_classes] = self.palette
        colors: npt.NDArray[np.uint8] = table[mask]
        return colors

    def to_dict(self) -> dict[str, Any]:
        """Converts to plain data for a checkpoint."""
        return {
            "class_names": list(self.class_names),
            "palette": [list(color) for color in self.palette],
            "values": [[list(v) if isinstance(v, tuple) else v, index] for v, index in self.values.items()],
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`."""
        values = {_as_stored(value): index for value, index in data["values"]}
        palette = tuple(_color(color) for color in data["palette"])
        return cls(tuple(data["class_names"]), palette, values, data.get("tolerance", 0))

    @cached_property
    def _lookup(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        """Stored values in ascending order, and the class index of each."""
        codes, indices = zip(*sorted((_code(value), index) for value, index in self.values.items()), strict=True)
        return np.array(codes, np.int64), np.array(indices, np.uint8)

    @cached_property
    def _byte_classes(self) -> npt.NDArray[np.int16]:
        """The class index of each 8-bit value, -1 if it is not listed; a look-up takes a sixth of a search."""
        table = np.full(256, -1, np.int16)
        for value, index in self.values.items():
            if 0 <= _code(value) < len(table):
                table[_code(value)] = index
        return table

    def _encode_nearest(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Maps each stored value to the class of the nearest listed value within the tolerance, else to void."""
        codes, inverse = np.unique(_pack(stored) if stored.ndim == 3 else stored, return_inverse=True)
        if self.stored_as_color:
            unique = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1)  # (U, 3)
        else:
            unique = codes.astype(np.int64)[:, None]  # (U, 1)
        nearest = np.full(len(codes), IGNORE_INDEX, np.uint8)
        distance = np.full(len(codes), self.tolerance + 1, np.int64)
        for value, index in self.values.items():
            difference = np.abs(unique - np.array(value, np.int64)).max(-1)
            nearest[difference < distance] = index
            distance = np.minimum(distance, difference)
        encoded: npt.NDArray[np.uint8] = nearest[inverse.reshape(stored.shape[:2])]
        return encoded

    def _refuse(self, unknown: npt.NDArray[Any], where: str) -> None:
        codes, counts = np.unique(unknown, return_counts=True)
        shown = [[c >> 16, c >> 8 & 255, c & 255] if self.stored_as_color else c for c in codes.tolist()]
        others = f" and {len(shown) - 1} other unlisted" if len(shown) > 1 else ""
        values: dict[int, list[Any]] = {index: [] for index in (*range(self.num_classes), IGNORE_INDEX)}
        for value, index in self.to_dict()["values"]:
            values[index].append(value)
        void = ", ".join(str(value) for value in [*values.pop(IGNORE_INDEX), *shown[:8]])
        values[self.num_classes - 1].append(shown[0])  # an example: only the user knows which class it is
        entries = (f"{self.class_names[index]}: {v if len(v) > 1 else v[0]}" for index, v in values.items())
        raise InputError(
            f"{where}: contains the value {shown[0]} ({counts[0]} pixels){others}, which is not a class; if it is "
            f"void, set `ignore_values: [{void}{', ...' * (len(shown) > 8)}]`; if it is a class, list it there, as in "
            f"`{'mask_colors' if self.stored_as_color else 'mask_values'}: {{{', '.join(entries)}}}`; "
            "`seglit inspect FOLDER` lists the values of all masks"
        )


def _check_names(names: tuple[str, ...]) -> None:
    if not names:
        raise InputError("class_names is empty; name every class, in the order of its index")
    if len(names) > IGNORE_INDEX:
        raise InputError(
            f"class_names has {len(names)} names; at most {IGNORE_INDEX} fit beside void in 8 bits: join values into "
            "classes, `mask_values: {name: [value, value], ...}`"
        )
    if double := [name for name in names if names.count(name) > 1]:
        raise InputError(f"class_names contains {double[0]!r} twice")


def _color(value: Sequence[int]) -> Color:
    if len(value) != 3 or not all(0 <= part <= 255 for part in value):
        raise InputError(f"{list(value)} is not an RGB colour: three numbers from 0 to 255")
    red, green, blue = value
    return red, green, blue


def _as_stored(value: int | Sequence[int]) -> Stored:
    return value if isinstance(value, int) else _color(value)


def _as_list(entry: Any, colors: bool) -> list[Stored]:
    """Accepts one value or a list of values."""
    single = isinstance(entry, int) or (colors and all(isinstance(part, int) for part in entry))
    return [_as_stored(value) for value in ([entry] if single else entry)]


def _code(value: Stored) -> int:
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def _pack(rgb: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    wide = rgb.astype(np.int64)
    packed: npt.NDArray[np.int64] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return packed


def _palette(
    names: Sequence[str], palette: Sequence[Sequence[int]] | None, mask_colors: Mapping[str, Any] | None
) -> tuple[Color, ...]:
    if palette is not None:
        if len(palette) != len(names):
            raise InputError(f"palette has {len(palette)} colours for {len(names)} classes")
        return tuple(_color(color) for color in palette)
    if mask_colors is not None:
        first = (_as_list(mask_colors[name], colors=True)[0] for name in names)
        return tuple(color for color in first if isinstance(color, tuple))
    hues = ((0.33 + i * 0.618034) % 1 for i in range(len(names)))  # golden-ratio steps keep neighbours far apart
    rgb = (colorsys.hsv_to_rgb(hue, 0.6 + 0.25 * (i % 2), (0.55, 0.95, 0.75)[i % 3]) for i, hue in enumerate(hues))
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in rgb)
