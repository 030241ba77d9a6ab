"""Writes the data configuration for an inspected folder."""

import hashlib
import json
from pathlib import Path
from typing import Any

from seglit.class_weights import AUTO
from seglit.errors import InputError, printable
from seglit.images.replacing import replacing
from seglit.inspect.coding import Coding
from seglit.inspect.image_metadata import write_pairs
from seglit.inspect.inspection import Inspection
from seglit.inspect.survey import Survey

_CHECKSUM = "# checksum, which tells whether this file was edited: "


def write_configuration(path: Path, inspection: Inspection, *, force: bool) -> str | None:
    """Writes a commented YAML file for `seglit fit --data`, unless a file that was edited would be overwritten.

    Args:
        path: The file.
        inspection: What it is written from.
        force: Overwrite any file.

    Returns:
        Why the file was kept; None if it was written.

    Raises:
        InputError: A file name is not valid Unicode.
    """
    beside = path.absolute().with_suffix(".pairs.csv")
    table = beside if inspection.layout.needs_table else None
    text = configuration(inspection, table)
    if path.exists() and not force:
        present = path.read_text(encoding="utf-8", errors="replace")
        body, _, checksum = present.rpartition(_CHECKSUM)
        if _digest(body, beside) != checksum.strip():
            edited = f"or {beside.name} has changed" if table or beside.exists() else "was edited"
            return f"{edited} since `seglit inspect` wrote it" if checksum and body else "is not of `seglit inspect`"
    elif table is not None and table.exists() and not force:
        return f"needs {table}, which exists"
    path.parent.mkdir(parents=True, exist_ok=True)
    if table is not None:
        write_pairs(table, inspection.layout.data_root, inspection.layout.pairing.pairs)
    with replacing(path) as part:
        part.write_text(f"{text}{_CHECKSUM}{_digest(text, beside)}\n", encoding="utf-8")
    return None


def _digest(text: str, table: Path) -> str:
    """Hashes a configuration and its table, if it has one."""
    content = text.encode() + (table.read_bytes() if table.is_file() else b"")
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def configuration(inspection: Inspection, table: Path | None = None) -> str:
    """Returns the commented YAML file.

    Args:
        inspection: What it is written from.
        table: CSV that lists the pairs, if no settings find them.

    Raises:
        InputError: A file name is not valid Unicode.
    """
    layout, survey, coding, advice = inspection.layout, inspection.survey, inspection.coding, inspection.advice
    lines = [
        f"# {len(survey.pairs)} pairs of images and masks, found by `seglit inspect`: {printable(layout.description)}.",
        f"# Masks: {printable(coding.description)}.",
        f"class_path: {layout.class_path}",
        "init_args:",
        *_entry("root" if layout.rows is None else "path", layout.data_root.absolute().as_posix()),
    ]
    if table is not None:
        lines += _entry("pairs", table.as_posix(), "written with this file")
    for key, value in layout.settings.items():
        drawn = key == "splits" and any(isinstance(share, float) for share in value.values())
        lines += _entry(key, value, "shares, drawn at random from the sorted names" if drawn else "")
    if inspection.group is not None:
        lines.append(f"  # group: {_flow(inspection.group.pattern)} # {inspection.group}")
    if not layout.public:
        lines += [
            *_labels(coding, survey.is_drawn),
            *(_exclude(inspection) if layout.can_exclude else []),
            *_channels(survey),
        ]
    lines += _entry("crop_size", list(advice.crop_size), advice.crop_reason)
    lines += _entry("batch_size", advice.batch_size)
    lines += ["  augment:", "    class_path: seglit.data.Augment", "    init_args:"]
    if survey.channels == 3 and survey.is_8_bit:
        lines.append("      scale: [0.5, 1.5]")
    lines += ["      transforms:", "        - class_path: albumentations.HorizontalFlip"]
    if not layout.public:  # its classes have other indices than those of the survey
        lines += [
            "",
            "# Imbalanced classes? `class_weights: auto` of seglit.losses.CrossEntropy, or one of these names,",
            "# derives weights from the training masks; `rare_rate: 0.3`, beside scale, crops rare classes more often.",
        ]
        for name, weights in advice.weights.items():
            lines.append(f"#   {name}{' (auto)' * (name == AUTO)}: {json.dumps(weights)}")
    return "\n".join(lines) + "\n"


