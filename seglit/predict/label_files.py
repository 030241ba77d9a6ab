"""Converts written masks to the files of labelling tools, which import them to be corrected."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seglit.annotations.coco import write_coco
from seglit.annotations.cvat import write_cvat
from seglit.annotations.label_studio import write_label_studio
from seglit.annotations.labelme import write_labelme
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.annotations.yolo import write_yolo
from seglit.errors import InputError, printable
from seglit.images.listing import is_file
from seglit.images.picture import open_picture
from seglit.images.tiff import LargeTiff
from seglit.labels import IGNORE_INDEX, Labels
from seglit.predict.jobs import Job
from seglit.predict.settings import LabelFormat, Masks
from seglit.predict.write import Writer

_WRITERS: dict[LabelFormat, Callable[[Iterable[PredictedMask], Classes, Path], Path]] = {
    "coco": write_coco,
    "labelme": write_labelme,
    "yolo": write_yolo,
    "label-studio": write_label_studio,
    "cvat": write_cvat,
}


def report_label_files(
    label_format: LabelFormat, jobs: Iterable[Job], output: Path, masks: Masks, labels: Labels
) -> None:
    """Converts the masks in OUTPUT/masks to label files in OUTPUT/labels, and prints where.

    The images of a TIFF stack are its slices, named as in `stack0.tif[3]`.

    Reads the masks that exist, whichever call has written them, so that the files are complete after an interruption.
    Videos, and TIFFs that are read by windows, have no label files; they are listed on stderr.

    Args:
        label_format: The tool.
        jobs: Images and their masks.
        output: The output folder.
        masks: How the masks are stored.
        labels: Class names, colours and stored values.

    Raises:
        InputError: A mask cannot be read, or a file not written.
    """
    jobs = list(jobs)
    skipped = [job for job in jobs if job.is_video or _by_windows(job)]
    done = [job for job in jobs if job not in skipped and is_file(job.mask)]
    common = Path(os.path.commonpath([job.path.parent for job in done])) if done else output

    def images() -> Iterator[PredictedMask]:
        for job in done:
            below = job.mask.relative_to(output / "masks").with_suffix("").as_posix()
            name = job.path.relative_to(common).as_posix()
            for page in (one.page for one in job.slices):
                number = "" if page is None else f"[{page}]"
                indices = _class_indices(job.mask, page, masks, labels)
                yield PredictedMask(Path(f"{job.path}{number}"), f"{name}{number}", f"{below}{number}", indices)

    classes = Classes(labels.class_names, labels.palette)
    print(f"labels for {label_format}: {_WRITERS[label_format](images(), classes, output / 'labels')}")
    for job in skipped:
        print(f"no labels: {printable(str(job.path))}: a video, or too large", file=sys.stderr)


def _by_windows(job: Job) -> bool:
    """Whether an image is too large to be held in memory."""
    if not job.is_tiff or job.num_slices is not None or not is_file(job.path):
        return False
    try:
        with LargeTiff(job.path, 1) as file:
            return file.by_windows
    except InputError:  # cannot be read: it has no mask either
        return False


def _class_indices(file: Path, page: int | None, masks: Masks, labels: Labels) -> npt.NDArray[np.uint8]:
    """Reads a mask that `Writer` has encoded: class indices (H, W), and 255 for any other value."""
    picture = open_picture(file, page=page)
    stored = np.ma.getdata(picture.stored_values(in_color=masks == "color" or labels.stored_as_color))
    values = Writer(masks, labels, nodata=False).encode(np.arange(labels.num_classes, dtype=np.uint8)[None])[0]
    indices = np.full(stored.shape[:2], IGNORE_INDEX, np.uint8)
    for index, value in enumerate(values):
        indices[(stored == value).reshape(*indices.shape, -1).all(-1)] = index
    return indices
