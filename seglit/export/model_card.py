"""The model card of a bundle, written from what the run left; what nobody stated is marked to be filled in."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

from seglit.data.base import SegmentationDataModule
from seglit.evaluation.bootstrap import LEVEL_TEXT
from seglit.evaluation.groups import explain_intervals, groups_of
from seglit.images.pairs import SPLITS
from seglit.runs.checkpoint import ModelRecord
from seglit.runs.scores import SavedScores
from seglit.runs.training import Training

_WORST = 5
_FILL_IN = "not stated: fill in"
_LICENCES = ("of the weights", "of the training data", "of pretrained weights, if any", "contact")


def model_card(
    name: str,
    record: ModelRecord,
    config: Mapping[str, Any],
    environment: str,
    data: SegmentationDataModule | None,
    scores: SavedScores | None,
    training: Training | None,
) -> str:
    """Writes a model card in Markdown, with the metadata that the Hugging Face Hub reads.

    Args:
        name: Name of the network.
        record: Network, classes and normalisation.
        config: The configuration of the run; empty if it is gone.
        environment: Versions and hardware of the run, in one line.
        data: The data; None if it is gone.
        scores: The scores on the test split; None if it was not tested.
        training: Epochs and duration of the training; None if unknown.
    """
    front = {
        "license": "unknown",
        "library_name": "seglit",
        "pipeline_tag": "image-segmentation",
        "tags": ["semantic-segmentation", "seglit"],
    }
    architecture = record.network["class_path"]
    sections = {
        "Use": f'```python\nimport seglit\n\nmask = seglit.load("FOLDER or hf:owner/name")("photo.jpg")\n```\n\n'
        f"{architecture}, {record.in_channels} channels, {record.labels.num_classes} classes: "
        f"{', '.join(record.labels.class_names)}.",
        "Data": _data(config, data),
        "Scores": _scores(scores),
        "Training": _training(config, environment, training),
        "Limits": _limits(record, scores),
        "Licence": "\n".join(f"- {what}: {_FILL_IN}" for what in _LICENCES),
    }
    text = "\n\n".join(f"## {title}\n\n{content}" for title, content in sections.items())
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n# {name}\n\n{text}\n"


def _data(config: Mapping[str, Any], data: SegmentationDataModule | None) -> str:
    settings = config.get("data", {})
    root = settings.get("init_args", {}).get("root")
    kind = settings.get("class_path", _FILL_IN)
    lines = [f"- {kind}" + (f", folder `{PurePath(root).name}`" if root else "")]
    if data is None:
        return "\n".join([*lines, "- number of images: the data was gone when this card was written"])
    counts = [f"{split} {len(data.dataset(split))}" for split in SPLITS if data.has_split(split)]
    return "\n".join([*lines, f"- images: {', '.join(counts)}"])


def _scores(scores: SavedScores | None) -> str:
    if scores is None:
        return "The network was not tested."
    values = scores.scores
    interval = _interval(values["miou_low"], values["miou_high"])
    rows = [
        f"| {name} | {_percent(one.iou)} | {_interval(one.iou_low, one.iou_high)} | {_percent(one.pixel_share)} |"
        for name, one in scores.classes.items()
    ]
    worst = sorted(scores.images, key=lambda image: image.miou)[:_WORST]
    confused = [
        f"- {pair.target} predicted as {pair.prediction}: {_percent(pair.share)} of its pixels"
        for pair in scores.confusions[:_WORST]
    ]
    return "\n".join(
        [
            f"On {len(scores.images)} test images:",
            "",
            f"- mean IoU {_percent(values['miou'])}, {LEVEL_TEXT} interval {interval}",
            f"- pixel accuracy {_percent(values['pixel_accuracy'])}",
            f"- calibration error {_percent(values['ece'])}",
            "",
            f"| class | IoU | {LEVEL_TEXT} interval | share of pixels |",
            "|---|--:|--:|--:|",
            *rows,
            "",
            f"{explain_intervals(groups_of(scores))}.",
            "",
            "Worst images, by mean IoU over their classes:",
            "",
            *(f"- {image.name}: {_percent(image.miou)}" for image in worst),
            "",
            "Most costly confusions:",
            "",
            *confused,
        ]
    )


def _training(config: Mapping[str, Any], environment: str, training: Training | None) -> str:
    model, trainer = config.get("model", {}), config.get("trainer", {})
    parts = {name: model[name] for name in ("network", "criterion", "optimizer", "scheduler") if model.get(name)}
    lines = [f"- {name}: {_call(part)}" for name, part in parts.items()]
    data = config.get("data", {}).get("init_args", {})
    numbers = {name: data[name] for name in ("batch_size", "crop_size") if data.get(name)}
    numbers |= {name: trainer[name] for name in ("max_epochs", "precision") if trainer.get(name)}
    lines += [f"- {name}: {value}" for name, value in numbers.items()]
    if training is not None:
        lines.append(f"- took {training.epochs} epochs, {training.duration}, on {training.device}")
    return "\n".join([*lines, f"- {environment or 'versions and hardware: unknown'}"])


def _call(part: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in part.get("init_args", {}).items())
    return f"`{part['class_path']}({arguments})`"


def _limits(record: ModelRecord, scores: SavedScores | None) -> str:
    lines = [
        "- Scores hold for images like those of the test split; for others they are not known.",
        f"- Images must have {record.in_channels} channels, with values as the training images store them.",
    ]
    if scores is not None:
        absent = [name for name, one in scores.classes.items() if not one.pixel_share]
        weak = [name for name, one in scores.classes.items() if one.iou is not None and one.iou < 0.5]
        lines += [f"- Not in the test split, so without a score: {', '.join(absent)}."] if absent else []
        lines += [f"- IoU below 50 %: {', '.join(weak)}."] if weak else []
    return "\n".join([*lines, f"- intended use, and uses to avoid: {_FILL_IN}"])


def _interval(low: float | None, high: float | None) -> str:
    return "n/a" if low is None else f"{_percent(low)} to {_percent(high)}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1%}"
