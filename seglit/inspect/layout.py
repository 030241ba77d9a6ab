"""Layout of a folder of images and masks: the settings that find its pairs, and the pairs that they find."""

import os
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from seglit.config.bounded_yaml import load_yaml
from seglit.config.named_configs import find_config, list_configs
from seglit.errors import InputError
from seglit.images.listing import reading_table
from seglit.images.matching import find_pairs
from seglit.images.pairs import Pair, Pairing, PairSettings
from seglit.images.stacks import divide_stacks
from seglit.inspect.hub_folder import Rows, is_hub_folder, read_hub_folder
from seglit.inspect.image_metadata import read_metadata, with_splits
from seglit.inspect.infer_settings import (
    DEFAULT_SHARES,
    Settings,
    has_mask_folders,
    percentages,
    settings_from_folders,
    settings_from_names,
)
from seglit.inspect.label_format import AnnotatedFolder, find_annotations
from seglit.inspect.part_layout import has_task_names

_ADVISED = {"root", "download", "crop_size", "batch_size", "augment"}  # settings that depend on the user, not the data


@dataclass
class Layout:
    """The layout of a folder.

    Args:
        description: One line.
        settings: Settings of the data module, without the root.
        pairing: What these settings find.
        data_root: The root of the data module.
        class_path: The data module that reads the folder.
        public: Whether it is a public data set, whose settings define the classes.
        annotated: The annotations of which masks are drawn; None if masks are files.
        questions: What to ask about the layout.
        rows: Opens the rows of a Hugging Face data set; None if images and masks are files.
        needs_table: Whether no settings find the pairs, so that a CSV has to list them.
    """

    description: str
    settings: dict[str, Any]
    pairing: Pairing
    data_root: Path
    class_path: str = "seglit.data.FolderDataModule"
    public: bool = False
    annotated: AnnotatedFolder | None = None
    questions: tuple[str, ...] = ()
    rows: Rows | None = None
    needs_table: bool = False

    @property
    def can_exclude(self) -> bool:
        """Whether the configuration lists unusable images in `exclude`."""
        return not self.public and self.rows is None

    @cached_property
    def pairs(self) -> list[Pair]:
        """All images with masks; an image in several splits only in the first."""
        first: dict[Path, str] = {}
        return [pair for pair in self.pairing.pairs if first.setdefault(pair.image, pair.split) == pair.split]

    @property
    def split_settings(self) -> PairSettings:
        """The settings that divide the pairs."""
        return PairSettings(**{key: value for key, value in self.settings.items() if key in ("splits", "group")})

    @property
    def missing(self) -> list[Path]:
        """Images in a list or table that do not exist, or whose mask does not."""
        return [image for missing in self.pairing.missing for image in missing.images]


def find_layout(root: Path, images: str | None = None, masks: str | None = None, pairs: str | None = None) -> Layout:
    """Finds the layout of the images and masks below a folder.

    Args:
        root: The folder.
        images: Folder of the images relative to the root, with `{split}` in place of a split, or column of a Hugging
            Face data set; default: inferred.
        masks: Folder of the masks, likewise.
        pairs: CSV of the pairs with columns image and mask; default: inferred.

    Raises:
        InputError: The folder does not exist, or masks cannot be distinguished from images.
    """
    if not root.is_dir():
        raise InputError(f"{root}: {'is a file; give the folder that it is in' if root.exists() else 'no such folder'}")
    if (images is None) != (masks is None):
        raise InputError("--images and --masks go together: give both, or neither")
    if pairs is None and is_hub_folder(root):
        hub = read_hub_folder(root, images, masks)
        class_path = "seglit.data.HuggingFaceDataModule"
        return Layout(hub.description, hub.settings, hub.pairing, root, class_path, rows=hub.rows)
    if pairs is not None:
        found = _from_table(root, root / pairs)
    elif images is not None and masks is not None:
        found = settings_from_folders(root, images, masks)
    elif public := _find_public(root):
        return public
    else:
        tables = (table for table in sorted(root.glob("[!.]*.csv")) if table.is_file())
        table = next((table for table in tables if {"image", "mask"} <= set(_columns(table))), None)
        if table is None and (metadata := read_metadata(root)):
            return _from_metadata(root, metadata)
        may_be_annotated = table is None and (not has_mask_folders(root) or has_task_names(root))
        if may_be_annotated and (annotated := find_annotations(root)):
            return _from_annotations(root, annotated)
        found = settings_from_names(root) if table is None else _from_table(root, table)
    pairing = find_pairs(root, PairSettings(**found.settings))
    return Layout(found.description, found.settings, pairing, root, questions=found.questions)


