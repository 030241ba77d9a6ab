"""What a training starts from: `--ckpt_path`, which continues another training, or the weights of `--init_from`."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.runs.checkpoint import read_checkpoint
from seglit.runs.held_out import check_held_out
from seglit.runs.initial_weights import load_initial_weights
from seglit.runs.network_spec import network_spec, warn_if_not_loadable
from seglit.runs.optimization import OPTIMIZATION_KEY, check_optimization, optimization_settings
from seglit.runs.pretrained import pretrained_files, skip_pretrained
from seglit.runs.resume import RESUME_KEY
from seglit.runs.weight_source import WeightSource

TRAIN_IMAGES_KEY = "train_images"
VAL_IMAGES_KEY = "val_images"
"""Keys, within `RESUME_KEY`, of what `describe_images` returns."""


def find_source(config: Any, settings: Mapping[str, Any]) -> WeightSource | None:
    """Finds what `--init_from` names, unless a checkpoint is continued, before the network is built.

    Pretrained weights that a checkpoint, or a network with the same settings, replaces are left out of the
    configuration, in place: they are neither read nor downloaded.

    Args:
        config: The parsed configuration of the command.
        settings: The complete configuration as plain data.

    Returns:
        The weights that training starts from; None if it does not start from others'.

    Raises:
        InputError: `WeightSource.find` raises.
    """
    source = WeightSource.find(config.init_from) if config.init_from and not config.ckpt_path else None
    if config.ckpt_path or (source and source.is_like(settings["model"]["network"])):
        skip_pretrained(config.model.network)
    return source


def start_from(
    model: Any,
    data: SegmentationDataModule,
    settings: Mapping[str, Any],
    ckpt_path: str | None,
    source: WeightSource | None,
) -> None:
    """Checks the training that a checkpoint continues; without one, loads the weights of a source, if any.

    Weights are loaded before callbacks are set up, since weight averaging copies them there.

    Args:
        model: The LightningModule.
        data: The data module.
        settings: The complete configuration as plain data.
        ckpt_path: The checkpoint that training continues from.
        source: The weights of `--init_from`; None without.

    Raises:
        InputError: The network is for images of 3 channels only; the checkpoint is of another network, other classes,
            other settings of the optimization or other training images; weights were trained on images of other splits;
            or `load_initial_weights` raises.
    """
    spec = network_spec(settings, type(model.network), data)
    warn_if_not_loadable(spec)
    if ckpt_path and Path(ckpt_path).is_file():
        checkpoint = read_checkpoint(ckpt_path)
        if not isinstance(checkpoint.get("state_dict"), dict):
            raise InputError(f"{ckpt_path}: contains no state_dict, the weights")
        try:
            model.on_load_checkpoint(checkpoint)
        except InputError as error:
            hint = f"to start a new training from its weights: --init_from {ckpt_path}"
            raise InputError(f"{ckpt_path}: {error}; {hint}") from error
        resume = checkpoint.get(RESUME_KEY, {})
        check_optimization(resume.get(OPTIMIZATION_KEY, {}), optimization_settings(settings), ckpt_path)
        _check_images(resume.get(TRAIN_IMAGES_KEY), data, ckpt_path)
    else:
        for file in [source.path] if source else pretrained_files(settings["model"]["network"]):
            check_held_out(file, data)
        if source:
            load_initial_weights(model, data, spec, source)
    if (ckpt_path or source) and model.normalization.scale == 1:  # in stored units: floats may be beyond 0..1
        data.normalization = model.normalization


def describe_images(data: SegmentationDataModule, split: Split = "train") -> dict[str, Any]:
    """Number of images of a split and a hash of their names, the same wherever their root is.

    Of a data set that names its images only when it reads them, the number alone.
    """
    dataset = data.dataset(split)
    try:
        names = sorted(dataset.source(index).name for index in range(len(dataset)))
    except InputError:
        names = []
    return {"count": len(dataset), "hash": hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]}


@rank_zero_only
def _check_images(saved: Mapping[str, Any] | None, data: SegmentationDataModule, path: str) -> None:
    """Compares the training images, downloaded if the data module does so; rank 0 alone does it, as `verify`."""
    if saved is None:  # of an earlier version
        return
    data.prepare_data()
    current = describe_images(data)
    if saved != current:
        counts = "" if saved["count"] == current["count"] else f" ({saved['count']}, here {current['count']})"
        raise InputError(
            f"{path} was trained on other images{counts}, so its training cannot continue; to start a new training "
            f"from its weights: --init_from {path}"
        )
