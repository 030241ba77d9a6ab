"""Loads a predictor from a checkpoint or an exported file alone, without trainer, data or downloads."""

from collections.abc import Collection
from pathlib import Path
from typing import get_args

from torch import nn

from seglit.errors import InputError
from seglit.exported.bundle import download_bundle, load_bundle
from seglit.exported.file_formats import FORMATS, Format, format_of
from seglit.networks.hub import repository_of
from seglit.predict.file_predictor import FilePredictor
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Precision, Settings
from seglit.runs.bundle_folder import RECORD, bundle_of
from seglit.runs.checkpoint import ModelRecord, load_network
from seglit.runs.named_run import find_checkpoint
from seglit.runs.tested import TestedRun
from seglit.runs.trusted import NotTrustedError, Trust, packages_of


def load(path: str | Path, trust: Trust = None) -> Predictor:
    """Makes a predictor from a checkpoint, from the best checkpoint of a run folder, or from an exported file.

    Args:
        path: Checkpoint written by `seglit fit`, the run folder that it printed, a file or bundle of `seglit export`,
            or hf:owner/name[@revision], a bundle on the Hugging Face Hub. It may be a stranger's: it runs no code but
            that of seglit, torch.nn, torchvision, segmentation_models_pytorch, timm and `trust`; native code if that
            has pt2.
        trust: Further packages or modules whose classes the checkpoint may name, such as `["mynet"]`.

    Raises:
        NotTrustedError: The checkpoint names a class of another package, which is not imported.
        InputError: The file is missing or not of seglit, its network's class is not found, or its runtime is not
            installed.
    """
    file, packages = find_model(path), packages_of(trust)
    if file.name == RECORD:
        return of_record(*load_bundle(file.parent, packages))
    if exported := format_of(file):
        return load_exported(file, exported, packages)
    return of_record(*load_network(file, packages))


def load_exported(file: Path, format: Format, trust: Collection[str]) -> FilePredictor:
    """Loads an exported file.

    Raises:
        NotTrustedError: The file runs native code, and `trust` does not have pt2.
        InputError: It is not of seglit, or its runtime is not installed.
    """
    if format is FORMATS["pt2"] and "pt2" not in trust:
        raise NotTrustedError(f"{file}: runs native code of its own; if you trust it: --trust pt2")
    return FilePredictor.load(file, format)


def find_model(path: str | Path) -> Path:
    """Returns the file that `load` reads: a checkpoint, an exported file, or the record of a bundle.

    Raises:
        InputError: There is none, or it cannot be downloaded.
    """
    repository = repository_of(str(path))
    found = download_bundle(repository) if repository else Path(path).expanduser()
    bundle = bundle_of(found)
    return bundle / RECORD if bundle else find_checkpoint(found)


def of_record(network: nn.Module, record: ModelRecord) -> Predictor:
    """Makes a predictor from a network and its record."""
    labels, normalization, channels = record.labels, record.normalization, record.in_channels
    return Predictor(network, labels, normalization, channels, nodata_values=record.nodata, resize=record.resize)


def make_predictor(run: TestedRun) -> Predictor:
    """Loads the checkpoint that was tested, with the precision of the test.

    Raises:
        InputError: The checkpoint is missing.
    """
    if run.checkpoint is None:
        raise InputError(f"{run.folder}: the tested checkpoint was not kept")
    predictor = load(run.checkpoint, run.trust)
    precision = run.config["trainer"].get("precision")
    if precision in get_args(Precision) and not isinstance(predictor, FilePredictor):
        predictor.settings = Settings(precision=precision)
    return predictor
