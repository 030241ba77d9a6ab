"""Lightning's loggers, adapted to start without an account, a network or user input."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytorch_lightning import loggers
from pytorch_lightning.utilities import rank_zero_only

from seglit.errors import InputError
from seglit.networks.hub import is_reachable


class WandbLogger(loggers.WandbLogger):
    """Weights & Biases; offline without an account or a network, in which case it prints how to upload later.

    A server whose certificate only Python rejects counts as reachable; `WANDB_MODE=offline` overrides that.

    It never prompts: without an API key (`wandb login`, `WANDB_API_KEY`) W&B itself would wait for input.
    `WANDB_MODE=offline`, `WANDB_MODE=disabled` and `wandb offline` are respected.

    Args:
        save_dir: Folder in which W&B creates its own folder `wandb`.
        kwargs: Arguments of Lightning's logger and of `wandb.init` (entity, group, tags, ...).

    Raises:
        InputError: wandb is not installed.
    """

    def __init__(self, save_dir: str = ".", **kwargs: Any) -> None:
        _require("wandb")
        # The command line passes None for unset arguments, which would override Lightning's `resume: allow`.
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        if reason := _why_offline():
            print(f"W&B: offline, {reason}; to upload: wandb sync {Path(save_dir, 'wandb')}/offline-run-*", flush=True)
            # Not Lightning's `offline`, which rejects `log_model`: `wandb sync` also uploads checkpoints.
            kwargs = {"settings": {"silent": True}, **kwargs, "mode": "offline"}
        super().__init__(save_dir=save_dir, **kwargs)


class TensorBoardLogger(loggers.TensorBoardLogger):
    """TensorBoard.

    Args:
        save_dir: Folder in which the folder `name` is created.
        kwargs: Arguments of Lightning's logger.

    Raises:
        InputError: tensorboard is not installed.
    """

    def __init__(self, save_dir: str = ".", **kwargs: Any) -> None:
        _require("tensorboard")
        super().__init__(save_dir=save_dir, **kwargs)


class MLFlowLogger(loggers.MLFlowLogger):
    """MLflow; without a tracking server the run is stored in a folder, which `mlflow ui` shows.

    Args:
        save_dir: The folder.
        tracking_uri: Address of a tracking server; None uses `MLFLOW_TRACKING_URI`, else the folder.
        kwargs: Arguments of Lightning's logger (experiment_name, run_name, tags, ...).

    Raises:
        InputError: mlflow is not installed.
    """

    def __init__(self, save_dir: str = "mlruns", tracking_uri: str | None = None, **kwargs: Any) -> None:
        _require("mlflow")
        tracking_uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if tracking_uri is None:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 prefers a database
        super().__init__(save_dir=save_dir, tracking_uri=tracking_uri, **kwargs)


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise InputError(f'{package} is not installed: pip install "seglit[{package}]"')


@rank_zero_only
def _why_offline() -> str | None:
    """Why W&B cannot or must not reach its server; None if it can, or if W&B is disabled."""
    import wandb
    from requests.utils import get_netrc_auth  # a dependency of wandb

    settings = wandb.setup().settings  # the environment and W&B's own settings files
    if settings.mode != "online":
        return "as set by WANDB_MODE" if settings.mode in ("offline", "dryrun") else None
    if not (settings.api_key or settings.identity_token_file or get_netrc_auth(settings.base_url)):
        return "as there is no API key (wandb login)"
    return None if is_reachable(settings.base_url) else f"as {settings.base_url} cannot be reached"
