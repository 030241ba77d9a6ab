"""Class names, stored values and colours: valid settings, and the errors of invalid ones."""

import json
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX, Labels

NAMES = ["road", "car", "sky"]
ENCODINGS: dict[str, dict[str, Any]] = {
    "indices": {},
    "ignored": {"ignore_values": [255, 7]},
    "many to one": {"mask_values": {"road": [3, 200], "car": 0, "sky": [17, 18, 19]}, "ignore_values": [99]},
    "beyond 8 bits": {"mask_values": {"road": 70_000, "car": 300, "sky": -1}},
    "colours": {
        "mask_colors": {"road": [[128, 64, 128], [0, 0, 1]], "car": [0, 1, 0], "sky": [1, 0, 0]},
        "ignore_values": [[0, 0, 0]],
    },
}


def stored_mask(labels: Labels) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Stored values at random positions, and their class indices by dictionary look-up."""
    values = list(labels.values)
    places = np.random.default_rng(0).integers(0, len(values), (9, 7))
    stored = np.array(values)[places]
    classes = np.array([[labels.values[values[place]] for place in row] for row in places], np.uint8)
    return stored, classes


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_every_listed_value_becomes_its_class(encoding: dict[str, Any]) -> None:
    labels = Labels.create(NAMES, **encoding)
    stored, classes = stored_mask(labels)
    encoded = labels.encode(stored, "mask.png")
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded, classes)
    assert set(np.unique(encoded)) - {IGNORE_INDEX} == {0, 1, 2}


@pytest.mark.parametrize("encoding", [ENCODINGS[name] for name in ("indices", "ignored", "many to one")])
def test_masks_of_8_bits_are_encoded_like_wider_ones(encoding: dict[str, Any]) -> None:
    labels = Labels.create(NAMES, **encoding)
    stored, classes = stored_mask(labels)
    encoded = labels.encode(stored.astype(np.uint8), "mask.png")
    assert encoded.dtype == np.uint8
    assert np.array_equal(encoded, classes)
    stored[0, :3] = 254
    for dtype in (np.uint8, np.int64):
        with pytest.raises(InputError, match=r"mask.png: contains the value 254 \(3 pixels\)"):
            labels.encode(stored.astype(dtype), "mask.png")


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_round_trip_through_dict_and_pickle(encoding: dict[str, Any]) -> None:
    labels = Labels.create(NAMES, **encoding)
    assert Labels.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels
    assert pickle.loads(pickle.dumps(labels)) == labels


def test_decode_inverts_encode() -> None:
    colors = {"road": [128, 64, 128], "car": [0, 0, 142], "sky": [70, 130, 180]}
    labels = Labels.create(NAMES, mask_colors=colors)
    mask = np.random.default_rng(1).integers(0, 3, (5, 4), dtype=np.uint8)
    np.testing.assert_array_equal(labels.encode(labels.colorize(mask), "mask.png"), mask)


def test_palette_is_given_or_distinct_hues() -> None:
    given = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert Labels.create(NAMES, palette=given).palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    many = Labels.create([f"class {index}" for index in range(40)]).palette
    assert len(set(many)) == 40
    assert all(0 <= part <= 255 for color in many for part in color)


def test_void_colour_differs_from_the_classes() -> None:
    labels = Labels.create(NAMES)
    drawn = labels.colorize(np.array([[0, 1, 2, IGNORE_INDEX]], np.uint8))
    assert drawn.shape == (1, 4, 3)
    assert len({tuple(color) for color in drawn[0].tolist()}) == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"class_names": []}, "class_names is empty"),
        ({"class_names": ["a", "b", "a"]}, "'a' twice"),
        ({"class_names": [str(i) for i in range(256)]}, "at most 255"),
        ({"mask_values": {"road": 0, "car": 1, "skye": 2}}, "did you mean 'sky'?"),
        ({"mask_values": {"road": 0, "car": 1}}, "no entry for the class 'sky'"),
        ({"mask_values": {}}, "no entry for the class 'road'"),
        ({"mask_colors": {}}, "no entry for the class 'road'"),
        ({"mask_values": {"road": 0, "car": [1, 0], "sky": 2}}, "0 is given to both 'road' and 'car'"),
        ({"mask_values": {}, "mask_colors": {}}, "keep one"),
        ({"ignore_values": [1]}, "ignore_values holds 1, which is also the class 'car'"),
        ({"ignore_values": [[0, 0, 0]]}, "must be integers for masks of integers"),
        (
            {"mask_colors": {n: [i, 0, 0] for i, n in enumerate(NAMES)}, "ignore_values": [0]},
            "must be integers for masks",
        ),
        ({"mask_colors": {"road": [0, 0, 256], "car": [1, 1, 1], "sky": [2, 2, 2]}}, "not an RGB colour"),
        ({"palette": [[0, 0, 0]]}, "palette has 1 colours for 3 classes"),
        ({"palette": [[0, 0], [1, 1, 1], [2, 2, 2]]}, "not an RGB colour"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_labels_are_rejected(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        Labels.create(**{"class_names": NAMES, **settings})
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_tolerance_maps_to_the_nearest_value_or_void() -> None:
    grey = Labels.create(["no", "yes"], {"no": 0, "yes": 255}, tolerance=60)
    stored = np.array([[0, 7, 60, 61, 128, 194, 195, 255]], np.uint8)
    assert grey.encode(stored, "").tolist() == [[0, 0, 0, 255, 255, 255, 1, 1]]
    colors = Labels.create(["road", "car"], mask_colors={"road": [128, 64, 128], "car": [0, 0, 142]}, tolerance=20)
    stored = np.array([[[128, 64, 128], [140, 50, 120], [0, 19, 142], [60, 30, 135]]], np.uint8)
    assert colors.encode(stored, "").tolist() == [[0, 0, 1, 255]]
    assert Labels.from_dict(colors.to_dict()) == colors
