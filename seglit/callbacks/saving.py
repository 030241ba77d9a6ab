"""Which weights a run keeps: the best, and the last to go on from."""

from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, which on resuming in a new folder would forget the best score so far."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the best score and where it lies; files in another folder are never deleted."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` after every epoch; `ModelCheckpoint(save_last=True)` does so only after the best ones."""

    def __init__(self, dirpath: str) -> None:
        super().__init__(dirpath, "last", save_on_train_epoch_end=True, enable_version_counter=False)
