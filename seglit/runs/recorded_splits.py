"""The images of a run's splits, which shares would draw otherwise once there are more images. Loads no torch."""

from collections.abc import Mapping
from pathlib import Path

from seglit.images.listing import is_file


def recorded_lists(folder: Path, splits: object) -> dict[str, str]:
    """Returns the list files of a run by split, if its settings draw splits at random; {} of another run.

    Args:
        folder: The run folder.
        splits: The setting `splits` of its data.
    """
    if not isinstance(splits, Mapping) or all(isinstance(part, str) for part in splits.values()):
        return {}
    return {file.stem: str(file) for file in sorted(folder.glob("splits/*.txt")) if is_file(file)}


def is_recorded_list(value: object) -> bool:
    """Whether the value of a setting is a list file in a run folder."""
    file = Path(value) if isinstance(value, str) else Path()
    return file.suffix == ".txt" and file.parent.name == "splits" and is_file(file.parents[1] / "config.yaml")
