"""Stopping a training that no longer improves, and which direction of a score is better."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from seglit.callbacks.saving import BestCheckpoint
from seglit.errors import InputError

_HIGHER_IS_BETTER = ("miou", "dice", "pixel_accuracy", "mean_accuracy")


class Patience(EarlyStopping):
    """Stops after a number of validations without a better score; the score is the one that selects `best.ckpt`.

    NaN is no better score.

    Args:
        checkpoint: The callback that selects the best checkpoint.
        patience: Number of validations.

    Raises:
        InputError: No score selects it.
    """

    def __init__(self, checkpoint: BestCheckpoint, patience: int) -> None:
        if checkpoint.monitor is None:
            raise InputError("patience watches checkpoint.monitor, which is null; name a score, such as val/miou")
        super().__init__(
            checkpoint.monitor,
            patience=int(patience),  # the parser's PositiveInt would be in checkpoints, which load plain data only
            mode=checkpoint.mode,
            check_finite=False,
            check_on_train_epoch_end=False,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the count with this training's `patience`, or starts anew if patience ended the one before."""
        patience = self.patience
        super().load_state_dict(state_dict)
        if self.wait_count >= self.patience:
            self.wait_count = 0
        self.patience = patience

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says why the training stopped."""
        if trainer.is_global_zero and self.wait_count >= self.patience:
            best = f"{self.monitor} {float(self.best_score):.3f}"
            count = f"{self.patience} validation{'s' * (self.patience != 1)}"
            print(f"\nstopped: {count} without a better score than {best}", flush=True)


def check_direction(checkpoint: BestCheckpoint, callbacks: list[pl.Callback]) -> None:
    """Checks that scores are maximised and losses minimised, by `checkpoint` and every `EarlyStopping`.

    A metric of one's own may have any direction, but the same one everywhere.

    Raises:
        InputError: One is not.
    """
    _check("checkpoint.mode", checkpoint.mode, str(checkpoint.monitor), _better(str(checkpoint.monitor)))
    for callback in callbacks:
        if isinstance(callback, EarlyStopping):
            same = checkpoint.mode if callback.monitor == checkpoint.monitor else ""
            better = _better(callback.monitor) or same
            _check(f"{type(callback).__name__}'s mode", callback.mode, callback.monitor, better)


def _better(score: str) -> str:
    """Returns the mode of a logged score: max or min; '' if seglit does not log it."""
    name = score.partition("/")[2]
    if name == "loss":
        return "min"
    return "max" if name in _HIGHER_IS_BETTER or name.startswith("iou/") else ""


def _check(setting: str, mode: str, score: str, better: str) -> None:
    if better and mode != better:
        kind = "higher" if better == "max" else "lower"
        raise InputError(f"{setting} is {mode}, but a {kind} {score} is better; write `mode: {better}`")
