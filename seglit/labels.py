"""What the classes are called, how they are drawn, and which value stored in a mask file means which class."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError, did_you_mean

IGNORE_INDEX = 255
"""The class index of void: never trained on, never scored. Padding is void too."""

Color = tuple[int, int, int]
Stored = int | Color


@dataclass(frozen=True)
class Labels:
    """Class names, colours, and the map from stored values to class indices: plain data, part of every checkpoint.

    Args:
        class_names: One name a class; a name's place is its class index.
        palette: One RGB colour a class, 0 to 255.
        values: Stored value (an integer, or an RGB colour) to class index, or to `IGNORE_INDEX`.
        tolerance: How far a stored value may be from a listed one, in its largest channel, and still mean it.
    """

    class_names: tuple[str, ...]
    palette: tuple[Color, ...]
    values: Mapping[Stored, int]
    tolerance: int = 0

    def __post_init__(self) -> None:
        """Refuses a tolerance that is no distance."""
        if self.tolerance < 0:
            raise InputError(f"mask_tolerance is {self.tolerance}; it is a distance, 0 or more")

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
        """Builds labels from what a YAML file says.

        Args:
            class_names: One name a class.
            mask_values: Class name to the stored integer, or integers, that mean it. Without it (and without
                `mask_colors`) the stored integers are the class indices 0, 1, 2, ...
            mask_colors: Class name to the stored RGB colour, or colours, that mean it.
            ignore_values: Stored integers (or colours) that are void.
            palette: RGB colours to draw the classes in; without it `mask_colors`, or well separated hues.
            tolerance: How far a stored value may be from a listed one and still mean it; what is farther from all
                is then void. 0 accepts listed values alone.

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
        for name, meant in stored.items():
            if name not in names:
                raise InputError(
                    f"{key} names the class {name!r}, which is not among class_names{did_you_mean(name, names)}"
                )
            for value in _each(meant, colors=mask_colors is not None):
                if value in values:
                    raise InputError(f"{key}: {value} is given to both {names[values[value]]!r} and {name!r}")
                values[value] = names.index(name)
        if missing := [name for name in names if name not in stored]:
            raise InputError(f"{key} has no entry for the class {missing[0]!r}")
        for entry in ignore_values:
            value = _as_stored(entry)
            if value in values:
                raise InputError(f"ignore_values holds {value}, which is also the class {names[values[value]]!r}")
            values[value] = IGNORE_INDEX
        if len({isinstance(value, tuple) for value in values}) > 1:
            raise InputError("ignore_values must be of the masks' own kind: integers, or colours [r, g, b]")
        return cls(names, _palette(len(names), palette, mask_colors, names), values, tolerance)

    @property
    def num_classes(self) -> int:
        """How many classes there are, void not counted."""
        return len(self.class_names)

    @property
    def stored_as_color(self) -> bool:
        """Whether masks hold RGB colours (True) or integers (False)."""
        return isinstance(next(iter(self.values)), tuple)

    def encode(self, stored: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint8]:
        """Turns the values of a mask file into class indices.

        Args:
            stored: (H, W) integers, or (H, W, 3) uint8 where masks hold colours.
            where: The mask's file, for the message.

        Returns:
            (H, W) uint8 class indices, void 255.

        Raises:
            InputError: A stored value that is neither a class nor void.
        """
        if self.tolerance:
            return self._encode_nearest(stored)
        packed = _pack(stored) if stored.ndim == 3 else stored
        place = np.searchsorted(self._sorted_values, packed).clip(max=len(self._sorted_values) - 1)
        if not np.array_equal(self._sorted_values[place], packed):
            self._refuse(packed[self._sorted_values[place] != packed], where)
        encoded: npt.NDArray[np.uint8] = self._sorted_classes[place]
        return encoded

    def decode(self, mask: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """Turns class indices into what a mask file stores: of several values that mean a class, the one named first.

        Args:
            mask: (H, W) class indices without void.

        Returns:
            (H, W) integers of the smallest type that holds them, or (H, W, 3) uint8 where masks hold colours.
        """
        first: dict[int, Stored] = {}
        for value, index in self.values.items():
            first.setdefault(index, value)
        table = np.array([first[index] for index in range(self.num_classes)])
        smallest = np.result_type(np.min_scalar_type(table.min()), np.min_scalar_type(table.max()))
        stored: npt.NDArray[Any] = table.astype(smallest)[mask]
        return stored

    def colorize(self, mask: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Draws class indices (H, W) as an RGB picture (H, W, 3) uint8; void is light grey."""
        table = np.full((256, 3), 200, np.uint8)
        table[: self.num_classes] = self.palette
        colors: npt.NDArray[np.uint8] = table[mask]
        return colors

    def to_dict(self) -> dict[str, Any]:
        """Plain data that a checkpoint can hold and `from_dict` reads."""
        return {
            "class_names": list(self.class_names),
            "palette": [list(color) for color in self.palette],
            "values": [[list(v) if isinstance(v, tuple) else v, index] for v, index in self.values.items()],
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote."""
        values = {_as_stored(value): index for value, index in data["values"]}
        palette = tuple(_color(color) for color in data["palette"])
        return cls(tuple(data["class_names"]), palette, values, data.get("tolerance", 0))

    @cached_property
    def _sorted_values(self) -> npt.NDArray[np.int64]:
        return np.array(sorted(_code(value) for value in self.values), np.int64)

    @cached_property
    def _sorted_classes(self) -> npt.NDArray[np.uint8]:
        return np.array([index for _, index in sorted((_code(v), i) for v, i in self.values.items())], np.uint8)

    def _encode_nearest(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Each stored value as the nearest listed one within the tolerance, else void."""
        codes, places = np.unique(_pack(stored) if stored.ndim == 3 else stored, return_inverse=True)
        if self.stored_as_color:
            found = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1)  # (U, 3)
        else:
            found = codes.astype(np.int64)[:, None]  # (U, 1)
        nearest = np.full(len(codes), IGNORE_INDEX, np.uint8)
        distance = np.full(len(codes), self.tolerance + 1, np.int64)
        for value, index in self.values.items():
            away = np.abs(found - np.array(value, np.int64)).max(-1)
            nearest[away < distance] = index
            distance = np.minimum(distance, away)
        encoded: npt.NDArray[np.uint8] = nearest[places.reshape(stored.shape[:2])]
        return encoded

    def _refuse(self, unknown: npt.NDArray[Any], where: str) -> None:
        codes, counts = np.unique(unknown, return_counts=True)
        shown = [[c >> 16, c >> 8 & 255, c & 255] if self.stored_as_color else c for c in codes.tolist()]
        others = f" and {len(shown) - 1} other unlisted" if len(shown) > 1 else ""
        meant: dict[int, list[Any]] = {index: [] for index in (*range(self.num_classes), IGNORE_INDEX)}
        for value, index in self.to_dict()["values"]:
            meant[index].append(value)
        void = ", ".join(str(value) for value in [*meant.pop(IGNORE_INDEX), *shown[:8]])
        meant[self.num_classes - 1].append(shown[0])  # an example: which class it is, only the user knows
        entries = (f"{self.class_names[index]}: {v if len(v) > 1 else v[0]}" for index, v in meant.items())
        raise InputError(
            f"{where}: holds the value {shown[0]} ({counts[0]} pixels){others}, which is no class; if void, say "
            f"`ignore_values: [{void}{', ...' * (len(shown) > 8)}]`; if a class, give it to that one, as in "
            f"`{'mask_colors' if self.stored_as_color else 'mask_values'}: {{{', '.join(entries)}}}`; "
            "`seglit inspect FOLDER` lists what all masks hold"
        )


def _check_names(names: tuple[str, ...]) -> None:
    if not names:
        raise InputError("class_names is empty; name every class, in the order of its index")
    if len(names) > IGNORE_INDEX:
        raise InputError(f"class_names holds {len(names)} names; at most {IGNORE_INDEX} fit beside void in 8 bits")
    if double := [name for name in names if names.count(name) > 1]:
        raise InputError(f"class_names holds {double[0]!r} twice")


def _color(value: Sequence[int]) -> Color:
    if len(value) != 3 or not all(0 <= part <= 255 for part in value):
        raise InputError(f"{list(value)} is no RGB colour: three numbers from 0 to 255")
    red, green, blue = value
    return red, green, blue


def _as_stored(value: int | Sequence[int]) -> Stored:
    return value if isinstance(value, int) else _color(value)


def _each(meant: Any, colors: bool) -> list[Stored]:
    """One value or a list of them, as a list."""
    single = isinstance(meant, int) or (colors and all(isinstance(part, int) for part in meant))
    return [_as_stored(value) for value in ([meant] if single else meant)]


def _code(value: Stored) -> int:
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def _pack(rgb: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    wide = rgb.astype(np.int64)
    packed: npt.NDArray[np.int64] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return packed


def _palette(
    count: int,
    palette: Sequence[Sequence[int]] | None,
    mask_colors: Mapping[str, Any] | None,
    names: Sequence[str],
) -> tuple[Color, ...]:
    if palette is not None:
        if len(palette) != count:
            raise InputError(f"palette holds {len(palette)} colours for {count} classes")
        return tuple(_color(color) for color in palette)
    if mask_colors is not None:
        first = (_each(mask_colors[name], colors=True)[0] for name in names)
        return tuple(color for color in first if isinstance(color, tuple))
    hues = (index * 0.618034 % 1 for index in range(count))  # golden-ratio steps keep neighbours far apart
    rgb = (colorsys.hsv_to_rgb(hue, 0.6 + 0.25 * (i % 2), 0.95 - 0.2 * (i % 3)) for i, hue in enumerate(hues))
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in rgb)
