"""Loads a predictor from a checkpoint alone, without trainer, data or downloads."""

from pathlib import Path
from typing import get_args

from seglit.errors import InputError
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Precision, Settings
from seglit.runs.checkpoint import load_network
from seglit.runs.named_run import find_checkpoint
from seglit.runs.tested import TestedRun
from seglit.runs.trusted import Trust, packages_of


def load(path: str | Path, trust: Trust = None) -> Predictor:
    """Makes a predictor from a checkpoint, or from the best checkpoint of a run folder.

    Args:
        path: Checkpoint written by `seglit fit`, or the run folder that it printed. It may be a stranger's: it runs no
            code but that of seglit, torch.nn, torchvision, segmentation_models_pytorch, timm and `trust`.
        trust: Further packages or modules whose classes the checkpoint may name, such as `["mynet"]`.

    Raises:
        NotTrustedError: The checkpoint names a class of another package, which is not imported.
        InputError: The checkpoint is missing or not a seglit checkpoint, or its network's class is not found.
    """
    network, record = load_network(find_checkpoint(Path(path).expanduser()), packages_of(trust))
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
    predictor.settings = Settings(precision=precision if precision in get_args(Precision) else None)
    return predictor
