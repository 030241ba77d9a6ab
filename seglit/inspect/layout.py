"""How a folder of images and masks is laid out: the settings that find its pairs, told from names."""

import os
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from seglit.config.names import find_config, list_configs
from seglit.errors import InputError
from seglit.images.listing import reading_table
from seglit.images.matching import find_pairs
from seglit.images.pairs import Pair, Pairing, PairSettings
from seglit.inspect.places import SHARES, Described, from_folders, from_names

_ADVISED = {"root", "download", "crop_size", "batch_size", "augment"}
"""Settings of a public data set that are not its own."""


@dataclass
class Layout:
    """How the folder is read.

    Args:
        description: One line for people.
        settings: What the data module has to be told beside the root.
        found: What the settings find.
        class_path: The data module that reads it.
        data_root: The folder that the data module is given.
        public: Whether it is a public data set, whose settings say what the masks hold.
    """

    description: str
    settings: dict[str, Any]
    found: Pairing
    data_root: Path
    class_path: str = "seglit.data.FolderDataModule"
    public: bool = False

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every image with its mask; of those that are listed in two splits, only in the first."""
        first: dict[Path, str] = {}
        return [pair for pair in self.found.pairs if first.setdefault(pair.image, pair.split) == pair.split]

    @property
    def missing(self) -> list[Path]:
        """Images that a list or table names, but that are not there, or whose mask is not."""
        return [image for missing in self.found.missing for image in missing.images]


def find_layout(root: Path, images: str | None = None, masks: str | None = None, pairs: str | None = None) -> Layout:
    """Finds how the images and masks below `root` are laid out.

    Args:
        root: The folder.
        images: Folder of the images relative to the root, `{split}` standing for a split; None finds it.
        masks: The same of the masks.
        pairs: A CSV with columns image and mask; None finds it.

    Raises:
        InputError: There is no such folder, or no masks can be told from the images.
    """
    if not root.is_dir():
        raise InputError(f"{root}: {'a file; give the folder that it is in' if root.exists() else 'no such folder'}")
    if (images is None) != (masks is None):
        raise InputError("--images and --masks belong together: give both, or neither")
    if pairs is not None:
        described = _from_table(root, root / pairs)
    elif images is not None and masks is not None:
        described = from_folders(root, images, masks)
    elif public := _public(root):
        return public
    else:
        tables = (table for table in sorted(root.glob("[!.]*.csv")) if table.is_file())
        table = next((table for table in tables if {"image", "mask"} <= set(_columns(table))), None)
        described = from_names(root) if table is None else _from_table(root, table)
    found = find_pairs(root, PairSettings(**described.settings))
    return Layout(described.description, described.settings, found, root)


def _public(root: Path) -> Layout | None:
    """The public data set whose tree this is, or is a part of; the configurations say which folders each has."""
    for name in list_configs("data"):
        config = yaml.safe_load(find_config("data", name).read_text(encoding="utf-8"))
        settings = config["init_args"]
        folders = [archive["path"] for archive in settings.get("archives", ())]
        for top in (root, *root.parents[:2]) if folders else ():
            if not all((top / folder).is_dir() and (top / folder).is_relative_to(root) for folder in folders):
                continue
            own = {field.name: settings[field.name] for field in fields(PairSettings) if field.name in settings}
            found = find_pairs(top, PairSettings(**own))
            if found.pairs:
                kept = {key: value for key, value in settings.items() if key not in _ADVISED}
                return Layout(f"the public data set {name}", kept, found, top, config["class_path"], public=True)
    return None


def _columns(table: Path) -> list[str]:
    with reading_table(table) as rows:
        return list(rows.fieldnames or ())


def _from_table(root: Path, table: Path) -> Described:
    columns = _columns(table) if table.is_file() else []
    settings: dict[str, Any] = {"pairs": os.path.relpath(table, root)}
    if "split" not in columns:
        settings["splits"] = SHARES
    return Described(f"table of pairs: {table.name}, columns {', '.join(columns)}", settings)
