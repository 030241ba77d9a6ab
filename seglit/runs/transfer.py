"""Takes over the weights of another network: what fits by name and shape, and the classes that both have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.input_channels import adapt_channels, describe_adaptation
from seglit.networks.name_matching import match_names
from seglit.runs.checkpoint import build_again


@dataclass
class Transfer:
    """The weights that were transferred.

    Args:
        taken: Elements taken of each weight of the network.
        sizes: Elements of each weight of the network.
        left_over: Elements that were not taken of each weight of the source.
        unfit: Weights of the network whose counterpart has another shape: name, its shape there, and here.
        adapted: What was done to weights that see the channels of the images.
        head: Weights of the network that change their shape with the number of classes.
    """

    taken: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    left_over: dict[str, int] = field(default_factory=dict)
    unfit: list[tuple[str, torch.Size, torch.Size]] = field(default_factory=list)
    adapted: list[str] = field(default_factory=list)
    head: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the network's weights that was taken, by elements."""
        return sum(self.taken.values()) / max(1, sum(self.sizes.values()))


def transfer(
    network: nn.Module,
    spec: Mapping[str, Any],
    source: Mapping[str, Tensor],
    classes: Sequence[str],
    source_classes: Sequence[str] | None,
) -> Transfer:
    """Copies weights into a network.

    The head, which is what changes its shape with `num_classes`, keeps the rows of classes that both name. The first
    convolutions, which are what changes their shape with `in_channels`, are adapted by `adapt_channels`.

    Args:
        network: The network, with initial weights; changed in place.
        spec: Its `class_path` and `init_args`.
        source: The weights of another network.
        classes: The network's classes.
        source_classes: The classes of `source`; None if unknown: no row of the head is then taken.

    Raises:
        InputError: The classes differ, and the network has no argument `num_classes` by which its head is known.
    """
    if "num_classes" not in spec["init_args"] and source_classes is not None and [*classes] != [*source_classes]:
        raise InputError(
            f"the weights are of classes {', '.join(source_classes)}, here {', '.join(classes)}, and "
            f"{spec['class_path']} has no argument num_classes, which tells the weights that depend on the classes"
        )
    target = network.state_dict()  # detached, so that copies into it need no `no_grad`
    names = match_names(source, target)
    heads = varying_dims(target, spec, "num_classes")
    # only then, since it costs as much as building the network
    is_other = any(source[theirs].shape != target[ours].shape for ours, theirs in names.items() if ours not in heads)
    first = varying_dims(target, spec, "in_channels") if is_other else {}
    done = Transfer(sizes={name: value.numel() for name, value in target.items()}, head=tuple(heads))
    done.left_over = {name: value.numel() for name, value in source.items()}
    for ours, theirs in names.items():
        weight, value = target[ours], source[theirs]
        if ours in heads:
            copied = used = _copy_classes(weight, value, heads[ours], classes, source_classes or ())
        else:
            adapted = _adapt(value, weight, first.get(ours, ()))
            copied = used = _copy(weight, adapted)
            if adapted is not value:
                done.adapted.append(f"{ours}: {describe_adaptation(value, adapted)}")
                used = value.numel() if weight.shape[first[ours][0]] == 1 else copied  # one channel is the sum of all
            if not copied:
                done.unfit.append((ours, value.shape, weight.shape))
        done.taken[ours] = copied
        done.left_over[theirs] = max(0, value.numel() - used)
    return done


def varying_dims(target: Mapping[str, Tensor], spec: Mapping[str, Any], argument: str) -> dict[str, tuple[int, ...]]:
    """Finds the weights whose shape depends on an argument of the network, by building it with a value larger by 1.

    Returns:
        Name to the dimensions whose size is the argument, empty where it is another function of it.
    """
    value = spec["init_args"].get(argument)
    if value is None:
        return {}
    other = build_again({**spec, "init_args": {**spec["init_args"], argument: value + 1}}, "the network").state_dict()
    found = {}
    for name, weight in target.items():
        shape = other[name].shape if name in other else weight.shape
        if shape != weight.shape:
            changed = [dim for dim, size in enumerate(weight.shape) if size != shape[dim]]
            is_argument = all((weight.shape[dim], shape[dim]) == (value, value + 1) for dim in changed)
            found[name] = tuple(changed) if is_argument else ()
    return found


def _copy_classes(
    weight: Tensor, source: Tensor, dims: Sequence[int], classes: Sequence[str], source_classes: Sequence[str]
) -> int:
    """Copies the rows of the classes that both name; returns the number of elements."""
    shape = [len(source_classes) if dim in dims else size for dim, size in enumerate(weight.shape)]
    kept = [index for index, name in enumerate(classes) if name in source_classes]
    if not dims or not kept or [*source.shape] != shape:
        return 0
    theirs = torch.tensor([source_classes.index(classes[index]) for index in kept])
    for dim in dims:
        source = source.index_select(dim, theirs)
    rows = [torch.tensor(kept) if dim in dims else torch.arange(size) for dim, size in enumerate(weight.shape)]
    weight[torch.meshgrid(*rows, indexing="ij")] = source.to(weight.dtype)
    return source.numel()


def _copy(weight: Tensor, source: Tensor) -> int:
    """Copies a weight of the same shape; returns the number of elements."""
    if weight.shape != source.shape:
        return 0
    weight.copy_(source)
    return weight.numel()


def _adapt(value: Tensor, weight: Tensor, dims: Sequence[int]) -> Tensor:
    """Adapts a weight to the channels of the images if nothing else of its shape differs, else returns it as it is."""
    sizes = list(value.shape)
    if len(dims) == 1 and len(sizes) == weight.dim() and value.shape != weight.shape:
        sizes[dims[0]] = weight.shape[dims[0]]
        if [*weight.shape] == sizes:
            return adapt_channels(value, sizes[dims[0]], dims[0])
    return value
