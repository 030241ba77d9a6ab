"""The callbacks that every run has beside those of its configuration."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar as LightningProgressBar

from seglit.callbacks.class_weighting import ClassWeighting
from seglit.callbacks.exact_resume import ExactResume
from seglit.callbacks.next_steps import NextSteps
from seglit.callbacks.progress import ProgressBar
from seglit.callbacks.record import RunRecord
from seglit.callbacks.score_file import ScoreFile
from seglit.callbacks.score_table import ScoreTable
from seglit.data.base import SegmentationDataModule


def callbacks_of_every_run(
    chosen: list[pl.Callback], data: SegmentationDataModule, record: str, protocol: bool | list[str], progress_bar: bool
) -> list[pl.Callback]:
    """Returns the configured callbacks between those that every run has.

    Args:
        chosen: The callbacks of the configuration.
        data: The data module.
        record: The complete configuration as YAML.
        protocol: See `ScoreTable`.
        progress_bar: Whether to show a progress bar, unless there is one among the chosen callbacks.
    """
    callbacks = [
        ExactResume(data),
        *chosen,
        ClassWeighting(data),
        ScoreTable(protocol),
        RunRecord(record, data),
        ScoreFile(),
        NextSteps(),
    ]
    own_bar = any(isinstance(callback, LightningProgressBar) for callback in chosen)
    return [*callbacks, ProgressBar()] if progress_bar and not own_bar else callbacks
