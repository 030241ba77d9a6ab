"""Matches images with masks in several files: one per class, object or brush stroke."""

import posixpath
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from seglit.images.listing import files_below, normalized
from seglit.images.name_patterns import PartName, PartNames, key_of
from seglit.images.pairs import AnySplit, MaskPart, Pair, Pairing, PairSettings


def match_parts(
    pairing: Pairing, root: Path, split: AnySplit, images: Path, masks: Path, settings: PairSettings
) -> None:
    """Adds the images below a folder to a pairing, with all their mask files below another or the same folder.

    An image without a mask file shows no object if there is a folder for its mask files alone; if not, its mask is
    missing.
    """
    mask_name = settings.names_in(split)[1]
    keys: dict[Path, str] = {}
    for other, (folder, of_masks) in settings.folders(root).items():
        if of_masks == masks:  # it may be that of several splits
            keys |= _keys(folder, masks, settings.names_in(other)[0])
    files = {
        normalized(path.relative_to(masks).as_posix()): path for path in files_below(masks, settings.mask_suffixes)
    }
    names = _names_of_parts(files, keys, mask_name, settings)
    if names.keys() & keys:  # beside the images, and named like them
        keys = {path: key for path, key in keys.items() if path not in names}
        names = _names_of_parts(files, keys, mask_name, settings)
    parts: dict[str, list[MaskPart]] = defaultdict(list)
    for path, (key, class_name) in names.items():
        parts[key].append(MaskPart(path, class_name))
    excluded = {root / path for path in settings.exclude}
    for image, key in keys.items():
        if image in excluded or not image.is_relative_to(images):
            continue
        name = image.relative_to(images).with_suffix("").as_posix()
        folder = masks / posixpath.dirname(mask_name).replace("{stem}", key)
        if found := parts.get(key):
            pairing.pairs.append(Pair(image, found[0].path, name, split, parts=tuple(found)))
        elif "{stem}" in posixpath.dirname(mask_name) and folder.is_dir() and folder != image.parent:
            pairing.pairs.append(Pair(image, folder, name, split, parts=()))
        else:
            expected = mask_name.replace("{stem}", key).replace("{class}", "*")
            pairing.images_without_mask[image] = expected, masks
    pairing.masks_without_image += [path for path in files.values() if path not in names and path not in keys]


def _keys(images: Path, masks: Path, image_name: str) -> dict[Path, str]:
    """The images below a folder, without masks below it, and their keys."""
    masks_are_below = masks != images and masks.is_relative_to(images)
    names = (
        (image, normalized(image.relative_to(images).as_posix()))
        for image in files_below(images)
        if not (masks_are_below and image.is_relative_to(masks))
    )
    return {image: key for image, name in names if (key := key_of(name, image_name)) is not None}


def _names_of_parts(
    files: Mapping[str, Path], keys: Mapping[Path, str], mask_name: str, settings: PairSettings
) -> dict[Path, PartName]:
    """The mask files of these images, by their names below the masks' folder; no image is its own mask."""
    names = PartNames(mask_name, keys.values(), [*map(normalized, settings.class_names)])
    found = ((path, names.find(name)) for name, path in files.items())
    return {path: name for path, name in found if name is not None and name.key != keys.get(path)}
