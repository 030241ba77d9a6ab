"""Questions about the pages of TIFF files that may be slices, or bands of one image."""

from collections import defaultdict
from pathlib import Path

from seglit.errors import printable
from seglit.images.pairs import AssumedPages, Pairing

_ASSUMED = {
    True: (
        "slices? their masks have as many pages, so they are read as slices; if they are bands, and those of the masks "
        "colours, save the bands of each file in one page"
    ),
    False: (
        "bands of one image? the files do not state it, but their masks have one page, so they are read as bands; if "
        "they are slices, save masks with as many pages"
    ),
}


def stack_questions(root: Path, pairing: Pairing) -> list[str]:
    """Returns a question for each number of pages whose meaning the files do not state, with what is assumed."""
    images: dict[AssumedPages, list[Path]] = defaultdict(list)
    for image, assumed in pairing.assumed_pages.items():
        images[assumed].append(image)
    return [
        printable(
            f"are the {assumed.num_pages} pages of {paths[0].relative_to(root).as_posix()}"
            f"{f' and {len(paths) - 1} more' * (len(paths) > 1)} {_ASSUMED[assumed.as_slices]}"
        )
        for assumed, paths in images.items()
    ]
