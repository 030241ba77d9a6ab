"""Checks that weights are not scored on images that they were trained on."""

from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from seglit.data.base import SegmentationDataModule
from seglit.data.file_pairs import PairsDataModule
from seglit.errors import InputError
from seglit.images.listing import is_file
from seglit.images.pairs import Split
from seglit.runs.named_run import folder_of
from seglit.runs.tested import read_config


@rank_zero_only
def check_held_out(weights: Path, data: SegmentationDataModule, *splits: Split) -> None:
    """Looks in splits for images that the run of some weights was trained on, as shares of more images draw them.

    Args:
        weights: A checkpoint, or what was exported of it, in a run folder, whose `splits` lists the images.
        data: The data module.
        splits: The splits that are scored.

    Raises:
        InputError: A split has such images: their scores would be too high.
    """
    folder = folder_of(weights.absolute())
    lists = folder / "splits"
    if not isinstance(data, PairsDataModule) or not is_file(lists / "train.txt"):
        return
    settings, _ = read_config(folder / "config.yaml")
    root = (settings["data"].get("init_args") or {}).get("root")
    if root is None or Path(root).resolve() != data.root.resolve():
        return
    data.prepare_data()
    trained = {*(lists / "train.txt").read_text(encoding="utf-8", errors="surrogateescape").splitlines()}
    for split in splits:
        images = data.listed_images(split)
        if common := [image for image in images if image in trained]:
            own = ", ".join(f"{name}: {lists / name}.txt" for name in ("val", "test") if is_file(lists / f"{name}.txt"))
            raise InputError(
                f"{len(common)} of the {len(images)} images of {split} are among those that {folder} was trained on, "
                f"first {common[0]}: their scores would be too high; to keep its splits, with the others in train: "
                f"--data.splits='{{{own}}}'"
            )