def _labels(coding: Coding, drawn: bool) -> list[str]:
    void = (f"{_flow(value.stored)}: {value.share:.2%} of the pixels, {value.hint}" for value in coding.void)
    comments = {"ignore_values": "; ".join(void), **coding.comments}
    if coding.blurred is not None:
        blurred = f"{coding.blurred:.1%} of the pixels are blurred between the values"
        comments["mask_tolerance"] = f"{blurred}; beyond this they are void"
    lines = ["  class_names:"]
    for entry in coding.classes:
        hint = f"; perhaps void: {entry.hint}" if entry.hint else ""
        stored = "" if drawn else f"stored as {_flow(entry.stored)}, "
        lines.append(f"    - {_flow(entry.class_name)} # {stored}{entry.share:.2%} of the pixels{hint}")
    for key, value in coding.settings.items():
        if isinstance(value, dict):
            lines += [f"  {key}:", *(f"    {_flow(name)}: {_flow(stored)}" for name, stored in value.items())]
        elif key != "class_names":
            lines += _entry(key, value, comments.get(key, ""))
    return lines


def _exclude(inspection: Inspection) -> list[str]:
    """Lists the images that cannot be trained on, with the reason."""
    layout, survey = inspection.layout, inspection.survey
    reasons = dict(survey.unreadable_images)
    reasons.update({pair.numbered(pair.image): f"mask: {why}" for pair, why in survey.unreadable_masks})
    reasons.update({pair.numbered(pair.image): why for pair, why in survey.mismatched})
    reasons.update(layout.pairing.uneven_stacks)
    reasons.update(dict.fromkeys(layout.pairing.images_without_mask, "no mask"))
    reasons.update(layout.annotated.twice if layout.annotated else {})
    reasons.update(dict.fromkeys(layout.annotated.found.broken if layout.annotated else (), "cannot be read"))
    reasons.update(dict.fromkeys(layout.missing, "it or its mask does not exist"))
    reasons.update(dict.fromkeys(layout.pairing.in_several_splits, "in more than one split"))
    if not reasons or not layout.can_exclude:
        return []
    names = ((path.relative_to(inspection.root).as_posix(), why) for path, why in sorted(reasons.items()))
    return ["  exclude:", *(f"    - {_flow(name)} # {printable(why)}" for name, why in names)]


def _channels(survey: Survey) -> list[str]:
    divisors = [1.0 if channel in survey.constant else std for channel, std in enumerate(survey.std)]
    lines = _entry("in_channels", survey.channels)
    for name, values in (("mean", survey.mean), ("std", divisors)):
        rounded = [float(f"{value:.5g}") for value in values]
        if survey.is_8_bit and survey.channels in (1, 3):
            lines += [f"  # {name}: {_flow(rounded)} # of these images; default: that of ImageNet"]
        else:
            lines += _entry(name, rounded)
    nodata = list(survey.nodata) or [value for value, _ in survey.nodata_tags.most_common(1)]
    if nodata:
        stated = "stated by the files" if not survey.nodata else "far outside the other values, and repeated"
        whole = [int(value) if value.is_integer() else value for value in nodata]
        lines += _entry("nodata", whole[0] if len(whole) == 1 else whole, stated)
    return lines


def _entry(key: str, value: Any, comment: str = "") -> list[str]:
    return [f"  {key}: {_flow(value)}" + (f" # {comment}" if comment else "")]


def _flow(value: Any) -> str:
    """Formats a value as YAML in one line, which is JSON with unquoted words."""
    if isinstance(value, str):
        plain = value and value[0].isalpha() and all(c.isalnum() or c in "_-./" for c in value)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise InputError(
                f"{value}: the name is not valid Unicode and cannot be written to a configuration; rename the file, or "
                "save the list that names it as UTF-8"
            )
        # YAML rejects unprintable characters or ends the line at them; Python's escapes are also those of JSON.
        return value if plain and value.lower() not in _RESERVED else printable(json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return ".nan" if value != value else json.dumps(value)  # JSON has no NaN


_RESERVED = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
