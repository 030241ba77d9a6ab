"""`seglit inspect` on how masks are read: turned images, instances, scale, blur; the configuration reads them right."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image, ImageFilter

from seglit.data import FolderDataModule
from seglit.images.pairs import SPLITS
from seglit.inspect.instances import find_pieces
from seglit.inspect.orientation import Orientations
from tests.conftest import Run
from tests.images.test_picture import oriented
from tests.inspect.folders import SIZE, image, mask, recode, save, split_folders

INVERSE = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}  # of what an orientation does


def scene(number: int, height: int = 64, width: int = 80) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """An image with a disk and a box, and their mask."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:height, :width]
    indices = ((y - rng.integers(14, 24)) ** 2 + (x - rng.integers(14, 24)) ** 2 < 100).astype(np.uint8)
    top, left = rng.integers(35, height - 20), rng.integers(35, width - 20)
    indices[top : top + 12, left : left + 18] = 2
    colors = np.array([[60, 60, 60], [200, 60, 60], [60, 60, 200]])[indices]
    return (colors + rng.normal(0, 20, colors.shape)).clip(0, 255).astype(np.uint8), indices


def photos(
    root: Path, drawn: Callable[[int], str], orientations: list[int], size: tuple[int, int], count: int = 12
) -> dict[str, npt.NDArray[np.uint8]]:
    """Photos turned by EXIF, with masks drawn on the upright or the stored picture; returns the upright masks."""
    masks = {}
    for number in range(count):
        orientation = orientations[number % len(orientations)]
        pixels, indices = scene(number, *size)
        stored = Image.fromarray(pixels).transpose(INVERSE[orientation])
        (root / "images").mkdir(parents=True, exist_ok=True)
        stored.save(root / f"images/{number:02}.jpg", exif=oriented(orientation), quality=95)
        picture = Image.fromarray(indices)
        if drawn(number) == "stored":
            picture = picture.transpose(INVERSE[orientation])
        save(np.asarray(picture), root / f"masks/{number:02}.png")
        masks[f"{number:02}"] = indices
    return masks


def inspected(run: Run, root: Path, *args: str) -> tuple[Any, Any]:
    """Returns the report and the settings that are written."""
    outcome = run("inspect", str(root), "--json", "--workers=1", "--write=data.yaml", *args)
    assert outcome.code in (0, 1), outcome.err
    return json.loads(outcome.out), yaml.safe_load((root.parent / "data.yaml").read_text())["init_args"]


def codes(report: Any) -> set[str]:
    return {finding["code"] for finding in report["findings"]}


def read(settings: dict[str, Any]) -> dict[str, npt.NDArray[np.uint8]]:
    """The masks that the data module reads by the written settings."""
    keys = {"root", "class_names", "images", "masks", "splits", "exclude", "resize_masks"}
    kept = {key: value for key, value in settings.items() if key in keys or key.startswith(("mask_", "ignore_"))}
    data = FolderDataModule(**kept)
    masks = {}
    for split in SPLITS:
        dataset = data.dataset(split)
        masks.update({name: indices for _, indices, name in map(dataset.read, range(len(dataset)))})
    return masks


@pytest.mark.parametrize("drawn", ["upright", "stored"])
@pytest.mark.parametrize("size", [(64, 80), (72, 72)], ids=["by size", "by edges"])
def test_orientation_is_decided_for_the_whole_set(tmp_path: Path, run: Run, drawn: str, size: tuple[int, int]) -> None:
    masks = photos(tmp_path / "data", lambda _: drawn, [6, 8, 3], size)
    report, settings = inspected(run, tmp_path / "data", f"--report={tmp_path / 'page'}")
    assert settings["mask_orientation"] == drawn
    assert not any("drawn" in question for question in report["questions"])
    (finding,) = (finding for finding in report["findings"] if finding["code"] == "exif_turned")
    said = {"upright": "on the upright picture", "stored": "on the picture as stored"}[drawn]
    assert said in finding["advice"]
    assert said in (tmp_path / "page/index.html").read_text()
    for name, indices in read(settings).items():
        np.testing.assert_array_equal(indices, masks[name])


