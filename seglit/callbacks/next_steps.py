"""Prints the run folder and the next commands, at the end of a run and after a failure."""

import shlex
import sys
from pathlib import Path

import pytorch_lightning as pl

from seglit.callbacks.saving import last_checkpoint
from seglit.config.bounded_yaml import load_yaml
from seglit.errors import RunError
from seglit.runs.failures import is_out_of_memory
from seglit.runs.trusted import trust_option


class NextSteps(pl.Callback):
    """After a failure, prints how to continue from what was saved; nothing if it would fail again."""

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Prints the command that resumes the training, or its test, or continues it with smaller batches."""
        if trainer.is_global_zero and not isinstance(exception, RunError):
            print_how_to_resume(trainer, is_out_of_memory(exception))


def print_how_to_resume(trainer: pl.Trainer, is_memory_full: bool = False) -> None:
    """Prints the command that resumes a run, if it has saved a checkpoint."""
    checkpoint = last_checkpoint(trainer)
    if not checkpoint:
        return
    command = f"fit --resume {shlex.quote(trainer.default_root_dir)}"
    if is_memory_full:  # `--resume` keeps the batch size
        files = ["-c", str(Path(trainer.default_root_dir, "config.yaml")), "--ckpt_path", checkpoint]
        command = f"fit {shlex.join(files)}, with the smaller settings below"
    print(f"\nrun folder: {trainer.default_root_dir}")  # after the progress bar
    print(f"go on:      {_program()} {command}", flush=True)


def print_next_steps(folder: Path, checkpoint: str, *, has_test_split: bool, is_tested: bool) -> None:
    """Prints what a run left, and what can be done with it.

    Args:
        folder: The run folder.
        checkpoint: The best checkpoint; '' if there is none.
        has_test_split: Whether the data has a test split.
        is_tested: Whether the checkpoint was scored on it.
    """
    print(f"run folder: {folder}")
    print(f"look at:    {folder / 'pictures'}  (predictions), metrics.csv (losses and scores)")
    if not checkpoint:
        return
    own = Path(checkpoint).parent == folder / "checkpoints"  # which a run folder stands for
    run, best = shlex.quote(str(folder)), shlex.quote(checkpoint)
    if is_tested:
        print(f"report:     {_program()} report {run}{_trust(folder)}")
    else:
        chosen = "" if own else f" --ckpt_path {best}"
        print(f"score it:   {_program()} {'test' if has_test_split else 'validate'} {run}{chosen}")
    print(f"predict:    {_program()} predict {run if own else best} IMAGES{_trust(folder)}")


def _trust(folder: Path) -> str:
    config = load_yaml((folder / "config.yaml").read_text(encoding="utf-8"))
    return trust_option(config["model"]["network"]["class_path"], config["data"]["class_path"])


def _program() -> str:
    return "python -m seglit" if Path(sys.argv[0]).parts[-2:] == ("seglit", "__main__.py") else "seglit"
