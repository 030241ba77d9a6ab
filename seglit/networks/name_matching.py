"""Matches the names of weights across tools, which wrap the same network in modules of their own."""

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate, product

from torch import Tensor

_WRAPPERS = (
    *("module", "model", "network", "backbone", "encoder", "features"),
    *("teacher", "student", "teacher_backbone", "student_backbone"),
)


def match_names(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, str]:
    """Finds the weight in `source` for each weight in `target`.

    Names are equal after one prefix of wrappers (`module.`, `model.backbone.`, ...) is removed from the source's names
    and one from the target's. Of all pairs of prefixes, that with the most weights of equal shape is taken, then the
    next for the names that are left: `backbone.` to `encoder.`, say, after `decoder.` was found under its own name.

    Args:
        source: Weights by name.
        target: Weights by name, on any device.

    Returns:
        Name in `target` to name in `source`; shapes may differ, as those of a head do.
    """
    matched: dict[str, str] = {}
    left_source, left_target = ({_canonical(name): name for name in names} for names in (source, target))
    pairs = list(product(_prefixes(left_source), _prefixes(left_target)))
    while True:
        best, best_score = {}, (0, 0)
        for source_prefix, target_prefix in pairs:
            found = _common_names(left_source, left_target, source_prefix, target_prefix)
            fitting = sum(target[o].numel() for o, theirs in found.items() if source[theirs].shape == target[o].shape)
            if fitting and (score := (fitting, len(found))) > best_score:
                best, best_score = found, score
        if not best:
            return matched
        matched |= best
        used = set(best.values())
        left_target = {name: ours for name, ours in left_target.items() if ours not in best}
        left_source = {name: theirs for name, theirs in left_source.items() if theirs not in used}


def _canonical(name: str) -> str:
    """Removes what torch.compile adds, and writes timm's `stages_0.` of feature networks as `stages.0.`."""
    return re.sub(r"(^|\.)([a-z]+)_(\d+)(?=\.)", r"\1\2.\3", name.replace("_orig_mod.", ""))


def _prefixes(names: Iterable[str]) -> list[str]:
    """Returns the prefixes of names that consist of wrappers, shortest first; a teacher before its student."""
    found = {""}
    for name in names:
        parts = name.split(".")[:-1]
        length = next((index for index, part in enumerate(parts) if part not in _WRAPPERS), len(parts))
        found |= {*accumulate(f"{part}." for part in parts[:length])}
    return sorted(found, key=lambda prefix: (prefix.count("."), prefix.replace("teacher", " ")))


def _common_names(
    source: Mapping[str, str], target: Mapping[str, str], source_prefix: str, target_prefix: str
) -> dict[str, str]:
    """Returns name in target to name in source, of the names that differ in these prefixes only."""
    rest = {name.removeprefix(target_prefix): ours for name, ours in target.items() if name.startswith(target_prefix)}
    return {ours: source[source_prefix + name] for name, ours in rest.items() if source_prefix + name in source}
