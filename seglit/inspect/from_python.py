"""`seglit.inspect_folder`: the command `seglit inspect --json true` as a function."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seglit.inspect import inspection
from seglit.inspect.text import as_plain


def inspect_folder(
    root: str | os.PathLike[str],
    images: str | None = None,
    masks: str | None = None,
    pairs: str | None = None,
    class_names: Sequence[str] | None = None,
    workers: int | None = None,
    mask_divisor: int | None = None,
) -> dict[str, Any]:
    """Inspects a folder of images and masks, and returns what `seglit inspect --json true` prints, as plain data.

    Args:
        root: The folder.
        images: Folder of the images below root, with `{split}` in place of a split, or column; inferred if not given.
        masks: Folder of the masks, likewise.
        pairs: CSV of the pairs with columns image and mask; inferred if not given.
        class_names: The classes in the order of their stored values; other values are void.
        workers: Worker processes; by default one per core.
        mask_divisor: Stored integers are class * mask_divisor + instance; 1: they are classes; inferred if not given.

    Returns:
        Among others `class_path` and `settings` of a data module, `splits`, `values` and `findings`, of which each has
        a `severity`.

    Raises:
        InputError: The folder cannot be read at all.
    """
    folder = Path(root).expanduser().absolute()
    return as_plain(inspection.inspect_folder(folder, images, masks, pairs, class_names, workers, mask_divisor))
