"""Adds exported files to the runs of W&B and MLflow that a training logged to."""

from collections.abc import Collection, Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger, MLFlowLogger, WandbLogger

from seglit.errors import InputError
from seglit.runs.build import build
from seglit.runs.checkpoint import read_checkpoint
from seglit.runs.resume import LOGGER_IDS, RESUME_KEY
from seglit.runs.tested import read_config

_TRACKED = ("WandbLogger", "MLFlowLogger")


def find_trackers(run: Path, checkpoint: Path, trust: Collection[str]) -> list[Logger]:
    """Returns the loggers of a run that take files, connected to the runs that its training logged to.

    Args:
        run: The run folder.
        checkpoint: Its checkpoint, which states the ids of those runs.
        trust: Further packages whose classes the configuration may name, see `import_class`.

    Raises:
        InputError: The run has none.
    """
    config = run / "config.yaml"
    specs = (read_config(config)[0]["trainer"].get("logger") or []) if config.is_file() else []
    ids = read_checkpoint(checkpoint).get(RESUME_KEY, {}).get("loggers", {})
    trackers = []
    for spec in specs if isinstance(specs, list) else [specs]:
        name = spec["class_path"].rpartition(".")[2]
        if name in _TRACKED and name in ids:
            init_args = {**spec.get("init_args", {}), LOGGER_IDS[name]: ids[name]}
            if "save_dir" in init_args:
                init_args["save_dir"] = str(run / (init_args["save_dir"] or "."))
            placed = {**spec, "init_args": init_args}
            trackers.append(build(Logger, placed, f"{config}: its logger", trust))  # type: ignore[type-abstract]
    if not trackers:
        raise InputError(
            f"--log true: {run} was logged to neither W&B nor MLflow: fit with -c configs/logger/wandb.yaml"
        )
    return trackers


def log_files(tracker: Logger, name: str, files: Sequence[Path]) -> None:
    """Logs files: to W&B as an artifact of type `model`, to MLflow below `export`."""
    if isinstance(tracker, WandbLogger):
        import wandb

        artifact = wandb.Artifact(f"{name}-{tracker.version}", type="model")
        for file in files:
            artifact.add_file(str(file))
        tracker.experiment.log_artifact(artifact)
        tracker.experiment.finish()
    elif isinstance(tracker, MLFlowLogger):
        for file in files:
            tracker.experiment.log_artifact(tracker.run_id, str(file), f"export/{name}")
