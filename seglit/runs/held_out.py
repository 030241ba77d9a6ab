"""Finds images that weights were trained on among those that they are scored on."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from seglit.data.base import SegmentationDataModule
from seglit.data.file_pairs import PairsDataModule
from seglit.errors import InputError
from seglit.images.listing import is_file, is_folder
from seglit.images.pairs import SPLITS, Split
from seglit.runs.named_run import folder_of
from seglit.runs.scores import stack_of
from seglit.runs.tested import HEADER, read_config


def trained_images(weights: Path, data: SegmentationDataModule, split: Split) -> str:
    """Says which images of a split weights were trained on, by the lists of their run and of those it started from.

    Args:
        weights: A run folder, or a checkpoint or exported file in one.
        data: The data module.
        split: The split that is scored.

    Returns:
        How many images, and the first; "" if there are none, or that is not known.
    """
    if not isinstance(data, PairsDataModule):
        return ""
    data.prepare_data()
    images = data.listed_images(split)
    for folder, root in _runs(weights):
        listed = (folder / "splits/train.txt").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        gone = {_moved(name) for name in listed if not is_file(data.root / stack_of(name))}
        if not _is_same(root, data.root, has_all=not gone):
            continue
        trained = {*listed}
        if common := [image for image in images if image in trained or _moved(image) in gone]:
            return (
                f"{len(common)} of the {len(images)} images of {split} are among those that {folder} was trained on, "
                f"first {common[0]}"
            )
    return ""


@rank_zero_only
def warn_if_trained_on(weights: Path, data: SegmentationDataModule, split: Split) -> None:
    """Warns where weights are scored on images that they were trained on, be it on purpose."""
    if found := trained_images(weights, data, split):
        print(f"seglit: {found}: their scores are too high", file=sys.stderr, flush=True)


@rank_zero_only
def check_held_out(weights: Path, data: SegmentationDataModule) -> None:
    """Checks what training starts from.

    Raises:
        InputError: Images of val or test were trained on.
    """
    for split in SPLITS[1:]:
        if found := trained_images(weights, data, split):
            lists = {name: _run_of(weights) / f"splits/{name}.txt" for name in SPLITS[1:]}
            own = ", ".join(f"{name}: {file}" for name, file in lists.items() if is_file(file))
            hint = f"; to keep the splits, with the others in train: --data.splits='{{{own}}}'" if own else ""
            raise InputError(f"{found}: their scores would be too high{hint}")


def _runs(weights: Path) -> Iterator[tuple[Path, Path]]:
    """Yields the folders of the runs that weights come from, and the roots of their data."""
    folder = _run_of(weights)
    config = folder / "config.yaml"
    if not is_file(folder / "splits/train.txt") or not is_file(config):
        return
    with config.open(encoding="utf-8", errors="replace") as file:
        if not file.readline().startswith(HEADER):
            return  # of another program
    settings, _ = read_config(config)
    arguments: Mapping[str, Any] = settings["data"].get("init_args") or {}
    if root := arguments.get("root"):
        yield folder, Path(root)
    if before := settings.get("init_from"):
        yield from _runs(Path(before))


def _run_of(weights: Path) -> Path:
    return weights if is_folder(weights / "splits") else folder_of(weights.absolute())


def _is_same(root: Path, current: Path, *, has_all: bool) -> bool:
    """Whether data is that of a run: in the same folder, or in another one, where all of it is and the first is not."""
    return root.resolve() == current.resolve() or (has_all and not is_folder(root))


def _moved(name: str) -> tuple[str, ...]:
    """The parts of a path without the folder of a split, which an image may have changed for another."""
    return tuple(part for part in PurePath(name).parts if part not in SPLITS)
