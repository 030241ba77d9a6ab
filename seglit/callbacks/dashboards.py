"""Logs the configuration, predictions and confusion matrices to dashboards."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from seglit.drawing.predictions import Prediction
from seglit.labels import IGNORE_INDEX, Labels

_MAX_WIDTH = 512  # pixels; W&B writes every mask as a PNG, which takes seconds at full size


@runtime_checkable
class ImageLogger(Protocol):
    """A logger with W&B's `log_image` method, such as a custom one."""

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        """Logs images under a key at an optimizer step."""


def log_config(logger: Logger, settings: Mapping[str, Any], text: str) -> None:
    """Logs a run's configuration, as plain data or as YAML, to W&B, TensorBoard or MLflow; ignores other loggers."""
    if isinstance(logger, WandbLogger):
        logger.log_hyperparams(dict(settings))
    elif isinstance(logger, TensorBoardLogger):
        logger.experiment.add_text("config", textwrap.indent(text, "    "))  # a Markdown code block
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_text(logger.run_id, text, "config.yaml")


def log_picture(logger: Logger, name: str, picture: Image.Image, step: int) -> None:
    """Logs an image to W&B, TensorBoard, MLflow or any `ImageLogger`; ignores other loggers."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, np.asarray(picture), step, dataformats="HWC")
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, picture, key=name, step=step)
    elif isinstance(logger, ImageLogger):
        logger.log_image(name, [picture], step)


def log_predictions(
    logger: Logger, split: str, predictions: Sequence[Prediction], grid: Image.Image, labels: Labels, step: int
) -> None:
    """Logs predictions: to W&B as images with toggleable masks, to other loggers as one grid."""
    if isinstance(logger, WandbLogger):
        images, masks = zip(*(_overlay(prediction, labels) for prediction in predictions), strict=True)
        captions = [prediction.name for prediction in predictions]
        logger.log_image(f"{split}/predictions", list(images), step, caption=captions, masks=list(masks))
    else:
        log_picture(logger, f"{split}/predictions", grid, step)


def _overlay(prediction: Prediction, labels: Labels) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    """Returns an image (H, W, 3) and its masks, class indices (H, W) with void 255, in the format of `wandb.Image`."""
    small = prediction.shrunk(min(_MAX_WIDTH, prediction.image.shape[1]))
    names = {**dict(enumerate(labels.class_names)), IGNORE_INDEX: "void"}
    masks = {
        name: {"mask_data": mask, "class_labels": names}
        for name, mask in (("prediction", small.preds), ("target", small.target))
    }
    return small.image, masks
