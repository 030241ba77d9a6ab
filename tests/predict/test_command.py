"""`seglit predict` on the command line."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import yaml
from PIL import ExifTags, Image

import seglit
from seglit.data import FolderDataModule
from seglit.images import tiff
from seglit.images.pairs import SPLITS
from seglit.labels import Labels
from seglit.predict.predictor import Predictor
from tests.conftest import Run
from tests.predict.brightest import WATER, checkpoint, truth


@pytest.fixture
def ckpt(tmp_path: Path) -> Path:
    return checkpoint(tmp_path / "water.ckpt", WATER)


def picture(height: int, width: int, seed: int = 0, channels: int = 3) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def read(path: Path) -> npt.NDArray[Any]:
    return np.array(Image.open(path)) if path.suffix == ".png" else tifffile.imread(path)


@pytest.fixture
def images(tmp_path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Four images in a folder and its sub-folders: one is grey, two share a stem."""
    arrays = {"a.png": picture(20, 30, 1), "a.bmp": picture(20, 31, 2), "sub/deep/b.png": picture(33, 17, 3)}
    arrays["sub/grey.png"] = np.repeat(picture(9, 9, 4, 1), 3, -1)
    for name, array in arrays.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(array)
        (image.convert("L") if "grey" in name else image).save(tmp_path / "in" / name)
    return arrays


def test_predicts_a_folder_in_stored_values(
    run: Run, tmp_path: Path, ckpt: Path, images: dict[str, npt.NDArray[np.uint8]]
) -> None:
    (tmp_path / "in" / "notes.txt").write_text("no image")
    outcome = run("predict", ckpt, "in", "--output", "out")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("4 images predicted in ")
    names = {
        "a.png.png": "a.png",
        "a.bmp.png": "a.bmp",
        "sub/deep/b.png": "sub/deep/b.png",
        "sub/grey.png": "sub/grey.png",
    }
    written = {str(file.relative_to(tmp_path / "out" / "masks")) for file in (tmp_path / "out").rglob("*.*g")}
    assert written == set(names)
    for mask, image in names.items():
        np.testing.assert_array_equal(read(tmp_path / "out" / "masks" / mask), truth(images[image]))


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_predicted_masks_of_turned_photos_can_be_trained_on(
    run: Run, tmp_path: Path, ckpt: Path, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    (tmp_path / "in").mkdir()
    for name, size in (("square", (9, 9)), ("wide", (9, 12))):
        Image.fromarray(picture(*size)).save(tmp_path / "in" / f"{name}.png", exif=exif)
    assert run("predict", ckpt, "in", "--output", "out").code == 0
    values: Any = {"land": 0, "water": 255}
    data = FolderDataModule(
        str(tmp_path), ["land", "water"], "in", "out/masks", splits={"val": 0.5}, mask_values=values
    )
    for split in SPLITS[:2]:
        image, mask, _ = data.dataset(split).read(0)
        np.testing.assert_array_equal(mask * 255, truth(image))


def test_accepts_files_folders_and_patterns(run: Run, tmp_path: Path, ckpt: Path, images: Any) -> None:
    outcome = run("predict", ckpt, "in/a.png", "--output=out", "in/sub", "in/*/gr*.png", "in/../in/a.png")
    assert outcome.code == 0, outcome.err
    masks = sorted(
        str(file.relative_to(tmp_path / "out" / "masks")) for file in (tmp_path / "out" / "masks").rglob("*.png")
    )
    assert masks == ["a.png", "sub/deep/b.png", "sub/grey.png"]


def test_resumes(run: Run, tmp_path: Path, ckpt: Path, images: Any) -> None:
    assert run("predict", ckpt, "in", "--output", "out").code == 0
    masks = tmp_path / "out" / "masks"
    (masks / "sub" / "grey.png").unlink()
    Image.new("L", (1, 1)).save(masks / "a.png.png")  # stands for a previous prediction
    outcome = run("predict", ckpt, "in", "--output", "out")
    assert outcome.code == 0
    assert outcome.out.startswith("1 image predicted in ")
    assert "3 done before" in outcome.out
    assert read(masks / "a.png.png").shape == (1, 1)
    assert (masks / "sub" / "grey.png").is_file()
    code, _, err = run("predict", ckpt, "in", "--output", "out", "--flips", "horizontal")
    assert code == 2
    assert (
        "out: contains predictions made with flips none, not horizontal; choose another --output, or delete it" in err
    )


def test_corrupt_files_are_skipped(run: Run, tmp_path: Path, ckpt: Path, images: Any) -> None:
    (tmp_path / "in" / "aa.jpg").write_bytes(b"\xff\xd8\xff broken")
    (tmp_path / "in" / "b.tif").write_bytes(b"II*\0 broken too")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "in" / "deep.png")
    tifffile.imwrite(tmp_path / "in" / "five.tif", np.zeros((8, 8, 5), np.uint8), planarconfig="contig")
    outcome = run("predict", ckpt, "in", "--output", "out")
    assert outcome.code == 1
    assert outcome.out.startswith("4 images predicted in ")
    lines = outcome.err.splitlines()
    assert [line.split(":")[1].strip().rsplit("/")[-1] for line in lines] == ["aa.jpg", "b.tif", "deep.png", "five.tif"]
    assert not list((tmp_path / "out").rglob("*.part"))