@pytest.mark.parametrize("drawn", ["upright", "stored"])
def test_orientation_is_decided_by_weak_edges_that_agree(tmp_path: Path, run: Run, drawn: str) -> None:
    masks = photos(tmp_path / "data", lambda _: drawn, [3, 6], (72, 72))
    for number, (name, indices) in enumerate(masks.items()):
        noise = np.random.default_rng(number).normal(0, 20, (72, 72, 3))
        pixels = (90 + noise + 20 * (indices > 0)[..., None]).clip(0, 255).astype(np.uint8)
        orientation = (3, 6)[number % 2]
        stored = Image.fromarray(pixels).transpose(INVERSE[orientation])
        stored.save(tmp_path / f"data/images/{name}.jpg", exif=oriented(orientation), quality=95)
    report, settings = inspected(run, tmp_path / "data")
    assert settings["mask_orientation"] == drawn
    assert not any("drawn" in question for question in report["questions"])


@pytest.mark.parametrize(
    ("preferences", "orientation"),
    [
        ([0.05, 0.08, 0.06, 0.02, 0.07, 0.04, 0.09, 0.05, 0.06, 0.01], "upright"),
        ([-0.4, -0.3, -0.5], "stored"),
        ([-0.2, -0.1, 0.02, -0.2, -0.1, 0.02, -0.3, -0.2, -0.1, -0.2, -0.2, 0.01], "stored"),
        ([-0.2, 0.2, -0.2] * 100, None),  # some are drawn on the upright picture
        ([0.05, 0.06, 0.04], None),  # few
        ([0.4, -0.5, 0.3, -0.2, 0.6, -0.1, 0.2, -0.3, 0.4, -0.4], None),
        ([0.01] * 100, None),  # a bias
    ],
)
def test_edges_of_the_whole_set_decide(preferences: list[float], orientation: str | None) -> None:
    masks = [(Path(f"{number}.png"), preference) for number, preference in enumerate(preferences)]
    assert Orientations(by_edges=masks).decide().orientation == orientation


def test_orientation_is_asked_for_if_nothing_tells_it(tmp_path: Path, run: Run) -> None:
    photos(tmp_path / "data", lambda _: "upright", [6], (72, 72), 4)
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (72, 72, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"data/images/{number:02}.jpg", exif=oriented(6))
    report, settings = inspected(run, tmp_path / "data")
    assert "mask_orientation" not in settings
    assert any("set `mask_orientation: stored`" in question for question in report["questions"])


def test_masks_that_differ_in_orientation_are_found(tmp_path: Path, run: Run) -> None:
    masks = photos(tmp_path / "data", lambda number: ("upright", "stored")[number % 2], [6], (64, 80))
    report, settings = inspected(run, tmp_path / "data")
    assert {"mixed_orientation"} <= codes(report)
    assert "mask_orientation" not in settings
    for name, indices in read(settings).items():  # every size decides
        np.testing.assert_array_equal(indices, masks[name])
    photos(tmp_path / "data", lambda number: ("upright", "stored")[number % 2], [6, 6, 3], (64, 80))
    (finding,) = (f for f in inspected(run, tmp_path / "data")[0]["findings"] if f["code"] == "mixed_orientation")
    assert finding["severity"] == "error"


def test_outlines_that_contradict_sizes_are_found(tmp_path: Path, run: Run) -> None:
    photos(tmp_path / "data", lambda number: ("upright", "stored")[number % 3 == 2], [6, 8, 3], (64, 80))
    report, settings = inspected(run, tmp_path / "data")
    (finding,) = (finding for finding in report["findings"] if finding["code"] == "mixed_orientation")
    assert finding["severity"] == "error"
    assert "the outlines of 4 others fit the image better if drawn on the picture as stored" in finding["message"]
    assert "mask_orientation" not in settings


