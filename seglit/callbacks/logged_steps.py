"""Where values are logged, and so the only steps at which the host reads from the device."""

import pytorch_lightning as pl


def is_logged_step(trainer: pl.Trainer) -> bool:
    """Whether the values of the optimizer step that just ended are logged."""
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it
    return interval > 0 and trainer.global_step % interval == 0
