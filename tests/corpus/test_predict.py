"""`seglit predict` with unusual inputs and outputs: every mask is correct, or a one-line error is printed."""

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from seglit.errors import printable
from seglit.images import tiff
from tests.conftest import Run
from tests.corpus.conftest import left_behind, only_line
from tests.corpus.files import Array, saved
from tests.corpus.folders import image
from tests.predict.brightest import truth


def put(folder: Path, *names: str) -> None:
    """Writes images that are determined by their names, in the format of the suffix."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        formats = {".bmp": "BMP", ".tif": "TIFF"}
        (folder / name).write_bytes(saved(image(name), formats.get(Path(name).suffix, "PNG")))


def check(masks: Path, names: dict[str, str]) -> None:
    """Checks that exactly these masks exist, each the prediction for its image."""
    assert {path.relative_to(masks).as_posix() for path in masks.rglob("*.*")} == set(names)
    for mask, name in names.items():
        np.testing.assert_array_equal(Image.open(masks / mask), truth(image(name)))


def test_names_that_differ_only_in_suffix_or_case(run: Run, tmp_path: Path, ckpt: Path) -> None:
    names = ["x.png", "x.bmp", "x.png.bmp", "x.bmp.png", "X.png", "y.tif", "y.png", "z.tif"]
    put(tmp_path / "in", *names)
    if len(list((tmp_path / "in").iterdir())) < len(names):
        pytest.skip("this file system is not case-sensitive")
    outcome = run("predict", ckpt, "in", "--output=out")
    assert outcome.code == 0, outcome.err
    written = {f"{name}.png": name for name in names[:4]}
    check(
        tmp_path / "out/masks",
        written | {"X.png": "X.png", "y.tif.tif": "y.tif", "y.png.png": "y.png", "z.tif": "z.tif"},
    )
    again = run("predict", ckpt, "in", "--output=out")
    assert "8 done before" in again.out


NAMES = ["n" * 251, "a\nb", os.fsdecode(b"b\xe4d"), "\U0001f600", "[bold]", "a\u2028b", "%s {stem}", "-x", "null"]


def test_special_characters_in_names(run: Run, tmp_path: Path, ckpt: Path) -> None:
    files = [f"in/{name}.png" for name in NAMES]
    try:
        put(tmp_path, *files)
    except OSError as reason:
        pytest.skip(f"cannot be created here: {reason.strerror}")
    for inputs, output in ((["in"], "folder"), (files, "files")):
        outcome = run("predict", ckpt, *inputs, f"--output={output}", "--overlays", "--probabilities")
        assert (outcome.code, outcome.err) == (0, "")
        check(tmp_path / output / "masks", {f"{name}.png": f"in/{name}.png" for name in NAMES})
        assert not left_behind(tmp_path)


def test_corrupt_files_with_special_characters_in_names(run: Run, tmp_path: Path, ckpt: Path) -> None:
    for name in NAMES[1:]:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.png").write_bytes(b"")
    put(tmp_path / "in", "good.png")
    outcome = run("predict", ckpt, "in", "--output=out")
    assert outcome.code == 1
    lines = [f"not predicted: {printable(str(tmp_path / 'in' / name))}.png: cannot be read" for name in NAMES[1:]]
    assert sorted(line.partition(" as an image")[0] for line in outcome.err.split("\n")[:-1]) == sorted(lines)
    check(tmp_path / "out/masks", {"good.png": "good.png"})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "is neither a file nor a folder"),
        (lambda path: path.symlink_to("gone.png"), "broken symbolic link"),
        (lambda path: path.symlink_to(path.name), "broken symbolic link"),
        (Path.mkdir, "contains no images"),
    ],
    ids=["pipe", "broken link", "link to itself", "folder"],
)
def test_inputs_that_are_not_files(
    run: Run, tmp_path: Path, ckpt: Path, make: Callable[[Path], None], words: str
) -> None:
    put(tmp_path / "in", "good.png")
    make(tmp_path / "in/x.png")
    refused = run("predict", ckpt, "in/x.png", "--output=out")
    assert refused.code == 2
    assert only_line(refused.err).startswith(f"seglit: error: in/x.png: {words}")
    assert not (tmp_path / "out").exists()
    outcome = run("predict", ckpt, "in", "--output=out")
    assert outcome.code == int("link" in words)
    assert all("in/x.png: broken symbolic link" in line for line in outcome.err.splitlines())
    check(tmp_path / "out/masks", {"good.png": "good.png"})


OUTPUTS: dict[str, tuple[str, bytes, str]] = {
    "a file": ("out", b"", "--output out: cannot be written"),
    "masks that are a file": ("out/masks", b"", "--output out: cannot be written"),
    "overlays that are a file": ("out/overlays", b"", "out/overlays/a.png: cannot be written"),
    "a truncated record": ("out/predictions.json", b'{"checkpo', "predictions.json: not a record of"),
    "a record with other content": ("out/predictions.json", b"[1, 2]", "predictions.json: not a record of"),
    "a binary record": ("out/predictions.json", b"\xff", "predictions.json: not a record of"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_invalid_outputs(name: str, run: Run, tmp_path: Path, ckpt: Path) -> None:
    path, content, words = OUTPUTS[name]
    put(tmp_path / "in", "a.png")
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(content)
    outcome = run("predict", ckpt, "in", "--output=out", "--overlays")
    assert outcome.code == 2
    assert words in only_line(outcome.err)
    assert (tmp_path / path).read_bytes() == content
    assert not left_behind(tmp_path)


def test_output_name_that_is_too_long(run: Run, tmp_path: Path, ckpt: Path) -> None:
    names = [f"{'n' * 251}.png", f"{'n' * 251}.bmp"]
    put(tmp_path / "in", *names)
    outcome = run("predict", ckpt, "in", "--output=out")
    assert outcome.code == 2
    assert "cannot be written (File name too long)" in only_line(outcome.err)
    assert not left_behind(tmp_path)


def tags(**changed: tuple[int, int, int]) -> bytes:
    """A tiled TIFF of 300 x 410 pixels, with other types, counts and values for these tags."""
    stream = io.BytesIO()
    pixels: Array = np.zeros((300, 410, 3), np.uint8)
    tifffile.imwrite(stream, pixels, tile=(64, 64), compression="zlib", metadata=None, photometric="rgb")
    content = bytearray(stream.getvalue())
    (count,) = struct.unpack_from("<H", content, 8)
    for offset in range(10, 10 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", content, offset)
        if f"t{tag}" in changed:
            struct.pack_into("<HHII", content, offset, tag, *changed[f"t{tag}"])
    return bytes(content)


TIFFS = {
    "2 billion columns": tags(t256=(4, 1, 2**31 - 1)),
    "2 billion rows and columns": tags(t256=(4, 1, 2**31 - 1), t257=(4, 1, 2**31 - 1)),
    "100,000 rows": tags(t257=(4, 1, 100_000)),
    "no columns": tags(t256=(4, 1, 0)),
    "a width as text": tags(t256=(2, 1, 65)),
    "4 billion bit depths": tags(t258=(3, 2**32 - 1, 8)),
    "tiles of width 0": tags(t322=(4, 1, 0)),
    "tiles of 2 billion columns": tags(t322=(4, 1, 2**31 - 16)),
    "2 billion tiles": tags(t324=(4, 2**31, 8)),
    "missing tiles": tags(t324=(4, 35, 2**31)),
    "truncated": tags()[:700],
    "pages that form a cycle": tags().replace(bytes(4), struct.pack("<I", 8), 1),
}


@pytest.mark.parametrize("name", TIFFS)
@pytest.mark.parametrize("large", [False, True])
def test_tiff_with_invalid_tags(
    name: str, large: bool, run: Run, tmp_path: Path, ckpt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, "LARGE", 100 if large else 10**15)
    put(tmp_path / "in", "good.png")
    (tmp_path / "in/x.tif").write_bytes(TIFFS[name])
    outcome = run("predict", ckpt, "in", "--output=out")
    assert outcome.code == 1
    assert only_line(outcome.err).startswith(f"not predicted: {tmp_path / 'in/x.tif'}: ")
    check(tmp_path / "out/masks", {"good.png": "good.png"})
    assert not left_behind(tmp_path)


def test_georeference_with_non_ascii_text(run: Run, tmp_path: Path, ckpt: Path) -> None:
    words = "Gauß-Krüger".encode()
    extra = [
        (34737, 2, 0, words, True),
        (33550, 12, 3, (float("nan"), -1e308, 0.0), True),
        (42113, 7, 3, b"\0\1\2", True),
    ]
    tifffile.imwrite(tmp_path / "x.tif", image("x"), photometric="rgb", metadata=None, extratags=extra)
    outcome = run("predict", ckpt, "x.tif", "--output=out")
    assert outcome.code == 0, outcome.err
    with tifffile.TiffFile(tmp_path / "out/masks/x.tif") as file:
        assert file.pages.first.tags[34737].value == words.decode()
