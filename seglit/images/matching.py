"""Which mask belongs to which image: found by names, lists and tables, for training and `seglit inspect` alike."""

from pathlib import Path

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import SUFFIXES, files_below, is_file, nearest_entry, read_list, reading_table
from seglit.images.pairs import SPLITS, AnySplit, Missing, Pair, Pairing, PairSettings


def find_pairs(root: Path, settings: PairSettings, mask_suffixes: tuple[str, ...] = SUFFIXES) -> Pairing:
    """Finds every image and its mask.

    Args:
        root: The folder that the settings' paths are relative to.
        settings: The layout.
        mask_suffixes: What the names of masks end in.

    Raises:
        InputError: A list or table is missing or cannot be read, or an entry leaves the root.
    """
    if settings.pairs is not None:
        found = _read_table(root, settings)
    else:
        found = Pairing()
        for split, folders in settings.folders(root).items():
            _match(found, split, *folders, _Names(root, settings), mask_suffixes)
        used = {pair.mask for pair in found.pairs}  # masks of all splits may lie in one folder
        found.masks_alone = sorted({*found.masks_alone} - used)
    if settings.lists:
        apply_lists(found, root, settings)
    return found


def apply_lists(found: Pairing, root: Path, settings: PairSettings) -> None:
    """Puts the pairs that the list files name into their splits, in the order of the lists, and drops all others.

    Raises:
        InputError: A list file is missing.
    """
    folder = "" if settings.pairs is not None else str(settings.images)
    base = root / folder
    known = {pair.name: pair for pair in found.pairs}
    alone = {image.relative_to(base).with_suffix("").as_posix(): image for image in found.images_alone}
    excluded = {(root / path).with_suffix("") for path in settings.exclude}
    named = known.keys() | alone.keys()
    pairs: list[Pair] = []
    listed_alone: set[Path] = set()
    for split, file in settings.lists.items():
        path = root / file
        if not path.is_file():
            raise InputError(f"splits: {split}: {path} is no file{nearest_entry(path)}")
        lost: list[str] = []
        for line in read_list(path, folder):
            first = line.split()[0]  # some lists have more after the name, such as a class
            name = first if first in named and line not in named else line
            if name in known:
                pairs.append(known[name]._replace(split=split))
            elif name in alone:
                listed_alone.add(alone[name])
            elif base / name not in excluded:
                lost.append(name)
        if lost:
            found.missing.append(_missing_names(path, base, lost, sorted(named)))
    found.pairs = pairs
    found.images_alone = {image: where for image, where in found.images_alone.items() if image in listed_alone}
    found.masks_alone = []


def listed_file(root: Path, entry: str | None, where: str) -> Path:
    """The path that a table or annotation file names, which may be that of no file.

    Raises:
        InputError: The entry is empty or leaves the root: what is written for an image is named like it.
    """
    if not entry:
        raise InputError(f"{where} is empty")
    if Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise InputError(f"{where} {entry} leaves the data root {root}; its paths are relative to that")
    return root / entry


def missing_file(image: Path, path: Path, where: str) -> Missing:
    """An image of which a file is not there."""
    return Missing([image], lambda: f"{where} {path}: no such file{nearest_entry(path)}")


