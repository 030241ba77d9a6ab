"""Checkpoints: the best, and the last for resuming."""

from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """`ModelCheckpoint` that keeps the best score when a run is resumed in a new folder."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best score and its path; never deletes files in another folder."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` after every epoch; `ModelCheckpoint(save_last=True)` does so only when it saves a best one."""

    def __init__(self, dirpath: str) -> None:
        super().__init__(dirpath, "last", save_on_train_epoch_end=True, enable_version_counter=False)
