"""Weights are not scored on images that they were trained on, which shares of more images draw."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from seglit.errors import InputError
from seglit.images.pairs import SPLITS
from seglit.networks import UNet
from seglit.runs.init_from import start_from
from tests.conftest import Run
from tests.images.test_splitting import SHORT, flat, names, write


def test_images_that_weights_were_trained_on_are_not_scored(tmp_path: Path, run: Run) -> None:
    root, shares = write(tmp_path / "data"), {"val": 0.2, "test": 0.2}
    (tmp_path / "data.yaml").write_text(
        "class_path: seglit.data.FolderDataModule\n"
        f"init_args: {{root: data, class_names: [a], num_workers: 0, images: images, masks: masks, splits: {shares}}}\n"
    )
    options = ["--data=data.yaml", *SHORT]
    first = run("fit", *options).folder
    trained = {*(first / "splits/train.txt").read_text().split()}
    more = [f"more_{number}" for number in range(20)]
    drawn = names(flat(write(root, more), splits=shares))
    for command, split in (("test", "test"), ("validate", "val"), (f"fit {' '.join(options)} --init_from", "val")):
        common = [image for name in drawn[split] if (image := f"images/{name}.png") in trained]
        assert 0 < len(common) < len(drawn[split])
        code, _, err = run(*command.split(), first)
        assert code == 2
        assert err.splitlines()[-1].startswith(
            f"seglit: error: {len(common)} of the {len(drawn[split])} images of {split} are among those that {first} "
            f"was trained on, first {common[0]}: their scores would be too high; "
        )
    own = run("test", first).err.rstrip().rpartition("in train: ")[2].replace("'", "")
    again = run("fit", *options, "--init_from", first, own)
    assert again.code == 0, again.err
    kept, lists = (
        {split: (folder / f"splits/{split}.txt").read_text() for split in SPLITS} for folder in (first, again.folder)
    )
    assert {*lists.pop("train").split()} == trained | {f"images/{name}.png" for name in more}
    assert lists.items() < kept.items()
    assert run("test", first, own).code == 0
    encoder = {"class_path": "seglit.networks.UNet", "init_args": {"encoder_weights": f"{first}/checkpoints/best.ckpt"}}
    model: Any = mock.Mock(network=UNet(1, channels=[4, 8]))
    with pytest.raises(InputError, match="of the 10 images of val are among those that"):
        start_from(model, flat(root, splits=shares), {"model": {"network": encoder}}, None, None)
