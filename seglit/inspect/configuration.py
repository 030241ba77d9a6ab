"""The data configuration that an inspected folder is trained with."""

import json
import os
from pathlib import Path
from typing import Any

from seglit.class_weights import AUTO
from seglit.errors import InputError, printable
from seglit.inspect.coding import Coding
from seglit.inspect.inspection import Inspection
from seglit.inspect.survey import Survey


def write_configuration(inspection: Inspection) -> str:
    """The text of a commented YAML file that `seglit fit --data` takes as it is.

    Raises:
        InputError: It would have to name a file whose name is no Unicode.
    """
    layout, survey, coding, advice = inspection.layout, inspection.survey, inspection.coding, inspection.advice
    found = printable(layout.description)
    lines = [
        f"# {len(survey.pairs)} pairs of images and masks, as `seglit inspect` found them: {found}.",
        f"# Masks: {coding.description}.",
        f"class_path: {layout.class_path}",
        "init_args:",
        *_entry("root", Path(os.path.relpath(layout.data_root)).as_posix()),
    ]
    for key, value in layout.settings.items():
        drawn = key == "splits" and any(isinstance(share, float) for share in value.values())
        lines += _entry(key, value, "shares, drawn from the names alone" if drawn else "")
    if not layout.public:
        lines += [*_labels(coding), *_exclude(inspection), *_channels(survey)]
    lines += _entry("crop_size", list(advice.crop_size), advice.crop_reason)
    lines += _entry("batch_size", advice.batch_size)
    if survey.channels == 3 and all(dtype == "uint8" for *_, dtype in survey.image_kinds):
        lines += ["  augment:", "    class_path: seglit.data.Augment", "    init_args:", "      scale: [0.5, 1.5]"]
    else:
        lines += ["  augment:", "    class_path: seglit.data.Augment", "    init_args:"]
    lines += ["      transforms:", "        - class_path: albumentations.HorizontalFlip"]
    if layout.public:  # whose classes are numbered in their own way
        return "\n".join(lines) + "\n"
    lines += [
        "",
        "# Classes are far from equal in pixels? `class_weights: auto` of seglit.losses.CrossEntropy, or one of these",
        "# names, makes weights of the training masks; `rare_rate: 0.3`, beside scale, takes more crops of the rare.",
        *(f"#   {name}{' (auto)' * (name == AUTO)}: {json.dumps(weights)}" for name, weights in advice.weights.items()),
    ]
    return "\n".join(lines) + "\n"


def _labels(coding: Coding) -> list[str]:
    shares = {str(value.class_name): f"{value.share:.2%} of the pixels" for value in coding.classes}
    lines: list[str] = []
    for key, value in coding.settings.items():
        if key == "class_names":
            hints = {str(each.class_name): each.hint for each in coding.classes}
            lines.append("  class_names:")
            for name in value:
                hint = f"; perhaps void: {hints[name]}" if hints[name] else ""
                lines.append(f"    - {_flow(name)} # {_stored(coding, name)}, {shares[name]}{hint}")
        elif key == "ignore_values":
            lines += _entry(
                key,
                value,
                "; ".join(
                    f"{_flow(v)}: {each.share:.2%} of the pixels, {each.hint}"
                    for v, each in zip(value, coding.void, strict=True)
                ),
            )
        elif isinstance(value, dict):
            lines += [f"  {key}:", *(f"    {_flow(name)}: {_flow(stored)}" for name, stored in value.items())]
        elif key == "mask_tolerance":
            lines += _entry(
                key,
                value,
                f"{coding.blurred:.1%} of the pixels are blurred between the values; beyond this they are void",
            )
        else:
            lines += _entry(key, value)
    return lines


def _stored(coding: Coding, name: str) -> str:
    (value,) = [each.stored for each in coding.classes if each.class_name == name]
    return f"stored as {_flow(value)}"


def _exclude(inspection: Inspection) -> list[str]:
    """What cannot be trained on, with the reason."""
    layout, survey = inspection.layout, inspection.survey
    reasons = dict(survey.unreadable_images)
    reasons.update({pair.image: f"mask: {why}" for pair, why in survey.unreadable_masks})
    reasons.update({pair.image: why for pair, why in survey.mismatched})
    reasons.update(dict.fromkeys(layout.found.images_alone, "no mask"))
    reasons.update(dict.fromkeys(layout.missing, "it or its mask is not there"))
    reasons.update(dict.fromkeys(layout.found.twice, "in more than one split"))
    if not reasons:
        return []
    named = ((path.relative_to(inspection.root).as_posix(), why) for path, why in sorted(reasons.items()))
    return ["  exclude:", *(f"    - {_flow(name)} # {printable(why)}" for name, why in named)]


def _channels(survey: Survey) -> list[str]:
    divisors = [1.0 if channel in survey.constant else std for channel, std in enumerate(survey.std)]
    stats = [("mean", survey.mean), ("std", divisors)]
    rounded = {name: [float(f"{value:.5g}") for value in values] for name, values in stats}
    lines = _entry("in_channels", survey.channels)
    if all(dtype == "uint8" for *_, dtype in survey.image_kinds) and survey.channels in (1, 3):
        return lines + [
            f"  # {name}: {_flow(values)} # of these images; without it, ImageNet's" for name, values in rounded.items()
        ]
    for name, values in rounded.items():
        lines += _entry(name, values)
    return lines


def _entry(key: str, value: Any, comment: str = "") -> list[str]:
    return [f"  {key}: {_flow(value)}" + (f" # {comment}" if comment else "")]


def _flow(value: Any) -> str:
    """A value as YAML in one line; JSON is YAML, plainer words need no quotes."""
    if isinstance(value, str):
        plain = value and value[0].isalpha() and all(c.isalnum() or c in "_-./" for c in value)
        if any("\ud800" <= each <= "\udfff" for each in value):
            raise InputError(
                f"{value}: the name is no Unicode, and so cannot be written to a configuration; rename it, or save as "
                "UTF-8 what lists it"
            )
        # What is not printed ends a line of YAML or is refused there; its escapes are Python's, as they are JSON's.
        return value if plain and value.lower() not in _RESERVED else printable(json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(each) for each in value) + "]"
    return json.dumps(value)


_RESERVED = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
