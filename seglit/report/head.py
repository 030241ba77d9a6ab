"""The head of the report: network, data, crop, epochs, device and duration of a run."""

from pathlib import PurePath
from typing import Any

from seglit.runs.tested import TestedRun


def describe(run: TestedRun) -> dict[str, str]:
    """Returns the facts about a run, by title; those that its folder does not state are left out."""
    network, data, training = run.config["model"]["network"], run.config["data"], run.training
    settings = data.get("init_args", {})
    facts = {"Network": f"{_class(network)}, {run.saved.cost.parameters:,} parameters", "Data": _class(data)}
    if root := settings.get("root"):
        facts["Data"] += f", {PurePath(str(root)).name}"
    if "crop_size" in settings:
        facts["Crop"] = _crop(settings["crop_size"])
    most = run.config["trainer"].get("max_epochs")
    if training is None:
        facts |= {"Epochs": f"at most {most}", "Device": run.environment.rpartition(", ")[2]}
    else:
        epochs = f"{training.epochs} of at most {most}" if most else str(training.epochs)
        facts |= {"Epochs": epochs, "Device": training.device}
        facts["Training time"] = training.duration
    return facts


def _crop(size: Any) -> str:
    """Describes a `crop_size`, which a data module of one's own may state in another way."""
    size = [size, size] if isinstance(size, int) else size
    if isinstance(size, list) and len(size) == 2:
        return f"{size[0]} x {size[1]} pixels"
    return str(size) if size else "none, whole images"


def _class(spec: dict[str, Any]) -> str:
    return str(spec["class_path"]).rpartition(".")[2]
