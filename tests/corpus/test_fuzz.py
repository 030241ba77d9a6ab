"""Changed at random, the files of others are read or refused in one line, and nothing is imported, started or written.

The suite tries a few changes of each kind; `SEGLIT_FUZZ=1000 pytest tests/corpus/test_fuzz.py` tries a thousand.
"""

import copy
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

import seglit
from seglit.annotations import Coco, Cvat, Labelme, LabelStudio, Reader, Supervisely, Via, Yolo
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.compare.runs import compare_runs
from seglit.compare.text import as_plain
from seglit.errors import InputError
from seglit.images.read import read_image
from seglit.images.tiff import LargeTiff
from seglit.labels import Labels
from seglit.networks import UNet
from seglit.predict.label_files import _WRITERS
from seglit.predict.settings import LabelFormat
from seglit.runs.ckpt_path import find_ckpt_path
from seglit.runs.resume import continue_run
from seglit.runs.tested import read_curves, read_run
from tests.annotations import test_supervisely, test_via
from tests.annotations.folders import masks_of, save_image
from tests.conftest import Outcome

COUNT = int(os.environ.get("SEGLIT_FUZZ", "12"))
Generator = np.random.Generator
JUNK: list[Any] = [
    *(None, True, 0, -1, 3, 2**70, 1.5, 1e300, "", "x", "os.system", "../../x", "/", "\x1b[31m\n", "9" * 5000),
    *("torch.nn.Linear", "seglit.networks.SMP", [], [1], [[1]], {}, {"class_path": "os.system"}),
    {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "x"]}},
]
WATCHED = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "pickle.find_class",
)
ALLOWED = {
    "seglit",
    "torch",
    "torchvision",
    "timm",
    "segmentation_models_pytorch",
    "huggingface_hub",
    "PIL",
    "encodings",
}
events: list[str] | None = None


def watch(event: str, args: tuple[Any, ...]) -> None:
    if events is None:
        return
    if event in WATCHED or (event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
        events.append(f"{event} {args[0]!r}")


sys.addaudithook(watch)  # cannot be removed again


@contextmanager
def harmless() -> Iterator[None]:
    """Allows errors of the input, in one line, and no other effect."""
    global events
    modules, events = {*sys.modules}, []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        pass  # in one line, which the command line prints
    finally:
        seen, events = events, None
    assert not seen
    packages = {name.partition(".")[0] for name in {*sys.modules} - modules}
    assert not packages - ALLOWED


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def changed(value: Any, random: Generator) -> Any:
    """Removes, renames, repeats or replaces one to three parts of plain data."""
    value = copy.deepcopy(value)
    for _ in range(random.integers(1, 4)):
        found = [*places(value)]
        if not found:
            break
        *way, last = found[random.integers(len(found))]
        parent = value
        for key in way:
            parent = parent[key]
        match random.integers(5), parent:
            case 0, _:
                del parent[last]
            case 1, dict():
                parent["other"] = parent.pop(last)
            case 2, list():
                parent.append(parent[last])
            case _:
                parent[last] = copy.deepcopy(JUNK[random.integers(len(JUNK))])
    return value


def damaged(content: bytes, random: Generator, end: int | None = None) -> bytes:
    """Replaces, removes or cuts off bytes, before `end`."""
    kept = bytearray(content)
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(min(end or len(kept), len(kept)) or 1))
        match random.integers(4):
            case 0:
                del kept[place : place + int(random.integers(1, 9))]
            case 1 if random.integers(4) == 0:
                del kept[place:]
            case _:
                kept[place : place + 1] = random.bytes(1) if random.integers(2) else b"\xff"
    return bytes(kept)


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, Any]:
    network = UNet(num_classes=3, channels=[2, 4])
    init_args = {"num_classes": 3, "in_channels": 3, "channels": [2, 4], "encoder": None, "encoder_weights": None}
    return {
        "seglit": {
            "version": "0.1.0",
            "network": {"class_path": "seglit.networks.UNet", "init_args": init_args},
            "labels": Labels.create(["a", "b", "c"]).to_dict(),
            "normalization": {"mean": [0.1, 0.2, 0.3], "std": [0.1, 0.2, 0.3], "scale": 255.0},
            "nodata": [],
        },
        "state_dict": {f"network.{name}": value for name, value in network.state_dict().items()},
    }


