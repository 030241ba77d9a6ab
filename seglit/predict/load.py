"""A predictor from a checkpoint alone: no trainer, no data, no download."""

from pathlib import Path
from typing import get_args

from seglit.errors import InputError
from seglit.labels import Labels
from seglit.normalization import Normalization
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Precision, Settings
from seglit.runs.checkpoint import CHECKPOINT_KEY, PREFIX, build_network, find_checkpoint, read_checkpoint
from seglit.runs.tested import TestedRun


def load(path: str | Path) -> Predictor:
    """Makes a predictor from a checkpoint, or from a run folder's best one.

    Args:
        path: A checkpoint of `seglit fit`, or the run folder that it printed.

    Raises:
        InputError: There is no such checkpoint, it is none of seglit's, or its network's class is not found.
    """
    file = find_checkpoint(Path(path).expanduser())
    checkpoint = read_checkpoint(file)
    saved, weights = checkpoint[CHECKPOINT_KEY], checkpoint["state_dict"]
    network = build_network(saved["network"], file)
    own = {name.removeprefix(PREFIX): value for name, value in weights.items() if name.startswith(PREFIX)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise InputError(
            f"{file}: its weights do not fit its network {saved['network']['class_path']}, whose code has changed "
            f"since ({first})"
        ) from error
    in_channels = saved["network"].get("init_args", {}).get("in_channels", 3)
    normalization = Normalization.from_dict(saved["normalization"])
    return Predictor(network, Labels.from_dict(saved["labels"]), normalization, in_channels)


def make_predictor(run: TestedRun) -> Predictor:
    """Loads the checkpoint that was scored; it computes in the test's precision.

    Raises:
        InputError: The checkpoint is gone.
    """
    if run.checkpoint is None:
        raise InputError(f"{run.folder}: the checkpoint that was scored was not kept")
    predictor = load(run.checkpoint)
    precision = run.config["trainer"].get("precision")
    predictor.settings = Settings(precision=precision if precision in get_args(Precision) else None)
    return predictor
