"""Lists the images to predict and the output files of each."""

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
    """An image or TIFF stack and its output files; or a video and its output folders, one file per frame.

    Args:
        path: Image or video.
        mask: PNG, or TIFF if the image is a TIFF: of a stack, a stack.
        overlay: PNG; None if not requested.
        probabilities: NPY; None if not requested.
        num_slices: Number of slices of a stack; the files of overlays and probabilities are numbered. None for others.
        page: Number of the slice, if the job is one of a stack.
    """

    path: Path
    mask: Path
    overlay: Path | None
    probabilities: Path | None
    num_slices: int | None = None
    page: int | None = None

    @property
    def is_tiff(self) -> bool:
        """Whether the file has a TIFF suffix."""
        return self.path.suffix.lower() in tiff.SUFFIXES

    @property
    def is_video(self) -> bool:
        """Whether the file has a video suffix."""
        return self.path.suffix.lower() in video.SUFFIXES

    def with_suffixes(self) -> Self:
        """The same job with suffixes added to its output names."""
        return replace(
            self,
            mask=Path(f"{self.mask}.tif" if self.is_tiff else f"{self.mask}.png"),
            overlay=self.overlay and Path(f"{self.overlay}.png"),
            probabilities=self.probabilities and Path(f"{self.probabilities}.npy"),
        )

    def frame(self, index: int) -> Self:
        """The job of one frame of a video."""
        name = f"{index:06d}"
        overlay, probabilities = (folder and folder / name for folder in (self.overlay, self.probabilities))
        return replace(self, mask=self.mask / name, overlay=overlay, probabilities=probabilities).with_suffixes()

    @property
    def slices(self) -> list[Self]:
        """The jobs of the slices of a stack, which share the mask's file; the job itself if it is no stack."""
        return [self] if self.num_slices is None else [self._slice(page) for page in range(self.num_slices)]

    def _slice(self, page: int) -> Self:
        overlay, probabilities = (
            file and file.with_name(f"{file.stem}[{page}]{file.suffix}") for file in (self.overlay, self.probabilities)
        )
        return replace(self, overlay=overlay, probabilities=probabilities, num_slices=None, page=page)

    @property
    def is_done(self) -> bool:
        """Whether all output files exist; they are written atomically, so none is partial."""
        if self.num_slices is not None:
            return all(one.is_done for one in self.slices)
        return all(path is None or is_file(path) for path in (self.mask, self.overlay, self.probabilities))


def find_jobs(inputs: Sequence[str], output: Path, overlays: bool, probabilities: bool) -> list[Job]:
    """Finds the images that the inputs name, without duplicates, and assigns their output files.

    Outputs keep the image's name and its folders below the common folder of the inputs. If two images would share an
    output file, their outputs also keep the suffix.

    Args:
        inputs: Images, videos, folders of images (searched recursively) and glob patterns.
        output: Output folder; its own contents are not used as inputs.
        overlays: Whether to write overlays.
        probabilities: Whether to write probabilities.

    Raises:
        InputError: An input matches no image.
    """
    roots: dict[Path, Path] = {}  # image -> the input folder that contains it
    for given in inputs:
        path = _absolute(Path(given).expanduser())
        images = _expand(path, [_absolute(output / kind) for kind in ("masks", "overlays", "probabilities")])
        if not images:
            raise InputError(_no_image_message(given, path))
        for image in images:
            roots.setdefault(image, path if path.is_dir() else image.parent)
    jobs = []
    for image, name in _output_names(roots, Path(os.path.commonpath(list(roots.values())))).items():
        job = Job(
            image,
            output / "masks" / name,
            output / "overlays" / name if overlays else None,
            output / "probabilities" / name if probabilities else None,
        )
        jobs.append(job if job.is_video else job.with_suffixes())
    return jobs


def _output_names(images: Iterable[Path], base: Path) -> dict[Path, Path]:
    """Output path of each image, relative to the output folders and without the output's suffix."""
    names = {image: image.relative_to(base).with_suffix("") for image in images}
    while duplicates := {name for name, count in Counter(names.values()).items() if count > 1}:
        # repeated, as a kept suffix can collide in turn: a.png, kept because of a.jpg, with a.png.jpg
        names |= {image: image.relative_to(base) for image, name in names.items() if name in duplicates}
    return names


def claim(output: Path, record: dict[str, Any]) -> None:
    """Creates the output folder and records the prediction settings, so that a later call can resume.

    Raises:
        InputError: The folder contains predictions of another checkpoint or with other settings, or cannot be written.
    """
    file = output / RECORD
    if file.is_file():
        try:
            previous: dict[str, Any] = dict(json.loads(file.read_bytes()))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{file}: not a record of `seglit predict` ({error}); choose another --output, or delete it"
            ) from error
        current = json.loads(json.dumps(record))
        if differing := [name for name in current if previous.get(name) != current[name]]:
            name = differing[0]
            made = f"with {name} {previous.get(name)}, not {current[name]}"
            if differing == ["changed"]:
                made = f"with {current['checkpoint']} before it was overwritten"
            raise InputError(f"{output}: contains predictions made {made}; choose another --output, or delete it")
    try:
        (output / "masks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written ({error})") from error
    with replacing(file) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  # also resolves `..`, as outputs must stay below OUTPUT


def _expand(path: Path, excluded: Sequence[Path]) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        return [file for file in files_below(path) if not any(map(file.is_relative_to, excluded))]
    try:
        matches = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207
    except RecursionError as error:
        raise InputError(f"{path}: too many folders within each other") from error
    return sorted(match for match in matches if match.is_file())


def _no_image_message(given: str, path: Path) -> str:
    if path.is_dir():
        return f"{given}: contains no images ({', '.join(SUFFIXES)})"
    if path.exists():
        return f"{given}: is neither a file nor a folder"
    if path.is_symlink():
        return f"{given}: broken symbolic link"
    if glob.has_magic(given):
        return f"{given}: no file matches this pattern"
    return f"{given}: no such file or folder{nearest_entry(path)}"