def test_writes_colours_overlays_and_probabilities(run: Run, tmp_path: Path, ckpt: Path, images: Any) -> None:
    options = ["--masks", "color", "--overlays", "--probabilities", "--precision", "32-true"]
    assert run("predict", ckpt, "in", "--output", "out", *options).code == 0
    out, image = tmp_path / "out", images["sub/deep/b.png"]
    colors = np.array(WATER.palette, np.uint8)[(truth(image) == 255).astype(int)]
    np.testing.assert_array_equal(read(out / "masks" / "sub" / "deep" / "b.png"), colors)
    overlay = read(out / "overlays" / "sub" / "deep" / "b.png").astype(int)
    blended = np.where(truth(image)[..., None] == 255, (image.astype(int) + colors) / 2, image)  # no background
    assert np.abs(overlay - blended).max() <= 1
    stored = np.load(out / "probabilities" / "sub" / "deep" / "b.npy")
    logit = 2 * (image[..., 0] / 255 - 0.5) / 0.25
    assert stored.dtype == np.float16
    np.testing.assert_allclose(stored[1], 1 / (1 + np.exp(-logit)), atol=1e-3)


def test_writes_colour_and_16_bit_masks(run: Run, tmp_path: Path, images: Any) -> None:
    in_color = Labels.create(
        ["a", "b"], mask_colors={"a": [1, 2, 3], "b": [[9, 8, 7], [0, 0, 1]]}, ignore_values=[[0, 0, 0]]
    )
    deep = Labels.create(["a", "b"], mask_values={"a": 5, "b": 1000})
    is_bright = truth(images["a.png"]) == 255
    for name, labels, values in (("c", in_color, [[1, 2, 3], [9, 8, 7]]), ("d", deep, [5, 1000])):
        file = checkpoint(tmp_path / f"{name}.ckpt", labels)
        assert run("predict", file, "in/a.png", "--output", name).code == 0
        mask = read(tmp_path / name / "masks" / "a.png")
        np.testing.assert_array_equal(mask, np.array(values)[is_bright.astype(int)])
        labels.encode(mask, "mask")  # can be read back
    negative = checkpoint(tmp_path / "n.ckpt", Labels.create(["a", "b"], mask_values={"a": -1, "b": 1}))
    code, _, err = run("predict", negative, "in", "--output", "n")
    assert code == 2
    assert "which PNG cannot store; use --masks color" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["inn"], "inn: no such file or folder; did you mean 'in'?"),
        (["in/*.gif"], "in/*.gif: no file matches this pattern"),
        (["empty"], "empty: contains no images (.png, "),
        ([], "not given: inputs; --help shows the usage"),
        (["in", "--tile", "100"], "tile is 100, but must be a multiple of 32 from 64 up, such as 96"),
        (["in", "--overlay"], "did you mean 'overlays'?"),
        (["in", "--flips", "horizontl"], "did you mean 'horizontal'?"),
    ],
)
def test_invalid_arguments_are_one_line(
    run: Run, tmp_path: Path, ckpt: Path, images: Any, args: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = run("predict", ckpt, *args)
    assert code == 2
    (line,) = err.splitlines()
    assert words in line


GEO = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 440720.0, 3751320.0, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    (34737, 2, 0, "WGS 84 / UTM zone 11N|", True),
    (42113, 2, 0, "-9999", True),
]


