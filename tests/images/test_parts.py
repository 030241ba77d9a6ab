"""Masks in several files: which files belong to which image, and what they are drawn to."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from seglit.data import FolderDataModule
from seglit.errors import InputError
from seglit.images.name_patterns import PartNames
from seglit.images.part_drawing import draw_parts, marked_pixels
from seglit.images.picture import Picture, open_picture
from tests.inspect.folders import SIZE, image, save

NAMES = ["background", "tree", "car"]
FLAT: dict[str, Any] = {"images": "images", "masks": "masks", "splits": {"val": 0}}


def disk(row: int, column: int, radius: int) -> npt.NDArray[np.bool_]:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    pixels: npt.NDArray[np.bool_] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return pixels


def save_part(pixels: npt.NDArray[np.bool_], path: Path, value: int = 255) -> None:
    save(pixels.astype(np.uint8) * np.uint8(value), path)


def module(root: Path, mask_name: str, class_names: list[str] = NAMES, **settings: Any) -> FolderDataModule:
    return FolderDataModule(str(root), class_names, mask_name=mask_name, **{**FLAT, **settings})


def masks_of(data: FolderDataModule) -> dict[str, npt.NDArray[np.uint8]]:
    dataset = data.dataset("train")
    return {name: mask for _, mask, name in map(dataset.read, range(len(dataset)))}


@pytest.mark.parametrize(
    ("pattern", "class_names", "file", "expected"),
    [
        ("{stem}_{class}.*", [], "a_traffic_light.png", ("a", "traffic_light")),
        ("{stem}_{class}.*", [], "a_b_tree.png", ("a_b", "tree")),  # the longest stem
        ("{stem}_{class}.*", ["b_tree"], "a_b_tree.png", ("a", "b_tree")),  # a known class
        ("{stem}-{class}-*.*", [], "a_b-oak-tree-0.png", ("a_b", "oak-tree")),
        ("{stem}-{class}-*.*", ["oak"], "a_b-oak-left-0.png", ("a_b", "oak")),
        ("{stem}_{class}.*", ["tree"], "a_3.png", ("a", "3")),
        ("{class}/{stem}.*", [], "old tree/a.png", ("a", "old tree")),
        ("{class}/{stem}.*", [], "tree/x/c.png", ("x/c", "tree")),
        ("{class}/{stem}.*", [], "x/tree/c.png", ("x/c", "tree")),
        ("{class}/{stem}_{class}.*", [], "car/a_car.png", ("a", "car")),
        ("{class}/{stem}_{class}.*", [], "car/a_tree.png", None),
        ("{stem}/{stem}_*.png", [], "a/a_7.png", ("a", "")),
        ("{stem}/{stem}_*.png", [], "a/a_b_7.png", ("a", "")),
        ("{stem}/masks/*.png", [], "a_b/masks/0f.png", ("a_b", "")),
        ("{stem}/masks/*.png", [], "a_b/masks/0f.jpg", None),
        ("{stem}_*.*", [], "aa_0.png", None),  # of an image that is not there
        ("{stem}_{class}.*", [], "a_{stem}(1).png", ("a", "{stem}(1)")),
    ],
)
def test_names(pattern: str, class_names: list[str], file: str, expected: tuple[str, str] | None) -> None:
    assert PartNames(pattern, ["a", "a_b", "x/c"], class_names).find(file) == expected


def test_smaller_parts_lie_on_top() -> None:
    large, small, other = disk(20, 20, 15), disk(20, 24, 6), disk(20, 40, 8)
    expected = np.zeros(SIZE, np.uint8)
    for pixels, index in ((large, 1), (other, 1), (small, 2)):
        expected[pixels] = index
    parts = [
        (Picture.of_array(pixels.astype(np.uint8), Path()), index)
        for pixels, index in ((small, 2), (other, 1), (large, 1))
    ]
    for order in (parts, parts[::-1]):
        drawn = draw_parts(order, SIZE, 0)
        np.testing.assert_array_equal(drawn.indices, expected)
        assert drawn.disputed == (small & (large | other)).sum()


MARKED = disk(20, 30, 10)
BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


def rgba(inside: tuple[int, int, int], outside: tuple[int, int, int], alpha: tuple[int, int]) -> Image.Image:
    colors = np.where(MARKED[..., None], inside, outside).astype(np.uint8)
    opacity = np.where(MARKED, *alpha).astype(np.uint8)
    return Image.fromarray(np.dstack([colors, opacity]))


def paletted(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> Image.Image:
    """Index 0 is inside, as some programs write it."""
    picture = Image.fromarray(np.where(MARKED, np.uint8(0), np.uint8(1)), "P")
    picture.putpalette([*inside, *outside])
    return picture


STORED = {
    "0 and 1": Image.fromarray(MARKED.astype(np.uint8)),
    "one bit": Image.fromarray(MARKED),
    "16 bits": Image.fromarray(MARKED.astype(np.uint16) * 256),
    "blue": Image.fromarray((MARKED[..., None] * (0, 0, 9)).astype(np.uint8)),
    "palette": paletted(RED, BLACK),
    "opaque": rgba(WHITE, BLACK, (255, 255)),
    "meaningless alpha": rgba(WHITE, BLACK, (0, 0)),
    "red on nothing": rgba(RED, BLACK, (255, 0)),
    "red on transparent white": rgba(RED, WHITE, (255, 0)),
    "white with alpha": rgba(WHITE, WHITE, (255, 0)),
    "black with alpha": rgba(BLACK, BLACK, (128, 0)),
    "black on transparent white": rgba(BLACK, WHITE, (255, 0)),
}


@pytest.mark.parametrize("name", STORED)
def test_marked_pixels(name: str, tmp_path: Path) -> None:
    STORED[name].save(tmp_path / "part.png")
    np.testing.assert_array_equal(marked_pixels(open_picture(tmp_path / "part.png")), MARKED)


def test_noise_of_jpeg_is_not_marked(tmp_path: Path) -> None:
    Image.fromarray(MARKED.astype(np.uint8) * np.uint8(255)).save(tmp_path / "part.jpg", quality=60)
    picture = open_picture(tmp_path / "part.jpg")
    assert (picture.pixels > 0).sum() > MARKED.sum() + 50
    assert (marked_pixels(picture) != MARKED).sum() <= 8


def write(root: Path, mask_name: str = "{stem}_{class}.png") -> None:
    """Two images; b has no car. Their masks are disks of 255."""
    for number, stem in enumerate("ab"):
        save(image(number), root / f"images/{stem}.png")
        for name, pixels in (("tree", disk(20, 20, 9)), ("car", disk(30, 50, 6)))[: 2 - number]:
            file = mask_name.replace("{stem}", stem).replace("{class}", name)
            save_part(pixels, root / "masks" / file)


def test_pixels_in_no_file_are_of_the_class_without_files(tmp_path: Path) -> None:
    write(tmp_path)
    data = module(tmp_path, "{stem}_{class}.*", ["car", "background", "tree"])
    masks = masks_of(data)
    assert masks["a"][0, 0] == masks["b"][0, 0] == 1
    assert (masks["a"][30, 50], masks["a"][20, 20], masks["b"][20, 20]) == (0, 2, 2)
    assert masks_of(module(tmp_path, "{stem}_{class}.*", ["car", "tree"]))["a"][0, 0] == 255
    dataset, swapped = data.dataset("train"), module(tmp_path, "{stem}_{class}.*", ["tree", "background", "car"])
    assert dataset.source(0).options != swapped.dataset("train").source(0).options
    assert [path.name for path in dataset.source(0).files] == ["a.png", "a_car.png", "a_tree.png"]


def test_classes_as_integers(tmp_path: Path) -> None:
    write(tmp_path)
    expected = masks_of(module(tmp_path, "{stem}_{class}.*"))
    for name, value in (("tree", 7), ("car", 3)):
        for path in sorted((tmp_path / "masks").glob(f"*_{name}.png")):
            path.rename(path.with_name(path.name.replace(name, f"class_{value:02}")))
    read = masks_of(module(tmp_path, "{stem}_class_{class}.*", mask_values={"background": 0, "tree": 7, "car": 3}))
    for name, mask in expected.items():
        np.testing.assert_array_equal(read[name], mask)
    values = {"background": 0, "tree": 7}
    void = masks_of(
        module(tmp_path, "{stem}_class_{class}.*", ["background", "tree"], mask_values=values, ignore_values=[3])
    )
    np.testing.assert_array_equal(void["a"] == 255, expected["a"] == 2)


def test_names_in_other_unicode_forms(tmp_path: Path) -> None:
    nfc, nfd = "Bäume", "Ba\u0308ume"
    for file, pixels in ((nfd, disk(20, 20, 9)), ("car", disk(30, 50, 6))):
        save(image(0), tmp_path / f"images/{nfc}.png")
        save_part(pixels, tmp_path / f"masks/{nfd}_{file}.png")
    for name in (nfc, nfd):
        mask = masks_of(module(tmp_path, "{stem}_{class}.*", ["background", name, "car"]))[nfc]
        np.testing.assert_array_equal([mask == 1, mask == 2], [disk(20, 20, 9), disk(30, 50, 6)])


def test_images_without_parts(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"images": ".", "masks": ".", "image_name": "{stem}/images/{stem}.*"}
    for number, stem in enumerate("abc"):
        save(image(number), tmp_path / f"{stem}/images/{stem}.png")
    for number in range(2):
        save_part(disk(20, 20 + 8 * number, 8), tmp_path / f"a/masks/{number}.png")
    (tmp_path / "b/masks").mkdir()
    with pytest.raises(InputError, match=r"c\.png: its mask c/masks/\*\.png is not in"):
        module(tmp_path, "{stem}/masks/*.png", ["background", "cell"], **settings).dataset("train")
    data = module(tmp_path, "{stem}/masks/*.png", ["background", "cell"], exclude=["c/images/c.png"], **settings)
    masks = masks_of(data)
    np.testing.assert_array_equal(masks["a/images/a"], disk(20, 20, 8) | disk(20, 28, 8))
    assert not masks["b/images/b"].any()


def test_split_folders_may_share_a_folder_of_masks(tmp_path: Path) -> None:
    for number, file in enumerate(("train/p1", "val/p1_left")):
        save(image(number), tmp_path / f"images/{file}.png")
    for stroke, row in ((0, 10), (1, 30)):
        save_part(disk(row, 20, 6), tmp_path / f"masks/p1_{stroke}.png")
        save_part(disk(row, 50, 6), tmp_path / f"masks/p1_left_{stroke}.png")
    data = module(tmp_path, "{stem}_*.png", ["background", "leaf"], images="images/{split}", splits=None)
    for split, column in (("train", 20), ("val", 50)):
        _, mask, _ = data.dataset(split).read(0)  # type: ignore[arg-type]
        np.testing.assert_array_equal(mask, disk(10, column, 6) | disk(30, column, 6))


def test_masks_beside_images(tmp_path: Path) -> None:
    write(tmp_path)
    for path in sorted((tmp_path / "masks").iterdir()):
        path.rename(tmp_path / "images" / path.name)
    expected = {"a": (disk(20, 20, 9), disk(30, 50, 6)), "b": (disk(20, 20, 9), np.zeros(SIZE, bool))}
    for name, mask in masks_of(module(tmp_path, "{stem}_{class}.*", masks="images")).items():
        np.testing.assert_array_equal([mask == 1, mask == 2], expected.pop(name))
    assert not expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mask_name": "{class}.png"}, "it needs `{stem}`"),
        ({"mask_name": "{stem}{class}.png"}, "need a character between them"),
        ({"image_name": "{stem}*.png", "mask_name": "{stem}_{class}.png"}, "may only be in mask_name"),
        (
            {"class_names": ["background", "trees", "car"]},
            "its class is 'tree', which is not among class_names; did",
        ),
        ({"class_names": ["background", "tree", "car", "road"]}, "no mask files of background, road; only one class"),
        ({"mask_name": "{stem}_*.*"}, "class_names has 3 names; expected two"),
        ({"mask_name": "{stem}-{class}.*"}, "images/a.png: its mask a-*.* is not in"),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(InputError) as error:
        masks_of(module(tmp_path, **{"mask_name": "{stem}_{class}.*", **settings}))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_parts_of_another_size_are_rejected(tmp_path: Path) -> None:
    write(tmp_path)
    save(np.zeros((9, 9), np.uint8), tmp_path / "masks/a_car.png")
    with pytest.raises(InputError, match=r"a_car\.png: the mask is 9 x 9 pixels"):
        masks_of(module(tmp_path, "{stem}_{class}.*"))
