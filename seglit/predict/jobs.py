"""Which images are predicted, and which files are written for each."""

import glob
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from seglit.errors import InputError
from seglit.images import tiff, video
from seglit.images.listing import SUFFIXES, files_below, is_file, nearest_entry
from seglit.images.replacing import replacing

RECORD = "predictions.json"


@dataclass(frozen=True)
class Job:
    """An image and the files that are written for it, None where they are not wanted; or a video and their folders.

    Args:
        path: The image.
        mask: PNG, or TIFF where the image is one.
        overlay: PNG.
        probabilities: NPY.
    """

    path: Path
    mask: Path
    overlay: Path | None
    probabilities: Path | None

    @property
    def is_tiff(self) -> bool:
        """Whether the image's name is a TIFF's."""
        return self.path.suffix.lower() in tiff.SUFFIXES

    @property
    def is_video(self) -> bool:
        """Whether the file's name is a video's."""
        return self.path.suffix.lower() in video.SUFFIXES

    def with_suffixes(self) -> Self:
        """The job of an image, for the names of its files without suffix."""
        return replace(
            self,
            mask=_add(self.mask, ".tif" if self.is_tiff else ".png"),
            overlay=self.overlay and _add(self.overlay, ".png"),
            probabilities=self.probabilities and _add(self.probabilities, ".npy"),
        )

    def frame(self, index: int) -> Self:
        """The job of a video's frame."""
        name = f"{index:06d}"
        overlay, probabilities = (folder and folder / name for folder in (self.overlay, self.probabilities))
        return replace(self, mask=self.mask / name, overlay=overlay, probabilities=probabilities).with_suffixes()

    @property
    def is_done(self) -> bool:
        """Whether all files are there; each is put in its place only when it is whole."""
        return all(path is None or is_file(path) for path in (self.mask, self.overlay, self.probabilities))


def find_jobs(inputs: Sequence[str], output: Path, overlays: bool, probabilities: bool) -> list[Job]:
    """Finds the images that inputs mean, each once, and names what is written for them.

    Names and folders below the inputs' common folder are kept; where that would be one file for two images, so are the
    suffixes.

    Args:
        inputs: Images, videos, folders of images (with all folders below) and glob patterns.
        output: The folder that is written into; what was written there is no input.
        overlays: Whether overlays are wanted.
        probabilities: Whether probabilities are wanted.

    Raises:
        InputError: An input means no image.
    """
    found: dict[Path, Path] = {}  # image -> the folder whose names are kept
    for each in inputs:
        path = _normal(Path(each).expanduser())
        images = _expand(path, [_normal(output / kind) for kind in ("masks", "overlays", "probabilities")])
        if not images:
            raise InputError(_nothing(each, path))
        for image in images:
            found.setdefault(image, path if path.is_dir() else image.parent)
    jobs = []
    for image, name in _names(found, Path(os.path.commonpath(list(found.values())))).items():
        job = Job(
            image,
            output / "masks" / name,
            output / "overlays" / name if overlays else None,
            output / "probabilities" / name if probabilities else None,
        )
        jobs.append(job if job.is_video else job.with_suffixes())
    return jobs


def _names(images: Iterable[Path], base: Path) -> dict[Path, Path]:
    """What is written for each image, without suffix, below the output's folders."""
    names = {image: image.relative_to(base).with_suffix("") for image in images}
    while double := {name for name, count in Counter(names.values()).items() if count > 1}:
        # once more: a.png and a.jpg keep them, and the first then is called like a.png.jpg without its own
        names |= {image: image.relative_to(base) for image, name in names.items() if name in double}
    return names


def claim(output: Path, record: dict[str, Any]) -> None:
    """Makes the output folder for predictions of one kind, so that what is there already may count as done.

    Raises:
        InputError: It holds predictions of another checkpoint, or made in another way; or it is no folder that can be
            written into.
    """
    file = output / RECORD
    if file.is_file():
        there = _read_record(file)
        wanted = json.loads(json.dumps(record))
        if other := [name for name in wanted if there.get(name) != wanted[name]]:
            differs = f"with {other[0]} {there.get(other[0])}, here {wanted[other[0]]}"
            if other == ["changed"]:
                differs = f"of {wanted['checkpoint']} as it was before it was written anew"
            raise InputError(f"{output} holds predictions {differs}; choose another --output, or delete it")
    try:
        (output / "masks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written into ({error})") from error
    with replacing(file) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _read_record(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_bytes()))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{file}: does not say how the predictions beside it were made ({error}); choose another --output, or "
            "delete it"
        ) from error


def _add(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _normal(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  # which also takes `..` away: names must stay below OUTPUT


def _expand(path: Path, written: Sequence[Path]) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        return [each for each in files_below(path) if not any(map(each.is_relative_to, written))]
    return sorted(Path(each) for each in glob.glob(str(path), recursive=True) if Path(each).is_file())  # noqa: PTH207


def _nothing(given: str, path: Path) -> str:
    if path.is_dir():
        return f"{given}: holds no images ({', '.join(SUFFIXES)})"
    if path.exists():
        return f"{given}: is neither a file nor a folder"
    if path.is_symlink():
        return f"{given}: a link that leads to no file"
    if glob.has_magic(given):
        return f"{given}: no file is of this pattern"
    return f"{given}: no such file or folder{nearest_entry(path)}"
