"""Lightning's dashboards, made to start anywhere: with no account, no network and nobody to answer a question."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from pytorch_lightning import loggers
from pytorch_lightning.utilities import rank_zero_only

from seglit.errors import InputError

_PATIENCE = 3.0  # seconds


class WandbLogger(loggers.WandbLogger):
    """Weights & Biases; offline where there is no account or no network, in which case it says how to upload later.

    It never asks: without an API key (`wandb login`, `WANDB_API_KEY`) W&B itself would wait for one to be typed in.
    `WANDB_MODE=offline`, `WANDB_MODE=disabled` and `wandb offline` are respected.

    Args:
        save_dir: Folder that W&B's own folder `wandb` is made in.
        kwargs: Lightning's arguments, and those of `wandb.init` (entity, group, tags, ...).

    Raises:
        InputError: wandb is not installed.
    """

    def __init__(self, save_dir: str = ".", **kwargs: Any) -> None:
        _require("wandb")
        # The command line fills in None, which would take the place of Lightning's own `resume: allow`.
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        if reason := _why_offline():
            print(f"W&B: offline, {reason}; to upload: wandb sync {Path(save_dir, 'wandb')}/offline-run-*", flush=True)
            # Not Lightning's own `offline`, which refuses `log_model`: W&B uploads checkpoints as well when it syncs.
            kwargs = {"settings": {"silent": True}, **kwargs, "mode": "offline"}
        super().__init__(save_dir=save_dir, **kwargs)


class TensorBoardLogger(loggers.TensorBoardLogger):
    """TensorBoard.

    Args:
        save_dir: Folder that the folder `name` is made in.
        kwargs: Lightning's arguments.

    Raises:
        InputError: tensorboard is not installed.
    """

    def __init__(self, save_dir: str = ".", **kwargs: Any) -> None:
        _require("tensorboard")
        super().__init__(save_dir=save_dir, **kwargs)


class MLFlowLogger(loggers.MLFlowLogger):
    """MLflow; without a tracking server the run is kept in a folder, which `mlflow ui` shows.

    Args:
        save_dir: That folder.
        tracking_uri: Address of a tracking server; None takes `MLFLOW_TRACKING_URI`, else the folder.
        kwargs: Lightning's arguments (experiment_name, run_name, tags, ...).

    Raises:
        InputError: mlflow is not installed.
    """

    def __init__(self, save_dir: str = "mlruns", tracking_uri: str | None = None, **kwargs: Any) -> None:
        _require("mlflow")
        tracking_uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if tracking_uri is None:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 would rather have a database
        super().__init__(save_dir=save_dir, tracking_uri=tracking_uri, **kwargs)


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise InputError(f'{package} is not installed: pip install "seglit[{package}]"')


@rank_zero_only
def _why_offline() -> str | None:
    """Why W&B cannot, or is not to, reach its server; None if it can, and where it is disabled altogether."""
    import wandb
    from requests.utils import get_netrc_auth  # comes with wandb

    settings = wandb.setup().settings  # the environment and W&B's own settings files
    if settings.mode != "online":
        return "as WANDB_MODE asks" if settings.mode in ("offline", "dryrun") else None
    if not (settings.api_key or settings.identity_token_file or get_netrc_auth(settings.base_url)):
        return "as there is no API key (wandb login)"
    return None if _answers(settings.base_url) else f"as {settings.base_url} cannot be reached"


def _answers(url: str) -> bool:
    """Whether a server answers, be it with an error; through the proxy, where one is set."""
    try:
        urlopen(url, timeout=_PATIENCE).close()  # noqa: S310 (the server that the user set up W&B for)
    except HTTPError:
        return True
    except OSError:
        return False
    return True
