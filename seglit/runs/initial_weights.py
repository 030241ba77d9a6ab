"""`--init_from`: the weights that a new training starts from, and what is printed about them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from rich.table import Table

from seglit.data.base import SegmentationDataModule
from seglit.drawing.terminal import escaped
from seglit.errors import InputError, printable
from seglit.normalization import Normalization
from seglit.runs.stored_units import check_stored_units
from seglit.runs.transfer import Transfer, transfer
from seglit.runs.weight_source import WeightSource

_MIN_SHARE = 0.5  # of the network's weights, below which the file is probably not meant
_MAX_LISTED = 8  # names in a line, rows of weights that are left over
_WRAPPERS = ("model", "module", "network", "_orig_mod")


def load_initial_weights(
    model: Any, data: SegmentationDataModule, spec: Mapping[str, Any], source: WeightSource
) -> None:
    """Loads weights into the network of a new training, and prints which were taken.

    Images are normalised as the weights were trained, where that is known, unless the data states its mean and
    standard deviation.

    Args:
        model: The LightningModule.
        data: The data module.
        spec: `class_path` and `init_args` of the network.
        source: Where the weights are.

    Raises:
        InputError: Less than half of the network's weights are in the source, or its normalisation is in other units.
    """
    source_classes = source.record.labels.class_names if source.record else None
    done = transfer(model.network, spec, source.read(), model.labels.class_names, source_classes)
    if done.share < _MIN_SHARE:
        raise InputError(
            f"{source.path}: of another network: {int(100 * done.share)}% of the weights fit, less than half; "
            f"{_reason(done, source, spec)}"
        )
    normalization = source.normalization
    notes = [*done.adapted, *_describe_classes(done, model.labels.class_names, source_classes)]
    if data.normalization is None and normalization is not None:
        fits = len(normalization.mean) in (1, data.in_channels)
        normalization = normalization if fits else normalization.for_channels(data.in_channels)
        if normalization.scale == 1:
            notes.append(_check_units(normalization, data, source.path) or "")
        model.normalize.set(normalization)
    elif data.normalization is None:
        current = model.normalization
        mean, std = (", ".join(f"{value:.3g}" for value in values) for values in (current.mean, current.std))
        notes.append(
            f"normalised by mean {mean} and std {std}, since the file does not state those that it was trained with; "
            "set mean and std of the data if they were others"
        )
    _print(source.path, done, notes)


@rank_zero_only
def _check_units(normalization: Normalization, data: SegmentationDataModule, path: Path) -> str:
    """Checks the first training image, downloaded if the data module does so; rank 0 alone does it, as `verify`."""
    data.prepare_data()
    image, _, name = data.dataset("train").read(0)
    return check_stored_units(normalization, image, name, str(path))


def _reason(done: Transfer, source: WeightSource, spec: Mapping[str, Any]) -> str:
    """Returns the nearest reason why weights do not fit."""
    if difference := source.difference(spec):
        return printable(difference)
    lacking = [name for name in done.sizes if name not in done.taken]
    unfit = sum(done.sizes[name] for name, _, _ in done.unfit)
    if unfit > sum(done.sizes[name] for name in lacking):
        name, there, here = done.unfit[0]
        return f"{name} is {tuple(there)} there, here {tuple(here)}"
    if not lacking:
        return "most of the others are of classes that start from random weights"
    encoder = [name for name in done.sizes if _part(name) == "encoder"]
    if sum(done.taken.get(name, 0) for name in encoder) > _MIN_SHARE * sum(done.sizes[name] for name in encoder):
        return "all that fits is the encoder: name the file as encoder_weights of the network"
    first = lacking[0]
    if done.left_over.get(first) not in (None, 0, done.sizes[first]):  # no shape fits, so names were not matched
        return printable(f"{first} has {done.left_over[first]:,} values there, here {done.sizes[first]:,}")
    other = next((f"{name} there, " for name, count in done.left_over.items() if count), "")
    return printable(f"{len(lacking)} of {len(done.sizes)} names are not in it: {other}{first} here")


def _describe_classes(done: Transfer, classes: Sequence[str], source_classes: Sequence[str] | None) -> list[str]:
    """Says which classes keep their weights."""
    if not done.head:
        return []
    if source_classes is None:
        return ["all classes start from random weights, since the file does not name its classes"]
    if not any(done.taken.get(name) for name in done.head):
        return ["all classes start from random weights"]
    lists = {
        "kept": [name for name in classes if name in source_classes],
        "new": [name for name in classes if name not in source_classes],
        "left over": [name for name in source_classes if name not in classes],
    }
    return ["classes " + "; ".join(f"{key}: {_listed(names)}" for key, names in lists.items() if names)]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _part(name: str) -> str:
    """Returns the part of a network that a weight is in: `encoder` for `model.encoder.conv1.weight`."""
    parts = name.split(".")
    return next((part for part in parts if part not in _WRAPPERS), parts[-1])


@rank_zero_only
def _print(path: Path, done: Transfer, notes: Sequence[str]) -> None:
    taken, new, left = Counter[str](), Counter[str](), Counter[str]()
    for name, size in done.sizes.items():
        taken[_part(name)] += done.taken.get(name, 0)
        new[_part(name)] += size - done.taken.get(name, 0)
    for name, size in done.left_over.items():
        left[_part(name)] += size
    table = Table("weights of")
    for column in ("taken", "new", "left over"):
        table.add_column(column, justify="right")
    for part in [*taken, *[name for name, count in left.most_common(_MAX_LISTED) if count and name not in taken]]:
        table.add_row(escaped(part), *(f"{counts[part]:,}" for counts in (taken, new, left)))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"starting from the weights of {escaped(str(path))}")
    console.print(table)
    for note in notes:
        console.print(escaped(note))