def with_instances(root: Path, divisor: int, first: int) -> dict[str, npt.NDArray[np.uint8]]:
    """Background 0, a class 3 without instances, and 2 to 9 instances of class 7 and of class 12."""
    split_folders(root, counts=(6, 2, 2))
    masks = {}
    for number, path in enumerate(sorted((root / "masks").rglob("*.png"))):
        rng = np.random.default_rng(number)
        stored, indices = np.zeros(SIZE, np.int32), np.zeros(SIZE, np.uint8)
        stored[40:], indices[40:] = 3, 1
        for index, value in ((2, 7), (3, 12)):
            for instance in range(rng.integers(2, 10)):
                block = slice(4 + 16 * (index - 2), 16 + 16 * (index - 2)), slice(6 * instance, 6 * instance + 4)
                stored[block], indices[block] = value * divisor + first + instance, index
        Image.fromarray(stored.astype(np.uint16)).save(path)
        masks[path.stem] = indices
    return masks


@pytest.mark.parametrize(("divisor", "first"), [(1000, 0), (256, 1)])
def test_instance_numbers_are_recognised(tmp_path: Path, run: Run, divisor: int, first: int) -> None:
    masks = with_instances(tmp_path / "data", divisor, first)
    report, settings = inspected(run, tmp_path / "data")
    assert settings["mask_divisor"] == divisor
    assert codes(report) == {"instance_numbers"}
    assert [value["stored"] for value in report["values"]] == [0, 3, 7, 12]
    every = np.stack(list(masks.values()))
    shares = (np.bincount(every.ravel()) / every.size).tolist()
    assert [value["share"] for value in report["values"]] == pytest.approx(shares)
    assert [value["images"] for value in report["values"]] == [10] * 4
    found = read(settings)
    assert found.keys() == masks.keys()
    for name, indices in found.items():
        np.testing.assert_array_equal(indices, masks[name])


def test_instances_of_class_0_are_asked_for(tmp_path: Path, run: Run) -> None:
    with_instances(tmp_path / "data", 1000, 0)
    for path in (tmp_path / "data/masks").rglob("*.png"):
        stored = np.asarray(Image.open(path)).copy()
        stored[40:] = np.arange(64) // 20 + 1  # 1 to 4, as if they were instances
        Image.fromarray(stored).save(path)
    report, _ = inspected(run, tmp_path / "data")
    assert any("are values below 1000 classes without instance number?" in each for each in report["questions"])


@pytest.mark.parametrize(
    "values",
    [
        [1000, 2000, 3000],  # without a second instance
        [1001, 1002, 1101, 1102, 2001, 2101, 2102],  # with gaps
        [1004, 1005, 1006, 1007, 2004, 2005, 2006, 2007],  # not counted from 0 or 1
    ],
)
def test_codes_of_classes_are_no_instances(tmp_path: Path, run: Run, values: list[int]) -> None:
    split_folders(tmp_path / "data")
    for number, path in enumerate(sorted((tmp_path / "data/masks").rglob("*.png"))):
        shown = np.random.default_rng(number).choice(values, (4, 4))
        Image.fromarray(np.kron(shown, np.ones((12, 16), int)).astype(np.uint16)).save(path)
    report, settings = inspected(run, tmp_path / "data")
    assert "mask_divisor" not in settings
    assert [value["stored"] for value in report["values"]] == values


def rectangles(root: Path, drawn: Sequence[dict[tuple[int, int], int]]) -> dict[str, npt.NDArray[np.uint16]]:
    """Masks of 16 bits with a rectangle of each value at (row, column) of a grid."""
    masks = {}
    for number, cells in enumerate(drawn):
        save(image(number), root / f"images/{number:02}.png")
        stored = np.zeros(SIZE, np.uint16)
        for (row, column), value in cells.items():
            stored[12 * row + 1 : 12 * row + 10, 12 * column + 1 : 12 * column + 10] = value
        (root / "masks").mkdir(parents=True, exist_ok=True)
        Image.fromarray(stored).save(root / f"masks/{number:02}.png")
        masks[f"{number:02}"] = stored
    return masks


