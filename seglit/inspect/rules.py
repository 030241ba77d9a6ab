"""The rules of `seglit inspect`: severity, message and advice of each finding."""

from typing import Literal, NamedTuple

Severity = Literal["error", "note"]
"""error: training on the files as they are would fail or give misleading scores."""


class Rule(NamedTuple):
    """Severity of a finding, and format strings of its message and its advice."""

    severity: Severity
    message: str
    advice: str


LEFT_OUT = "the written configuration leaves them out (`exclude`)"
ROWS_LEFT_OUT = 'slices leave rows out: `splits: {train: "train[:12]+train[13:]"}` is without row 12'
COPIES = "remove the copies, unless they are frames of one video that belong together"
DRAWN_COPIES = (
    "copies leak between splits that are drawn at random: remove them, define the splits in train.txt and val.txt, or "
    "keep what belongs together in one split by `group`"
)
_SERIES = (
    "unless they are independent, images of a series leak between splits that are drawn at random: keep each series in "
    "one split by `group: {pattern}` ({groups} groups), which the written configuration has as a comment"
)
_RENEW = f"download or export them again; {LEFT_OUT}"
_LEAK = "data leakage makes scores too high: keep each scene in one split"
_BLURRED = (
    "export them as PNG without smoothing; the written configuration maps values to the nearest real one and makes the "
    "rest void (`mask_tolerance`)"
)

_ERRORS = {
    "decompression_bomb": (
        "images with too many pixels to decode safely, possibly decompression bombs ({count})",
        f"cut them into tiles; {LEFT_OUT}",
    ),
    "unreadable_image": ("images that cannot be read ({count})", _RENEW),
    "unreadable_mask": ("masks that cannot be read ({count})", _RENEW),
    "image_without_mask": ("images without a mask ({count})", f"add the masks, or remove the images; {LEFT_OUT}"),
    "listed_but_missing": (
        "listed images that do not exist, or whose mask does not ({count})",
        f"add the files, or remove them from the list; {LEFT_OUT}",
    ),
    "in_two_splits": (
        "images that are listed in more than one split ({count})",
        f"data leakage makes scores too high: keep each in one split; {LEFT_OUT}",
    ),
    "no_validation": ("no images for validation", "`fit` requires a split `val`"),
    "too_few": ("{images} with a mask: too few to split", "label more images"),
    "broken_annotations": ("annotation files that cannot be read ({count})", _RENEW),
    "annotated_twice": (
        "images that are annotated in two places ({count})",
        f"remove one of the two; {LEFT_OUT}",
    ),
    "size_mismatch": (
        "masks that differ in size from their image ({count})",
        f"export image and mask at one size, masks without interpolation; {LEFT_OUT}",
    ),
    "uneven_stack": (
        "TIFF stacks whose masks have another number of slices ({count})",
        f"save image and mask with as many pages, one per slice; {LEFT_OUT}",
    ),
    "jpeg_masks": (
        "masks are saved with lossy compression (JPEG), which adds values along every edge ({share:.1%} of the pixels)",
        _BLURRED,
    ),
    "antialiased_masks": ("masks are anti-aliased: edges have blended values ({share:.1%} of the pixels)", _BLURRED),
    "value_never_trained": (
        "values that do not occur in {splits}: {values}",
        "the network cannot learn them: change the splits, or merge them into another class",
    ),
    "exact_leak": ("images with the same pixels as an image in another split ({count})", _LEAK),
    "near_leak": ("images nearly the same as an image in another split, by perceptual hash ({count})", _LEAK),
    "one_class": (
        "the masks contain a single class, {value}",
        "there is no other class to separate it from: check how the masks were exported",
    ),
    "mixed_mask_coding": ("masks are encoded in more than one way: {kinds}", "export all masks in one encoding"),
}
_NOTES = {
    "mask_without_image": ("masks without an image ({count})", "add the images, or remove the masks; they are ignored"),
    "value_missing_in_split": (
        "values that do not occur in {splits}: {values}",
        "their scores on {splits} will be n/a, or 0 if they are predicted; change the splits if this matters",
    ),
    "exact_duplicate": ("images repeated within a split: the same pixels ({count})", "{copies}"),
    "near_duplicate": ("images repeated within a split: nearly the same, by perceptual hash ({count})", "{copies}"),
    "numbered_names": (
        "names are numbered in several series ({count}), as frames of videos or slices of patients are",
        _SERIES,
    ),
    "case_only_names": (
        "file names that differ from another only by case ({count})",
        "rename them: on Windows and macOS one overwrites the other",
    ),
    "symlink_outside": (
        "symbolic links to files outside the folder ({count})",
        "copy the files: a copy of the folder would not contain them",
    ),
    "skipped_shapes": (
        "annotations contain shapes that cannot be drawn: {kinds}",
        "the configuration skips them (`skip_shapes`)",
    ),
    "unlabelled": (
        "images without an annotation file ({count})",
        "they count as background, as the format says; remove those that nobody has labelled",
    ),
    "no_mask_file": (
        "images of which the folder for masks is empty ({count})",
        "they count as background; remove those that nobody has labelled",
    ),
    "disputed_pixels": (
        "masks in which files of two classes claim the same pixels ({count}; {share:.2%} of the pixels of all classes)",
        "the file of fewer pixels lies on top: check that this is intended, and that the names state classes",
    ),
    "annotation_note": ("{note}", "check that this is intended"),
    "similar_names": (
        "classes with nearly the same name: {names}",
        "if they are meant to be one class, give it one name in the tool that wrote them, and export again",
    ),
    "binary_0_255": ("masks store 0 and 255", "the configuration maps them to 0 and 1"),
    "off_by_one": (
        "classes are stored as 1 to {count}",
        "the configuration maps them to class indices from 0 (`mask_values`)",
    ),
    "all_void_masks": (
        "masks that are entirely void ({count})",
        "they are ignored in training and scores; remove them, or check how they were exported",
    ),
    "single_class_masks": (
        "masks that contain a single class, {value} ({count})",
        "fine if the images show nothing else",
    ),
    "exif_turned": (
        "images that are rotated or flipped by their EXIF orientation ({count})",
        "seglit applies it, other programs may not{reason}",
    ),
    "mixed_orientation": (
        "masks of turned images differ in orientation: {reason}",
        "draw all masks on the upright picture, or all on the stored one",
    ),
    "instance_numbers": (
        "masks store class * {divisor} + instance",
        "the configuration drops the instances (`mask_divisor`); if each value is a class, remove it",
    ),
    "scaled_masks": (
        "masks are at another scale than their images: {scale:.4g} times their size",
        "the configuration accepts it (`resize_masks`): nearest neighbour in training, scored at the size of the mask",
    ),
    "cmyk": (
        "CMYK images ({count})",
        "they are converted to RGB without a colour profile; export them as RGB if colours matter",
    ),
    "no_data": (
        "images have pixels without data ({count})",
        "they are in no statistic, void in training and scores if all channels lack data, and void in predictions",
    ),
    "constant_channels": (
        "channels with a single value throughout, counted from 0: {channels}",
        "they carry no information: leave them out, or check how the images were exported",
    ),
    "more_than_8_bits": (
        "images contain {types} values, {low:g} to {high:g}",
        "the configuration normalises by their own mean and std",
    ),
    "mixed_images": (
        "images are of several kinds: {kinds}",
        "8-bit grey and RGB are read alike; export others in one format",
    ),
}
RULES = {code: Rule("error", *texts) for code, texts in _ERRORS.items()} | {
    code: Rule("note", *texts) for code, texts in _NOTES.items()
}