def _from_metadata(root: Path, metadata: Pairing) -> Layout:
    """The layout of an image folder with metadata: settings that find the listed pairs and no others, or a CSV."""
    by_names = _from_names(root)
    if by_names is not None and not metadata.missing:
        pairings = metadata, by_names.pairing
        listed, found = ({(pair.image, pair.mask, pair.split) for pair in pairing.pairs} for pairing in pairings)
        if listed == found:
            return replace(by_names, description=f"{by_names.description}; as the metadata file lists them")
    divide_stacks(metadata, root, PairSettings())
    metadata.pairs = with_splits(root, metadata.pairs, DEFAULT_SHARES)
    settings = {"splits": DEFAULT_SHARES} if all(pair.split == "all" for pair in metadata.pairs) else {}
    return Layout("pairs that the metadata file lists", settings, metadata, root, needs_table=True)


def _from_names(root: Path) -> Layout | None:
    """The layout by the names of folders and files; None if these do not tell masks from images."""
    try:
        found = settings_from_names(root)
        return Layout(found.description, found.settings, find_pairs(root, PairSettings(**found.settings)), root)
    except InputError:
        return None


def _from_annotations(root: Path, annotated: AnnotatedFolder) -> Layout:
    """The layout of a folder in a label format."""
    settings: dict[str, Any] = {"reader": annotated.settings}
    splits = {entry.split for entry in annotated.found.images}
    description = f"annotations in {annotated.reader.format_name}"
    if splits == {"all"}:
        settings["splits"] = DEFAULT_SHARES
        description += f"; no splits defined: {percentages(DEFAULT_SHARES)}"
    elif "train" in splits and "val" not in splits:
        settings["splits"] = {"val": DEFAULT_SHARES["val"]}
        description += f"; no images for val: {percentages(settings['splits'])} of the training images"
    class_path = "seglit.data.AnnotationDataModule"
    return Layout(description, settings, annotated.pairing, root, class_path, annotated=annotated)


def _find_public(root: Path) -> Layout | None:
    """Finds the public data set with the folders of this tree, or of which it is a part."""
    for name in list_configs("data"):
        config = load_yaml(find_config("data", name).read_text(encoding="utf-8"))
        settings = config["init_args"]
        folders = [archive["path"] for archive in settings.get("archives", ())]
        for top in (root, *root.parents[:2]) if folders else ():
            if not all((top / folder).is_dir() and (top / folder).is_relative_to(root) for folder in folders):
                continue
            own = {field.name: settings[field.name] for field in fields(PairSettings) if field.name in settings}
            pairing = find_pairs(top, PairSettings(**own))
            if pairing.pairs:
                others = {key: value for key, value in settings.items() if key not in _ADVISED}
                return Layout(f"the public data set {name}", others, pairing, top, config["class_path"], public=True)
    return None


def _columns(table: Path) -> list[str]:
    with reading_table(table) as rows:
        return list(rows.fieldnames or ())


def _from_table(root: Path, table: Path) -> Settings:
    columns = _columns(table) if table.is_file() else []
    settings: dict[str, Any] = {"pairs": os.path.relpath(table, root)}
    if "split" not in columns:
        settings["splits"] = DEFAULT_SHARES
    return Settings(f"table of pairs: {table.name}, columns {', '.join(columns)}", settings)
