"""The rules of `seglit inspect`: how severe each finding is, what it says, and what to do about it."""

from typing import Literal, NamedTuple

from seglit.labels import IGNORE_INDEX

Severity = Literal["error", "note"]
"""error: training on the files as they are would fail or mislead."""


class Rule(NamedTuple):
    """What a finding says: its severity, a message with gaps, and what to do."""

    severity: Severity
    message: str
    advice: str


LEFT_OUT = "the written configuration leaves them out (`exclude`)"
_BETWEEN = (
    "export them as PNG without smoothing; the written configuration takes the nearest real value and makes the rest "
    "void (`mask_tolerance`)"
)
_LEAK = "scores on them are not honest: keep each scene in one split"
_COPIES = "remove the copies, unless they are frames of one video that belong together"
DRAWN_COPIES = "split at random, copies leak: remove them, or say the splits in train.txt and val.txt"
RULES = {
    "decompression_bomb": Rule(
        "error", "images of more pixels than are safe to unpack ({count})", f"cut them into tiles; {LEFT_OUT}"
    ),
    "unreadable_image": Rule("error", "images that cannot be read ({count})", f"fetch or export them anew; {LEFT_OUT}"),
    "unreadable_mask": Rule("error", "masks that cannot be read ({count})", f"fetch or export them anew; {LEFT_OUT}"),
    "image_without_mask": Rule(
        "error", "images without a mask ({count})", f"add the masks, or remove the images; {LEFT_OUT}"
    ),
    "mask_without_image": Rule(
        "note", "masks without an image ({count})", "add the images, or remove the masks; they are passed over"
    ),
    "listed_but_missing": Rule(
        "error",
        "images that are listed, but they or their masks are not there ({count})",
        f"add the files, or remove them from the list; {LEFT_OUT}",
    ),
    "in_two_splits": Rule(
        "error",
        "images that are listed in more than one split ({count})",
        f"scores on them are not honest: keep each in one; {LEFT_OUT}",
    ),
    "no_validation": Rule("error", "no images for validation", "`fit` needs some: name them val"),
    "too_few": Rule("error", "{pairs} pairs cannot be split", "label more images"),
    "size_mismatch": Rule(
        "error",
        "masks of another size than their image ({count})",
        f"export image and mask at one size, masks without interpolation; {LEFT_OUT}",
    ),
    "jpeg_masks": Rule(
        "error",
        "masks are saved as JPEG, which invents values around every edge ({share:.1%} of the pixels)",
        _BETWEEN,
    ),
    "antialiased_masks": Rule(
        "error", "masks are anti-aliased: edges hold blended values ({share:.1%} of the pixels)", _BETWEEN
    ),
    "value_never_trained": Rule(
        "error",
        "values that do not occur in {splits}: {values}",
        "they can never be learned: split anew, or merge them into another class",
    ),
    "value_missing_in_split": Rule(
        "note",
        "values that do not occur in {splits}: {values}",
        "their scores on {splits} will be n/a, or 0 where they are predicted; split anew if it matters",
    ),
    "exact_leak": Rule("error", "images in one split that are the same pixels as one in another ({count})", _LEAK),
    "near_leak": Rule(
        "error",
        "images in one split that are nearly the same picture (perceptual hash) as one in another ({count})",
        _LEAK,
    ),
    "exact_duplicate": Rule("note", "images repeated within a split: the same pixels ({count})", _COPIES),
    "near_duplicate": Rule(
        "note", "images repeated within a split: nearly the same picture (perceptual hash) ({count})", _COPIES
    ),
    "case_only_names": Rule(
        "note",
        "names that differ from another only by case ({count})",
        "rename them: on Windows and macOS one overwrites the other",
    ),
    "symlink_outside": Rule(
        "note",
        "links that lead out of the folder ({count})",
        "copy the files in: a copy of the folder would not hold them",
    ),
    "too_many_values": Rule(
        "error",
        f"masks hold {{values}} values, but only {IGNORE_INDEX} classes fit in 8 bits",
        "are they numbers of objects, or depths? map them to classes; the written configuration makes the rarest "
        "{count} void",
    ),
    "one_class": Rule(
        "error",
        "the masks hold one class alone, {value}",
        "there is nothing to tell it from: check how the masks were exported",
    ),
    "binary_0_255": Rule("note", "masks are coded 0 and 255", "the configuration maps them to 0 and 1"),
    "off_by_one": Rule(
        "note",
        "classes are coded from 1 on (1 to {count})",
        "the configuration maps them to 0 and up (`mask_values`)",
    ),
    "mixed_mask_coding": Rule(
        "error", "masks are coded in more than one way: {kinds}", "export all masks in one coding"
    ),
    "all_void_masks": Rule(
        "note",
        "{count} masks are void throughout",
        "they are neither trained on nor scored; remove them, or check how they were exported",
    ),
    "single_class_masks": Rule(
        "note", "{count} masks hold one class alone, {value}", "fine if the pictures show nothing else"
    ),
    "exif_turned": Rule(
        "note",
        "{count} images are turned by their EXIF orientation",
        "seglit turns image and mask alike; other programs may not",
    ),
    "cmyk": Rule(
        "note",
        "{count} images are CMYK",
        "they are converted to RGB without a colour profile; export them as RGB if colours matter",
    ),
    "constant_channels": Rule(
        "note",
        "channels that hold one value throughout, counted from 0: {channels}",
        "they tell nothing: leave them out, or check how the images were exported",
    ),
    "more_than_8_bits": Rule(
        "note",
        "images hold {types} values, {low:g} to {high:g}",
        "the configuration normalises by their own mean and std",
    ),
    "mixed_images": Rule(
        "note", "images are of several kinds: {kinds}", "8-bit grey and RGB are read as one; export any others alike"
    ),
}
