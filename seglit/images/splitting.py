"""Divides pairs into splits: as lists and folders state, by shares, or in folds; groups stay together."""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from seglit.errors import InputError
from seglit.images.pairs import SPLITS, Pair, PairSettings, Split

Groups = list[list[Pair]]
GroupOf = Callable[[Pair], str]


def split_pairs(pairs: Iterable[Pair], settings: PairSettings) -> dict[Split, list[Pair]]:
    """Returns the pairs of each split; shares and folds are drawn at random from the sorted names.

    Raises:
        InputError: The settings do not determine the split, ask for a share of a split that has its own folder or list,
            `group` is not a regular expression with a group, or there are too few groups.
    """
    group_of = grouping(settings)
    by_split: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_split[pair.split].append(pair)
    drawn = ["val"] if settings.fold else list(settings.shares)
    if occupied := [split for split in drawn if by_split[split]]:
        raise InputError(
            f"splits is {settings.splits}, but images is {settings.images!r}, and {occupied[0]} has images of its own: "
            "only a split without images can be drawn from train"
        )
    if drawn:
        by_split |= _draw(by_split["all"] or by_split["train"], settings, group_of)
    elif settings.lists:  # without one for train, it has the images in no list
        by_split["train"] += by_split["all"]
    elif by_split["all"]:
        raise InputError(
            "splits is not set; flat folders need list files (`splits: {train: train.txt, val: val.txt}`) or shares "
            "(`splits: {val: 0.1, test: 0.2}`)"
        )
    scored = {split: [*dict.fromkeys(by_split[split])] for split in SPLITS[1:]}  # once, though listed twice
    return {"train": by_split["train"], **scored}


def _draw(pairs: list[Pair], settings: PairSettings, group_of: GroupOf) -> dict[str, list[Pair]]:
    groups = _shuffled_groups(pairs, group_of, settings.split_seed)
    num_groups = len(groups)
    drawn, groups = _draw_shares(groups, settings.shares, len(pairs))
    if settings.fold is not None:
        drawn["val"], groups = _draw_fold(groups, *settings.fold)
    if pairs and not (groups and all(part or settings.shares.get(split) == 0 for split, part in drawn.items())):
        if settings.group is not None:
            raise InputError(
                f"group is {settings.group!r}, which divides {len(pairs)} images into {num_groups} groups: too few for "
                f"splits {settings.splits}"
            )
        if num_groups < len(pairs):
            raise InputError(
                f"splits is {settings.splits}, but slices of one stack stay together: {num_groups} files are too few; "
                "if its parts are independent, save each as a file"
            )
    return {**drawn, "train": [pair for group in groups for pair in group]}


def grouping(settings: PairSettings) -> GroupOf:
    """Returns the function from a pair to its group: that of the table, or the first group of the regular expression.

    Without one, the slices of a stack are a group.

    Raises:
        InputError: `group` is not a regular expression with a group.
    """
    if settings.group is None:
        return lambda pair: pair.file_name
    try:
        pattern = re.compile(settings.group)
    except re.error as error:
        raise InputError(f"group is {settings.group!r}, which is not a regular expression ({error})") from None
    if not pattern.groups and settings.pairs is None:
        raise InputError(
            f"group is {settings.group!r}; put the part of the name that identifies the group in parentheses, as in "
            "'(video[0-9]+)'"
        )

    def group_of(pair: Pair) -> str:
        match = pattern.search(pair.file_name) if pattern.groups else None
        return pair.group or (match and match[1]) or pair.file_name

    return group_of


def _shuffled_groups(pairs: Iterable[Pair], group_of: GroupOf, seed: int) -> Groups:
    """Returns the pairs of each group, in random order; a pair without group is its own."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: (pair.file_name, pair.page or 0)):
        groups[group_of(pair)].append(pair)
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)
    return shuffled


def _draw_shares(groups: Groups, shares: Mapping[str, float], total: int) -> tuple[dict[str, list[Pair]], Groups]:
    """Draws groups for each share until it is reached; returns the splits, and the remaining groups."""
    minimum = total > len(shares)  # with few images, too, a share has at least one
    drawn: dict[str, list[Pair]] = {}
    for split in SPLITS[1:]:
        if split in shares:
            count = max(shares[split] > 0 and minimum, round(shares[split] * total))
            drawn[split] = []
            while groups and len(drawn[split]) < count:
                drawn[split] += groups[0]
                groups = groups[1:]
    return drawn, groups


def _draw_fold(groups: Groups, folds: int, fold: int) -> tuple[list[Pair], Groups]:
    """Returns the pairs of a fold, and the groups of the others; each group goes to the smallest fold so far."""
    assigned: list[Groups] = [[] for _ in range(folds)]
    sizes = [0] * folds
    for group in groups:
        smallest = sizes.index(min(sizes))
        assigned[smallest].append(group)
        sizes[smallest] += len(group)
    others = [group for number, part in enumerate(assigned) if number != fold for group in part]
    return [pair for group in assigned[fold] for pair in group], others
