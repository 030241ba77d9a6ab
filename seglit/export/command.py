"""`seglit export`: writes a trained network to a file that runs without seglit."""

from pathlib import Path
from typing import Literal

from seglit.errors import InputError
from seglit.exported.choices import FilePrecision, FormatName
from seglit.runs.trusted import packages_of


def export(
    run: str,
    format: FormatName | Literal["bundle"] = "onnx",
    precision: FilePrecision | Literal["best"] = "float32",
    output: str | None = None,
    size: str | None = None,
    probabilities: bool = False,
    max_drop: float = 0.005,
    log: bool = False,
    trust: str | list[str] | None = None,
) -> int:
    """Exports a trained network to a file that takes images as stored and needs no seglit.

    It is compared with PyTorch first: pixels at several sizes, mean IoU on the validation split.

    Args:
        run: Run folder or checkpoint.
        format: Format of the file; bundle is a folder of weights and model card, for seglit.
        precision: Precision of its computation; best tries all of the format and keeps the fastest within max_drop.
        output: File to write; by default RUN/export/PRECISION.SUFFIX.
        size: Height and width of the images, such as 352,480; by default any.
        probabilities: Output class probabilities, which flips, scales and calibration need, instead of class indices.
        max_drop: Largest loss of mean IoU by int8 and best.
        log: Add the files to the runs of W&B and MLflow that the training logged to.
        trust: Package or packages whose networks may be loaded besides those of seglit and its libraries: mynet.

    Returns:
        0 if the file was written.

    Raises:
        InputError: The run or an option is invalid, or a package is missing.
        RunError: The network cannot be exported, or the file differs from PyTorch.
    """
    packages, image_size = packages_of(trust), _size(size)
    from seglit.export.exporter import Exporter  # these load torch and Lightning
    from seglit.export.proof import describe_proof
    from seglit.export.requested import write_requested
    from seglit.export.tracking import find_trackers, log_files

    exporter = Exporter(Path(run), image_size, "probabilities" if probabilities else "mask", packages)
    trackers = find_trackers(exporter.run, exporter.checkpoint, packages) if log else []
    file, written, proof = write_requested(exporter, format, precision, output, max_drop)
    for tracker in trackers:
        log_files(tracker, file.name, written)
    print(describe_proof(proof))
    print(f"exported: {file} ({proof.runtime})")
    return 0


def push(bundle: str, repository: str) -> int:
    """Uploads a bundle to the Hugging Face Hub, with the token of `hf auth login`. A new repository is private.

    Args:
        bundle: Folder written by `seglit export --format bundle`.
        repository: hf:owner/name.

    Raises:
        InputError: The folder is not a bundle, or it cannot be uploaded.
    """
    from seglit.exported.bundle import push_bundle
    from seglit.networks.hub import repository_of

    name = repository_of(repository)
    if name is None or name.count("/") != 1 or "@" in name:
        raise InputError(f"{repository}: not a repository of the Hugging Face Hub, such as hf:owner/name")
    print(f"pushed: {push_bundle(Path(bundle).expanduser(), name)}")
    return 0


def _size(text: str | None) -> tuple[int, int] | None:
    sides = text.split(",") if text else ["1", "1"]
    if len(sides) != 2 or not all(side.strip().isdecimal() and int(side) > 0 for side in sides):
        raise InputError(f"--size {text}: must be height and width in pixels, such as 352,480")
    return (int(sides[0]), int(sides[1])) if text else None
