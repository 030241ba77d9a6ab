"""LightningCLI that takes nothing but weights and state from a checkpoint."""

import pickle
from typing import Any

from pytorch_lightning.cli import LightningCLI
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

from seglit.errors import InputError
from seglit.runs.checkpoint import read_checkpoint


class PlainLoadingCLI(LightningCLI):
    """`LightningCLI` that loads checkpoints with `weights_only=True`: a path, a URL, or what SLURM left."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The subcommands and what is no option of them: `weights_only` is not a choice."""
        return {name: {*skipped, "weights_only"} for name, skipped in LightningCLI.subcommands().items()}

    def load_weights(self, path: str) -> None:
        """Loads the weights of a checkpoint into the module."""
        state = read_checkpoint(path)["state_dict"]
        set_model_state_dict(self.model, state, options=StateDictOptions(full_state_dict=True))  # sharded or not

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        return {**super()._prepare_subcommand_kwargs(subcommand), "weights_only": True}

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except pickle.UnpicklingError as error:
            path = self.trainer.ckpt_path
            raise InputError(f"{path}: not a checkpoint, or one that only code can load") from error

    def _parse_ckpt_path(self) -> None:
        """Does nothing: Lightning would replace the configuration by classes that the checkpoint names."""
