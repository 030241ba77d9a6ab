"""Slices of TIFF stacks as pairs of their own."""

from pathlib import Path

from seglit.errors import InputError
from seglit.images.pairs import AssumedPages, Pair, Pairing, PairSettings
from seglit.images.picture import Picture, open_picture
from seglit.images.tiff import SUFFIXES as TIFF_SUFFIXES
from seglit.images.tiff_pages import Stack, find_stack

_COLORS = (3, 4)  # pages that may be the bands of an RGB or RGBA image, of a mask as well


def divide_stacks(pairing: Pairing, root: Path, settings: PairSettings) -> None:
    """Replaces each pair of TIFF stacks by one pair per slice, but those in `exclude`.

    A mask has one value or colour per pixel, so as many pages of an image, if they may be slices, are slices. Beside a
    mask of one page they are bands, unless the image states that they are slices: then the pair is left out.
    """
    excluded = {root / path for path in settings.exclude}
    pairs: list[Pair] = []
    for pair in pairing.pairs:
        try:
            image, mask = _stack(pair.image), _stack(pair.mask)
        except InputError:  # reading the pair raises it
            pairs.append(pair)
            continue
        num_masks = 1 if mask is None else len(mask.pages)
        are_slices = image is not None and (image.is_certain or mask is not None)
        num_images = len(image.pages) if image is not None and are_slices else 1
        if num_images != num_masks:
            counts = f"has {_count(num_images)}, but its mask {pair.mask} has {_count(num_masks)}"
            pairing.uneven_stacks[pair.image] = counts
            continue
        if image is not None and (mask is None or not mask.is_certain) and _is_unclear(image, are_slices):
            pairing.assumed_pages[pair.image] = AssumedPages(len(image.pages), are_slices)
        slices = [pair.slice(page) for page in range(num_images)] if are_slices else [pair]
        pairs += [each for each in slices if each.numbered(each.image) not in excluded]
    pairing.pairs = pairs


def open_first(path: Path) -> Picture:
    """Reads an image or mask file, of a file of several pages the first slice.

    Raises:
        InputError: The errors of `open_picture`.
    """
    return open_picture(path, page=None if _stack(path) is None else 0)


def count_slices(path: Path, in_channels: int) -> tuple[int | None, str]:
    """Counts the slices of an image without a mask.

    Returns:
        Their number, None for a single image; and what is assumed where the file does not state it, else ''.
    """
    try:
        stack = _stack(path)
    except InputError:  # reading the image raises it
        stack = None
    if stack is None:
        return None, ""
    num_pages = len(stack.pages)
    if stack.is_certain:
        return num_pages, ""
    if in_channels > 1 and in_channels in (num_pages, stack.width):
        may_be_grey = in_channels == num_pages == 3 and not stack.has_channels
        return None, "3 pages are read as 3 channels; if they are slices, state the axes ZYX" * may_be_grey
    return num_pages, f"{num_pages} channels are read as slices, each of one channel" * stack.has_channels


def _stack(path: Path) -> Stack | None:
    return find_stack(path) if path.suffix.lower() in TIFF_SUFFIXES else None


def _is_unclear(image: Stack, are_slices: bool) -> bool:
    """Whether pages read as slices may be bands, or pages read as bands may be slices."""
    if image.is_certain:
        return False
    if are_slices:
        return image.has_channels or len(image.pages) in _COLORS
    return not image.has_channels and image.width >= len(image.pages)  # else the pages are rows (W, C)


def _count(number: int) -> str:
    return "1 page" if number == 1 else f"{number} slices"