def tracks(divisor: int) -> list[dict[tuple[int, int], int]]:
    """Two cars and a person in each of 20 frames; each has its number of the sequence, and stays for some frames."""
    return [
        {
            (0, 0): divisor + 3 + number // 3 * 2,
            (0, 2): divisor + 4 + number // 3 * 2,
            (2, number % 4): 2 * divisor + 3 + number // 2,
        }
        for number in range(20)
    ]


def in_order(divisor: int) -> list[dict[tuple[int, int], int]]:
    """1 to 5 objects of three classes, which are numbered over all classes of a mask."""
    every = np.random.default_rng(0).integers(1, 4, (20, 5)).tolist()
    return [
        {(index // 4, index % 4): kind * divisor + index + 1 for index, kind in enumerate(kinds[: 1 + number % 5])}
        for number, kinds in enumerate(every)
    ]


@pytest.mark.parametrize("divisor", [100, 256, 1000, 10_000])
@pytest.mark.parametrize("drawn", [tracks, in_order])
def test_instances_that_do_not_count_up_within_a_class(
    tmp_path: Path, run: Run, drawn: Callable[[int], list[dict[tuple[int, int], int]]], divisor: int
) -> None:
    masks = rectangles(tmp_path / "data", drawn(divisor))
    report, settings = inspected(run, tmp_path / "data")
    assert settings["mask_divisor"] == divisor
    assert [value["stored"] for value in report["values"]] == ([0, 1, 2] if drawn is tracks else [0, 1, 2, 3])
    for name, indices in read(settings).items():
        np.testing.assert_array_equal(indices, masks[name] // divisor)


@pytest.mark.parametrize(
    ("drawn", "values"),
    [
        (tracks(1000)[:6], 7),  # few tracks
        ([{(0, 0): 1001, (1, 2): 2001, (2, number % 4): 3001} for number in range(6)], 3),  # one object of each class
        ([{(0, 0): 1001, (1, 1): 1002, (2, 2): 2001} for number in range(6)], 3),  # as many in each mask
    ],
)
def test_values_that_may_be_instances_are_asked_for(
    tmp_path: Path, run: Run, drawn: list[dict[tuple[int, int], int]], values: int
) -> None:
    masks = rectangles(tmp_path / "data", drawn)
    report, settings = inspected(run, tmp_path / "data")
    assert "mask_divisor" not in settings
    (question,) = (each for each in report["questions"] if "instance" in each)
    assert question.startswith(f"are the {values} values other than 0 class * 1000 + instance, of ")
    assert question.endswith("inspect again with `--mask_divisor 1000`")
    report, settings = inspected(run, tmp_path / "data", "--mask_divisor=1000", "--force")  # as the question says
    assert settings["mask_divisor"] == 1000
    assert not any("instance" in each for each in report["questions"])
    for name, indices in read(settings).items():
        np.testing.assert_array_equal(indices, masks[name] // 1000)
    assert "mask_divisor" not in inspected(run, tmp_path / "data", "--mask_divisor=1", "--force")[1]


def soil_map(codes: npt.NDArray[np.int_], number: int) -> npt.NDArray[np.uint16]:
    """A map of 16-bit codes without background: the nearest of 30 points has one of the codes."""
    rng = np.random.default_rng(number)
    points = rng.integers(0, SIZE, (30, 2))
    distances = np.square(np.indices(SIZE)[..., None] - points.T[:, None, None]).sum(0)
    shown: npt.NDArray[np.uint16] = rng.choice(codes, 12)[np.arange(30) % 12][distances.argmin(-1)].astype(np.uint16)
    return shown


@pytest.mark.parametrize(
    "codes",
    [
        np.random.default_rng(0).choice(np.arange(1, 1 << 16), 250, replace=False),
        np.array([order * 1000 + kind for order in range(1, 9) for kind in range(1, 31)]),
        np.array(
            [first * 100 + second * 10 + third for first in range(1, 6) for second in (1, 2, 3) for third in (1, 2)]
        ),
    ],
    ids=["any", "by order", "CORINE"],
)
def test_codes_of_a_map_are_classes(tmp_path: Path, run: Run, codes: npt.NDArray[np.int_]) -> None:
    maps = [soil_map(codes, number) for number in range(20)]
    for number, stored in enumerate(maps):
        save(image(number), tmp_path / f"data/images/{number:02}.png")
        (tmp_path / "data/masks").mkdir(parents=True, exist_ok=True)
        Image.fromarray(stored).save(tmp_path / f"data/masks/{number:02}.png")
    report, settings = inspected(run, tmp_path / "data")
    assert "mask_divisor" not in settings
    assert any("instance" in each for each in report["questions"]) == (codes.size == 240)  # just above multiples
    assert [value["stored"] for value in report["values"]] == np.unique(maps).tolist()


def test_pieces_are_those_of_each_value() -> None:
    stored = np.random.default_rng(0).integers(1, 4, (40, 50), dtype=np.uint16)
    stored[5:35, 5:45], stored[18:22, 20:24] = 7, 8
    pieces = {}
    for value in np.unique(stored).tolist():
        _, labels = cv2.connectedComponents((stored == value).astype(np.uint8), connectivity=4)
        sizes = np.bincount(labels[labels > 0])
        pieces[value] = bool(sizes.max() >= 0.9 * sizes.sum())
    assert find_pieces(stored) == pieces == {1: False, 2: False, 3: False, 7: True, 8: True}
    assert find_pieces(stored.astype(np.uint8)) == {}


def many_codes(root: Path, count: int) -> None:
    """Exact 16-bit codes in regions of 2 x 2 pixels, all of whose pixels lie along edges."""
    split_folders(root)
    values = np.random.default_rng(0).choice(np.arange(1, 1 << 16), count, replace=False)
    for number, path in enumerate(sorted((root / "masks").rglob("*.png"))):
        regions = np.random.default_rng(number).permutation(np.resize(values, 24 * 32)).reshape(24, 32)
        Image.fromarray(np.kron(regions, np.ones((2, 2), int)).astype(np.uint16)).save(path)


def test_exact_codes_are_not_blurred(tmp_path: Path, run: Run) -> None:
    many_codes(tmp_path / "data", 255)
    report, settings = inspected(run, tmp_path / "data")
    assert "antialiased_masks" not in codes(report)
    assert "255 values" in report["masks"]
    assert len(settings["class_names"]) == 255
    assert "mask_tolerance" not in settings


def test_more_classes_than_fit_are_asked_for_in_one_line(tmp_path: Path, run: Run) -> None:
    many_codes(tmp_path / "data", 256)
    outcome = run("inspect", str(tmp_path / "data"), "--write=data.yaml", "--workers=1")
    assert outcome.code == 2
    assert outcome.err.startswith("seglit: error: the masks contain 256 values that are not void, such as ")
    assert "at most 255 classes fit beside void in 8 bits; which of them make one class? Join them" in outcome.err
    assert "`mask_values: {name: [" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "data.yaml").exists()
    assert run("inspect", str(tmp_path / "data"), "--class_names=a,b,c", "--workers=1").code == 0


@pytest.mark.parametrize(
    "blur",
    [
        lambda picture: picture.filter(ImageFilter.GaussianBlur(0.6)),
        lambda picture: picture.resize((96, 72), Image.Resampling.BICUBIC).resize((64, 48), Image.Resampling.BILINEAR),
    ],
)
def test_blurred_masks_are_recognised(tmp_path: Path, run: Run, blur: Callable[[Image.Image], Image.Image]) -> None:
    split_folders(tmp_path / "data", classes=2)
    for path in (tmp_path / "data/masks").rglob("*.png"):
        disk = np.hypot(*(np.mgrid[:48, :64] - np.array([24, 32])[:, None, None])) < 15
        blur(Image.fromarray(((np.asarray(Image.open(path)) > 0) | disk).astype(np.uint8) * 255)).save(path)
    report, settings = inspected(run, tmp_path / "data")
    assert "antialiased_masks" in codes(report)
    assert settings["mask_values"] == {"background": 0, "foreground": 255}


@pytest.mark.parametrize("lossless", [True, False])
def test_lossless_webp_is_not_blurred(tmp_path: Path, run: Run, lossless: bool) -> None:
    split_folders(tmp_path / "data", classes=12)
    for path in (tmp_path / "data/masks").rglob("*.png"):
        Image.open(path).save(path.with_suffix(".webp"), lossless=lossless)
        path.unlink()
    report, settings = inspected(run, tmp_path / "data")
    assert ("jpeg_masks" in codes(report)) != lossless
    assert (len(settings["class_names"]) == 12) == lossless


def scaled(indices: npt.NDArray[np.uint8], factor: float) -> npt.NDArray[np.uint8]:
    size = round(indices.shape[1] * factor), round(indices.shape[0] * factor)
    return np.asarray(Image.fromarray(indices).resize(size, Image.Resampling.NEAREST))


@pytest.mark.parametrize("factor", [0.3, 2])
def test_masks_at_another_scale_are_resized(tmp_path: Path, run: Run, factor: float) -> None:
    split_folders(tmp_path / "data")
    recode(tmp_path / "data", lambda indices: scaled(indices, factor))
    report, settings = inspected(run, tmp_path / "data", f"--report={tmp_path / 'page'}")
    assert settings["resize_masks"] is True
    assert codes(report) == {"scaled_masks"}
    every = np.stack([scaled(mask(number, 3), factor) for number in range(14)])
    shares = [value["share"] for value in report["values"]]
    assert shares == pytest.approx((np.bincount(every.ravel()) / every.size).tolist())
    assert (tmp_path / "page/index.html").read_text().count("<figure") == 14
    for name, indices in read(settings).items():
        np.testing.assert_array_equal(indices, scaled(mask(int(name), 3), factor))


def test_odd_sizes_among_scaled_masks_are_errors(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path / "data")
    recode(tmp_path / "data", lambda indices: scaled(indices, 0.5))
    save(mask(0, 3), tmp_path / "data/masks/train/000.png")  # of the image's own size
    save(mask(1, 3)[:30], tmp_path / "data/masks/train/001.png")
    save(scaled(mask(2, 3), 0.25), tmp_path / "data/masks/train/002.png")
    report, settings = inspected(run, tmp_path / "data")
    assert codes(report) == {"scaled_masks", "size_mismatch"}
    assert settings["exclude"] == ["images/train/001.png", "images/train/002.png"]


def test_cropped_masks_and_a_few_of_another_scale_are_errors(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path / "data")
    for number in range(4):
        save(scaled(mask(number, 3), 0.5), tmp_path / f"data/masks/train/{number:03}.png")
    report, settings = inspected(run, tmp_path / "data")
    assert "size_mismatch" in codes(report)
    assert "resize_masks" not in settings
    split_folders(tmp_path / "data")
    recode(tmp_path / "data", lambda indices: indices[:47, :63])
    outcome = run("inspect", str(tmp_path / "data"), "--workers=1")
    assert outcome.code == 2
    assert "none of the 14 pairs can be read" in outcome.err


def test_images_of_which_none_can_be_read_are_one_line(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path / "data")
    for file in (tmp_path / "data/images").rglob("*.*"):
        file.write_bytes(b"")
    outcome = run("inspect", str(tmp_path / "data"), "--workers=1")
    assert outcome.code == 2
    assert "none of the 14 pairs can be read; 000.png: cannot be read as an image" in outcome.err
    assert outcome.err.count("\n") == 1
