"""`seglit inspect` on TIFF stacks: it counts slices, and asks what files do not state."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from seglit.data import FolderDataModule
from seglit.inspect.layout import find_layout
from seglit.inspect.stack_questions import stack_questions
from tests.conftest import Run
from tests.images.stack_files import SIZE, labels, slices, write, write_stacks

ZYX = {"metadata": {"axes": "ZYX"}}


def inspected(run: Run, root: Path, code: int = 0, page: str = "") -> tuple[Any, Any]:
    """The report, and the settings that are written."""
    outcome = run(
        "inspect", root, "--json=true", "--workers=1", f"--write={root}.yaml", *([f"--report={page}"] if page else [])
    )
    assert outcome.code == code, outcome.out + outcome.err
    return json.loads(outcome.out), yaml.safe_load(Path(f"{root}.yaml").read_text())["init_args"]


def codes(report: Any) -> dict[str, list[str]]:
    return {finding["code"]: [path for path, _ in finding["files"]] for finding in report["findings"]}


def test_counts_slices(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    written = write_stacks(root)
    report, settings = inspected(run, root, page="page")
    page = (tmp_path / "page" / "index.html").read_text()
    assert "24 slices of 4 stacks" in page
    assert "images/stack3.tif[5]" in page
    (question,) = [question for question in report["questions"] if "pages" in question]
    assert question.startswith("are the 6 pages of images/stack0.tif and 1 more slices?")  # which tifffile wrote as C
    shares = {value["stored"]: value["share"] for value in report["values"]}
    masks = np.stack([mask for _, mask in written.values()])
    assert shares == pytest.approx({0: (masks == 0).mean(), 1: (masks == 1).mean()})
    assert {value["images"] for value in report["values"]} == {24}
    assert report["mean"] == pytest.approx([np.mean([image for image, _ in written.values()])])
    assert (settings["in_channels"], codes(report)) == (1, {})
    data = FolderDataModule(**{**settings, "crop_size": list(SIZE), "num_workers": 0, "augment": None})
    assert sorted(pair.name for split in ("train", "val", "test") for pair in data.pairs_of(split)) == sorted(written)


def test_slices_that_look_alike_are_no_leak(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(4):
        image = np.kron(slices(number)[:6, :8], np.ones((4, 4), np.uint8))
        stack = np.stack([image // 2 + level for level in (0, 0, 1)])
        write(root / "images" / f"{number}.tif", stack, **ZYX)
        write(root / "masks" / f"{number}.tif", labels(slices(9, 3)), **ZYX)
    report, _ = inspected(run, root)
    assert codes(report) == {}
    (root / "images" / "0.tif").write_bytes((root / "images" / "3.tif").read_bytes())
    report, _ = inspected(run, root, 1)
    assert codes(report) == {"exact_duplicate": [f"images/3.tif[{page}]" for page in range(3)]}


def test_unusable_slices_and_stacks_are_left_out(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_stacks(root)
    write(root / "masks" / "stack0.tif", slices(0, 5), **ZYX)
    write(broken := root / "images" / "stack1.tif", slices(1, 6), compression="zlib", **ZYX)
    with tifffile.TiffFile(broken) as file:
        (offset,) = file.pages[5].dataoffsets
    with broken.open("r+b") as stream:
        stream.seek(offset)
        stream.write(bytes(99))
    masks = labels(slices(2, 6))
    masks[3] = 0
    write(root / "masks" / "stack2.tif", masks, **ZYX)
    report, settings = inspected(run, root, 1)
    assert codes(report) == {
        "uneven_stack": ["images/stack0.tif"],
        "unreadable_image": ["images/stack1.tif[5]"],
        "single_class_masks": ["masks/stack2.tif[3]"],
    }
    assert settings["exclude"] == ["images/stack0.tif", "images/stack1.tif[5]"]
    data = FolderDataModule(**{**settings, "num_workers": 0, "augment": None})
    assert sum(len(data.pairs_of(split)) for split in ("train", "val", "test")) == 17


def test_folders_told_by_content(run: Run, tmp_path: Path) -> None:
    """Folders whose names do not say which holds the masks."""
    root = tmp_path / "data"
    write_stacks(root)
    (root / "masks").rename(root / "2GT")
    (root / "images").rename(root / "1")
    _, settings = inspected(run, root)
    assert (settings["images"], settings["masks"]) == ("1", "2GT")


def test_table_of_a_metadata_file(run: Run, tmp_path: Path) -> None:
    """The CSV that `inspect` writes where no settings find the pairs lists a stack once."""
    root = tmp_path / "data"
    write_stacks(root)
    (root / "masks" / "stack3.tif").rename(root / "masks" / "other.tif")
    rows = [f"images/stack{number}.tif,masks/stack{number}.tif\n" for number in range(3)]
    (root / "metadata.csv").write_text("file_name,mask\n" + "".join([*rows, "images/stack3.tif,masks/other.tif\n"]))
    report, settings = inspected(run, root)
    assert report["sizes"] == [[*SIZE, 24]]
    assert len((root / settings["pairs"]).read_text().splitlines()) == 5
    data = FolderDataModule(**{**settings, "num_workers": 0, "augment": None})
    assert sum(len(data.pairs_of(split)) for split in ("train", "val", "test")) == 24


@pytest.mark.parametrize(
    ("options", "num_pages", "num_masks", "asked"),
    [
        ({}, 6, 6, ""),
        ({}, 3, 3, "slices? their masks have as many pages"),
        (ZYX, 3, 3, ""),
        ({"ome": True, "metadata": {"axes": "CYX"}}, 6, 6, "slices? their masks have as many pages"),
        ({}, 4, 1, "bands of one image? the files do not state it"),
        ({"ome": True, "metadata": {"axes": "CYX"}}, 4, 1, ""),
        ({"planarconfig": "separate"}, 4, 1, ""),
    ],
)
def test_asks_what_files_do_not_state(tmp_path: Path, options: Any, num_pages: int, num_masks: int, asked: str) -> None:
    for number in range(4):
        stack = slices(number, num_pages)
        write(tmp_path / "images" / f"{number}.tif", stack, **options)
        stated = options if options == ZYX else {}
        write(tmp_path / "masks" / f"{number}.tif", labels(stack)[:num_masks].squeeze(), **stated)
    layout = find_layout(tmp_path)
    assert len(layout.pairs) == 4 * num_masks
    questions = stack_questions(tmp_path, layout.pairing)
    expected = f"are the {num_pages} pages of images/0.tif and 3 more {asked}"
    assert [question[: len(expected)] for question in questions] == ([expected] if asked else [])


def test_pages_beside_one_mask_are_counted_as_bands(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    stacks = [slices(number, 4) for number in range(4)]
    for number, stack in enumerate(stacks):
        write(root / "images" / f"{number}.tif", stack)
        write(root / "masks" / f"{number}.tif", labels(stack)[0])
    report, settings = inspected(run, root)
    assert settings["in_channels"] == 4
    assert report["mean"] == pytest.approx(np.mean(stacks, (0, 2, 3)))
    assert [question for question in report["questions"] if "bands of one image?" in question]
