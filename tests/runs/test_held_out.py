"""A run keeps its splits though images are added, and weights are not scored on images that they were trained on."""

import json
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from seglit.errors import InputError
from seglit.images.pairs import SPLITS
from seglit.networks import UNet
from seglit.runs.held_out import check_held_out, trained_images
from seglit.runs.init_from import start_from
from seglit.runs.rebuild import find_data
from tests.conftest import Run
from tests.images.test_splitting import SHORT, flat, names, write

SHARES = {"val": 0.2, "test": 0.2}
MORE = [f"more_{number}" for number in range(20)]


def lists_of(folder: Path) -> dict[str, list[str]]:
    return {split: (folder / f"splits/{split}.txt").read_text().split() for split in SPLITS}


def make_run(folder: Path, root: Path, train: list[str], **settings: Any) -> Path:
    """Writes what is read of a run folder; returns its checkpoint."""
    (folder / "splits").mkdir(parents=True)
    (folder / "splits/train.txt").write_text("".join(f"{image}\n" for image in train))
    data = {"class_path": "seglit.data.FolderDataModule", "init_args": {"root": str(root)}}
    config = {"data": data, "model": {"network": {"class_path": "seglit.networks.UNet"}}, "trainer": {}, **settings}
    (folder / "config.yaml").write_text(f"# seglit 1, torch 2\n{json.dumps(config)}\n")
    return folder / "checkpoints/best.ckpt"


def test_splits_of_a_run_outlast_more_images(tmp_path: Path, run: Run) -> None:
    root = write(tmp_path / "data")
    (tmp_path / "data.yaml").write_text(
        "class_path: seglit.data.FolderDataModule\n"
        f"init_args: {{root: data, class_names: [a], num_workers: 0, images: images, masks: masks, splits: {SHARES}}}\n"
    )
    options = ["--data=data.yaml", *SHORT]
    first = run("fit", *options).folder
    kept = lists_of(first)
    drawn = names(flat(write(root, MORE), splits=SHARES))

    (first / "scores_test.json").unlink()
    resumed = run("fit", "--resume", first)
    assert resumed.code == 0, resumed.err
    assert (first / "scores_test.json").is_file()
    (tmp_path / "other.yaml").write_text("trainer: {devices: 1}\ndata: {init_args: {batch_size: 2}}")
    tested = run("test", first, "-c", "other.yaml")
    assert tested.code == 0, tested.err
    (folder,) = {*tmp_path.glob("runs/*/*")} - {first}
    assert lists_of(folder) == kept
    data, _ = find_data(first / "config.yaml", "val", ())  # of export and reports
    assert data is not None
    assert [f"images/{data.dataset('val').name_of(index)}.png" for index in range(6)] == kept["val"]

    common = [image for name in drawn["val"] if (image := f"images/{name}.png") in kept["train"]]
    outcome = run("fit", *options, "--init_from", first)
    assert outcome.code == 2
    assert 0 < len(common) < 10
    found = f"{len(common)} of the 10 images of val are among those that {first} was trained on, first {common[0]}"
    error = f"seglit: error: {found}: their scores would be too high; to keep the splits, with the others in train: "
    last = outcome.err.splitlines()[-1]
    assert last.startswith(error)
    again = run("fit", *options, "--init_from", first, last.removeprefix(error).replace("'", ""))
    assert again.code == 0, again.err
    lists = lists_of(again.folder)
    assert {*lists.pop("train")} == {*kept["train"], *(f"images/{name}.png" for name in MORE)}
    assert lists.items() < kept.items()

    checkpoint = first / "checkpoints/last.ckpt"
    scored = run("validate", *options, "--ckpt_path", checkpoint)
    assert scored.code == 0
    assert f"seglit: {found}: their scores are too high\n" in scored.err
    encoder = {"class_path": "seglit.networks.UNet", "init_args": {"encoder_weights": str(checkpoint)}}
    model: Any = mock.Mock(network=UNet(1, channels=[4, 8]))
    with pytest.raises(InputError, match="of the 10 images of val are among those that"):
        start_from(model, flat(root, splits=SHARES), {"model": {"network": encoder}}, None, None)


def test_trained_images_that_moved_are_found(tmp_path: Path) -> None:
    """To another split, or with all data to another folder."""
    old, new = tmp_path / "old", tmp_path / "new"
    for split, frames in {"train": ["a", "b"], "val": ["c"], "test": ["d"]}.items():
        write(old, frames, split)
    checkpoint = make_run(tmp_path / "run", old, ["images/train/a.png", "images/train/b.png"])
    later = make_run(tmp_path / "later", old, ["images/train/b.png"], init_from=str(tmp_path / "run"))
    folders: dict[str, Any] = {"images": "images/{split}", "masks": "masks/{split}"}

    def found(weights: Path, root: Path) -> str:
        return trained_images(weights, flat(root, **folders), "val")

    assert not found(checkpoint, old)
    for kind in ("images", "masks"):
        (old / kind / "train/a.png").rename(old / kind / "val/a.png")
    message = f"1 of the 2 images of val are among those that {tmp_path / 'run'} was trained on, first images/val/a.png"
    assert found(checkpoint, old) == found(later, old) == message
    with pytest.raises(InputError, match=rf"^{message}: their scores would be too high$"):
        check_held_out(checkpoint, flat(old, **folders))
    for kind in ("images", "masks"):
        (old / kind / "val/a.png").rename(old / kind / "train/a.png")
    shutil.copytree(old, new)
    listed = {"splits": {"train": "train.txt", "val": "val.txt"}, "images": "images", "masks": "masks"}
    (new / "train.txt").write_text("train/b\n")
    (new / "val.txt").write_text("train/a\n")
    assert not trained_images(checkpoint, flat(new, **listed), "val")  # maybe other data
    shutil.rmtree(old)
    assert "first images/train/a.png" in trained_images(checkpoint, flat(new, **listed), "val")


@pytest.mark.parametrize("config", [None, "seed: 3\n"])
def test_lists_of_other_programs_are_not_those_of_a_run(tmp_path: Path, config: str | None) -> None:
    root = write(tmp_path, ["a", "b"])
    checkpoint = make_run(tmp_path / "run", root, ["images/b.png"])
    (tmp_path / "val.txt").write_text("b\n")
    data = flat(root, splits={"val": "val.txt"})
    assert trained_images(checkpoint, data, "val")
    (tmp_path / "run/config.yaml").unlink()
    if config:
        (tmp_path / "run/config.yaml").write_text(config)
    assert not trained_images(checkpoint, data, "val")
