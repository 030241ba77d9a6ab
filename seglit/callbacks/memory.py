"""Suggests settings when the memory is full."""

import pytorch_lightning as pl
from pytorch_lightning.trainer.states import TrainerFn

from seglit.data.base import SegmentationDataModule
from seglit.runs.failures import is_out_of_memory


class MemoryAdvice(pl.Callback):
    """Adds a note to errors of memory: the settings that fill it, and smaller ones with the same images per step.

    Args:
        data: The data module.
    """

    def __init__(self, data: SegmentationDataModule) -> None:
        self.data = data

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Adds the note."""
        if is_out_of_memory(exception):
            size, crop = self.data.batch_size, self.data.crop_size
            crop_size = "[{},{}]".format(*crop) if crop else "null (whole images)"
            exception.add_note(
                f"with batch_size {size}, crop_size {crop_size} and precision {trainer.precision}; "
                f"{_smaller(size, trainer.accumulate_grad_batches, trains=trainer.state.fn == TrainerFn.FITTING)}"
            )


def _smaller(batch_size: int, accumulated: int, *, trains: bool) -> str:
    """Options for the largest smaller batch that divides it, and the accumulation that keeps the images per step."""
    if batch_size == 1:
        return "use a smaller --data.crop_size" if trains else "use smaller images"
    divisor = next(divisor for divisor in range(2, batch_size + 1) if batch_size % divisor == 0)
    if not trains:
        return f"use --data.batch_size {batch_size // divisor}"
    return (
        f"as many images per step: --data.batch_size {batch_size // divisor} "
        f"--trainer.accumulate_grad_batches {accumulated * divisor}"
    )