@pytest.mark.parametrize("seed", range(COUNT))
def test_checkpoints(checkpoint: dict[str, Any], tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    file = tmp_path / "theirs.ckpt"
    torch.save({**checkpoint, "seglit": changed(checkpoint["seglit"], random)}, file)
    with harmless():
        predict = seglit.load(file)
        predict(np.zeros((16, 16, predict.in_channels), np.uint8))
    torch.save(checkpoint, tmp_path / "whole.ckpt")
    (tmp_path / "damaged.ckpt").write_bytes(damaged((tmp_path / "whole.ckpt").read_bytes(), random))
    with harmless():
        seglit.load(tmp_path / "damaged.ckpt")


@pytest.mark.parametrize("seed", range(COUNT))
def test_states_of_trainings(trained: Outcome, tmp_path: Path, seed: int) -> None:
    """What `--resume` and `--ckpt_path` read of a checkpoint beside its weights."""
    random = np.random.default_rng(seed)
    content = torch.load(trained.folder / "checkpoints" / "last.ckpt", weights_only=True)
    part = ("loops", "resume")[random.integers(2)]
    plain = {part: {name: value for name, value in content[part].items() if name not in ("random", "test_loop")}}
    torch.save({**content, **changed(plain, random)}, tmp_path / "last.ckpt")
    shutil.copy(trained.folder / "config.yaml", tmp_path)
    trainer = SimpleNamespace(max_epochs=3, max_steps=-1)
    config = SimpleNamespace(trainer=trainer, checkpoint=SimpleNamespace(dirpath=str(tmp_path)), test_after_fit=True)
    with harmless():
        continue_run(tmp_path, config)
    with harmless():
        find_ckpt_path("fit", str(tmp_path / "last.ckpt"), SimpleNamespace(max_epochs=3, max_steps=-1))


@pytest.mark.parametrize("seed", range(COUNT))
def test_score_files(trained: Outcome, tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    for name in ("scores_test.json", "config.yaml", "metrics.csv"):
        content = (trained.folder / name).read_bytes()
        (tmp_path / name).write_bytes(damaged(content, random) if random.integers(3) == 0 else content)
    if random.integers(3):
        scores = json.loads((trained.folder / "scores_test.json").read_bytes())
        (tmp_path / "scores_test.json").write_text(json.dumps(changed(scores, random)))
    with harmless():
        run = read_run(tmp_path)
        _ = run.fingerprint, run.checkpoint, read_curves(tmp_path)
        as_plain(compare_runs([run, read_run(trained.folder)]))


def written_by_seglit(label_format: LabelFormat) -> Callable[[Path], object]:
    def write(root: Path) -> None:
        image, mask = save_image(root / "images/a.png"), np.zeros((40, 40), np.uint8)
        mask[5:20, 5:30] = 1
        labels = Labels.create(["background", "rust"])
        _WRITERS[label_format](
            [PredictedMask(image, "a.png", "a", mask)], Classes(labels.class_names, labels.palette), root / "labels"
        )

    return write


BITMAP = test_supervisely.bitmap(np.eye(9, dtype=bool), 3, 4)
POLYGON = test_supervisely.item("polygon", [[5, 5], [30, 5], [30, 30]], [[[9, 9], [12, 9], [12, 12]]])
FORMATS: dict[str, tuple[Reader, Callable[[Path], object]]] = {
    "coco": (Coco("images", "labels/coco.json"), written_by_seglit("coco")),
    "labelme": (Labelme("images", "labels"), written_by_seglit("labelme")),
    "yolo": (Yolo(), written_by_seglit("yolo")),
    "label-studio": (LabelStudio("labels/label-studio.json", "images"), written_by_seglit("label-studio")),
    "cvat": (Cvat("labels/cvat.xml", "images"), written_by_seglit("cvat")),
    "via": (Via(), lambda root: test_via.write(root / "via.json", test_via.export(root, [test_via.square("a", 5, 9)]))),
    "supervisely": (Supervisely(), lambda root: test_supervisely.write(root, [BITMAP, POLYGON])),
}


@pytest.mark.parametrize("name", FORMATS)
def test_label_files(tmp_path: Path, name: str) -> None:
    reader, write = FORMATS[name]
    write(tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.suffix in (".json", ".xml", ".txt", ".yaml")]
    contents = {file: file.read_bytes() for file in sorted(files)}
    for seed in range(COUNT):
        random = np.random.default_rng(seed)
        file = [*contents][random.integers(len(contents))]
        if file.suffix == ".json" and random.integers(2):
            file.write_text(json.dumps(changed(json.loads(contents[file]), random)))
        else:
            file.write_bytes(damaged(contents[file], random))
        with harmless():
            masks_of(tmp_path, reader, splits={"val": 0.0})
        file.write_bytes(contents[file])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_headers(tmp_path: Path, compression: str | None) -> None:
    file = tmp_path / "a.tif"
    pixels = np.arange(40 * 40 * 3, dtype=np.uint8).reshape(40, 40, 3)
    tifffile.imwrite(file, pixels, compression=compression, rowsperstrip=16, photometric="rgb")
    content = file.read_bytes()
    for seed in range(3 * COUNT):
        random = np.random.default_rng(seed)
        file.write_bytes(damaged(content, random, 300))
        with harmless():
            read_image(file, 3)
        with harmless(), LargeTiff(file, 3) as large:
            assert large.size