def geo(path: Path) -> dict[int, Any]:
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        return {code: tags[code].value for code, *_ in GEO if code in tags}


@pytest.mark.parametrize("large", [False, True])
def test_tiff_keeps_its_georeference(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ckpt: Path, large: bool
) -> None:
    monkeypatch.setattr(tiff, "LARGE", 100 if large else 10**9)
    image = picture(300, 410)
    tifffile.imwrite(tmp_path / "geo.tif", image, extratags=GEO, tile=(64, 64), compression="zlib", metadata=None)
    assert run("predict", ckpt, "geo.tif", "--output", "out", "--tile", "128").code == 0
    out = tmp_path / "out" / "masks" / "geo.tif"
    np.testing.assert_array_equal(read(out), truth(image))
    assert geo(out) == geo(tmp_path / "geo.tif") | {42113: "253"}  # 255 and 254 are classes
    assert len(geo(out)) == 5
    with tifffile.TiffFile(out) as file:
        page = file.pages.first
        assert page.is_tiled
        assert page.compression == 8


LAYOUTS: dict[str, dict[str, Any]] = {
    "tiles": {"tile": (48, 64), "compression": "zlib"},
    "strips": {"rowsperstrip": 13, "compression": "zlib", "predictor": True},
    "plain": {},
    "plain tiles": {"tile": (32, 32)},
    "big": {"bigtiff": True, "byteorder": ">", "rowsperstrip": 9},
    "separate": {"planarconfig": "separate", "tile": (32, 32), "compression": "zlib"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint16", 5), ("float32", 1), ("uint8", 4)])
def test_tiff_windows_equal_the_whole_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, dtype: str, channels: int
) -> None:
    monkeypatch.setattr(tiff, "LARGE", 100)
    image = picture(150, 171, channels=channels).astype(dtype)
    options = dict(LAYOUTS[layout])
    if channels == 1 or options.get("planarconfig") == "separate":
        options = options if channels > 1 else {k: v for k, v in options.items() if k != "planarconfig"}
        stored = image.transpose(2, 0, 1) if channels > 1 else image[..., 0]
    else:
        stored, options = image, {"planarconfig": "contig", **options}
    if dtype == "float32" and "predictor" in options:
        options["predictor"] = False
    photometric = "rgb" if dtype == "uint8" else "minisblack"
    tifffile.imwrite(tmp_path / "it.tif", stored, photometric=photometric, metadata=None, **options)
    num_channels = min(channels, 3) if dtype == "uint8" else channels
    with tiff.LargeTiff(tmp_path / "it.tif", num_channels) as file:
        assert file.by_windows
        assert file.size == (150, 171)
        for top, bottom in ((0, 150), (0, 1), (31, 97), (149, 150)):
            rows = file.read_rows(slice(top, bottom))
            assert rows.dtype == dtype
            np.testing.assert_array_equal(rows, image[top:bottom, :, :num_channels])


def test_large_tiff_equals_tiles_in_memory(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = Labels.create(["a", "b", "c"])
    file = checkpoint(tmp_path / "bands.ckpt", labels, 5, middle=100.0, scale=1.0)
    image = picture(200, 333, channels=5).astype(np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", image, tile=(64, 64), planarconfig="contig", photometric="minisblack")
    options = ["--tile", "96", "--flips", "all", "--precision", "32-true", "--probabilities"]
    for size, out in ((100, "windows"), (10**9, "memory")):
        monkeypatch.setattr(tiff, "LARGE", size)
        outcome = run("predict", file, "in.tif", "--output", out, *options, "--masks", "color")
        assert outcome.code == 0, outcome.err
    for name in ("masks/in.tif", "probabilities/in.npy"):
        windows, memory = (tmp_path / out / name for out in ("windows", "memory"))
        if name.endswith("npy"):
            np.testing.assert_array_equal(np.load(windows), np.load(memory))
        else:
            np.testing.assert_array_equal(read(windows), read(memory))
            np.testing.assert_array_equal(read(windows), labels.colorize((image[..., 0] > 100).astype(np.uint8)))


def test_truncated_large_tiff_leaves_no_output(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ckpt: Path, images: Any
) -> None:
    monkeypatch.setattr(tiff, "LARGE", 20_000)
    tifffile.imwrite(tmp_path / "in" / "cut.tif", picture(256, 256), rowsperstrip=16, compression="zlib")
    whole = (tmp_path / "in" / "cut.tif").read_bytes()
    (tmp_path / "in" / "cut.tif").write_bytes(whole[: len(whole) // 2])
    outcome = run("predict", ckpt, "in", "--output", "out", "--tile", "64")
    assert outcome.code == 1
    assert outcome.out.startswith("4 images predicted in ")
    (line,) = outcome.err.splitlines()
    assert "cut.tif: cannot be read as an image" in line
    assert not list((tmp_path / "out").rglob("*cut*"))


def test_predicts_with_a_trained_run(run: Run, tmp_path: Path, tiny: list[str], shapes: Path) -> None:
    """The checkpoint's own weights are the averaged ones that were scored."""
    fitted = run("fit", *tiny, "--test_after_fit=false")
    assert fitted.code == 0, fitted.err
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    outcome = run("predict", fitted.folder, shapes / "images", "--output", "out", "--precision", "32-true")
    assert outcome.code == 0, outcome.err
    masks = sorted((tmp_path / "out" / "masks").rglob("*.png"))
    assert len(masks) == 11
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert record["checkpoint"] == str(fitted.folder / "checkpoints" / "best.ckpt")
    assert yaml.safe_load((fitted.folder / "config.yaml").read_text())["trainer"]["precision"] == "32-true"
    predict: Predictor = seglit.load(fitted.folder)
    for mask in masks[:3]:
        image = shapes / "images" / mask.relative_to(tmp_path / "out" / "masks")
        assert (read(mask) == predict(image)).mean() > 0.99


def test_predicts_videos_frame_by_frame(run: Run, tmp_path: Path, ckpt: Path) -> None:
    """Uses white and black blocks, which survive the video compression."""
    bright = [np.kron(np.random.default_rng(seed).integers(0, 2, (4, 6)), np.ones((16, 16), int)) for seed in range(5)]
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (96, 64))
    for frame in bright:
        writer.write(np.repeat(frame[..., None] * 255, 3, -1).astype(np.uint8))
    writer.release()
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    outcome = run("predict", ckpt, "clip.avi", "broken.mp4", "--output", "out")
    assert outcome.code == 1
    assert outcome.out.startswith("5 images predicted in ")
    assert "broken.mp4: cannot be read as a video beyond frame 0" in outcome.err
    masks = sorted((tmp_path / "out" / "masks" / "clip").iterdir())
    assert [mask.name for mask in masks] == [f"{index:06d}.png" for index in range(5)]
    for mask, frame in zip(masks, bright, strict=True):
        assert (read(mask) == 255 * frame).mean() > 0.97
    masks[3].unlink()
    again = run("predict", ckpt, "clip.avi", "--output", "out")
    assert again.code == 0
    assert again.out.startswith("1 image predicted in ")
    assert "4 done before" in again.out
    assert masks[3].is_file()