def _read_table(root: Path, settings: PairSettings) -> Pairing:
    path = root / str(settings.pairs)
    if not path.is_file():
        raise InputError(f"pairs: {path} is no file{nearest_entry(path)}")
    excluded = {root / each for each in settings.exclude}
    found = Pairing()
    with reading_table(path) as table:
        columns = table.fieldnames or ()
        if missing := {"image", "mask"} - set(columns):
            raise InputError(f"{path}: no column {min(missing)!r}; its columns are {', '.join(columns)}")
        if "split" in columns and settings.splits:
            raise InputError(f"splits is set, but {settings.pairs} has a column split: keep one")
        for row in table:
            if root / row["image"] in excluded:
                continue
            where = f"{path}, line {table.line_num}"
            image, split = listed_file(root, row["image"], f"{where}: image"), row.get("split", "all")
            if "split" in columns and split not in SPLITS:
                raise InputError(f"{where}: split is {split!r}; it takes train, val or test")
            if not row["mask"]:
                found.missing.append(Missing([image], f"{where}: mask is empty".__str__))
                continue
            mask = listed_file(root, row["mask"], f"{where}: mask")
            if lost := [(column, file) for column, file in (("image", image), ("mask", mask)) if not is_file(file)]:
                found.missing.append(missing_file(image, lost[0][1], f"{where}: {lost[0][0]}"))
            else:
                name = Path(row["image"]).with_suffix("").as_posix()
                found.pairs.append(Pair(image, mask, name, split))  # type: ignore[arg-type]  # it is one of SPLITS
    return found


def _missing_names(path: Path, base: Path, lost: list[str], known: list[str]) -> Missing:
    """Names of a list file that no image has."""

    def error() -> str:
        return f"{path}: {len(lost)} of its names have no image, first {lost[0]!r}{did_you_mean(lost[0], known)}"

    return Missing([base / f"{name}.*" for name in lost], error)


class _Names:
    """What the settings say of names: which picture is an image, and what its mask is called."""

    def __init__(self, root: Path, settings: PairSettings) -> None:
        self.image_name = settings.image_name
        self.mask_name = settings.mask_name
        self.excluded = {root / path for path in settings.exclude}

    def mask_of(self, image: Path) -> str | None:
        """The mask's path, both relative to their folders; None where the picture is not named like an image."""
        stem = _stem(image.name, self.image_name)
        return None if stem is None else (image.parent / self.mask_name.replace("{stem}", stem)).as_posix()

    def is_mask(self, picture: Path) -> bool:
        """Whether a picture that lies among images is named like a mask."""
        told = self.mask_name.removesuffix(".*") != "{stem}"
        return told and _stem(picture.name, self.mask_name) is not None


def _stem(name: str, pattern: str) -> str | None:
    """What stands for `{stem}` in a name of the pattern; None where it is not of it."""
    before, _, after = pattern.partition("{stem}")
    if after.endswith(".*"):
        after = after.removesuffix(".*") + Path(name).suffix
    fits = name.startswith(before) and name.removeprefix(before).endswith(after)
    return name[len(before) : len(name) - len(after)] if fits else None


def _match(
    found: Pairing,
    split: AnySplit,
    images: Path,
    masks: Path,
    names: _Names,
    mask_suffixes: tuple[str, ...],
) -> None:
    """Matches the images below a folder with the masks below another, or the same; a missing folder has none."""
    stored = {path.relative_to(masks).as_posix(): path for path in files_below(masks, mask_suffixes)}
    by_stem = {name.rsplit(".", 1)[0]: path for name, path in stored.items()}
    below = masks != images and masks.is_relative_to(images)
    wanted = {
        image: mask
        for image in files_below(images)
        if image not in names.excluded
        and not (below and image.is_relative_to(masks))
        and (mask := names.mask_of(image.relative_to(images)))
    }
    matched: dict[Path, Path | None] = {
        image: by_stem.get(mask[:-2]) if mask.endswith(".*") else stored.get(mask) for image, mask in wanted.items()
    }
    taken = set(matched.values())
    for image, found_mask in matched.items():
        if image in taken or (found_mask is None and images == masks and names.is_mask(image)):
            found.masks_alone.append(image)
        elif found_mask is None:
            found.images_alone[image] = wanted[image], masks
        else:
            found.pairs.append(Pair(image, found_mask, image.relative_to(images).with_suffix("").as_posix(), split))
    others = (mask for mask in stored.values() if mask not in wanted)
    found.masks_alone += [mask for mask in others if images != masks or names.is_mask(mask)]
