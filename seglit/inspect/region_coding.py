"""The classes of masks that are drawn from annotations, and the settings that draw them; nothing is guessed."""

from seglit.annotations.reader import stated_palette
from seglit.errors import InputError
from seglit.inspect.coding import Coding
from seglit.inspect.label_format import BACKGROUND, LINE_WIDTH, AnnotatedFolder
from seglit.inspect.meaning import Value
from seglit.inspect.survey import Survey
from seglit.labels import IGNORE_INDEX, Stored


def find_region_coding(survey: Survey, annotated: AnnotatedFolder) -> Coding:
    """Returns the classes that occur, and numbers the values of the survey by them.

    Raises:
        InputError: All pixels are void.
    """
    used = [name for index, name in enumerate(annotated.class_names) if index in survey.values]
    if not used:
        raise InputError(f"{survey.pairs[0].mask}: its regions and those of all others are void")
    indices: dict[Stored, Stored] = {annotated.class_names.index(name): index for index, name in enumerate(used)}
    survey.renumber({**indices, IGNORE_INDEX: IGNORE_INDEX})
    total = sum(count.pixels for count in survey.values.values())
    counts = {index: survey.values[index] for index in (*range(len(used)), IGNORE_INDEX) if index in survey.values}
    values = [Value(index, count, count.pixels / total) for index, count in counts.items()]
    for value, name in zip(values, used, strict=False):  # void is last
        value.class_name = name
    for value in values[len(used) :]:
        value.hint = "crowds, and labels that the tool ignores"
    coding = Coding(f"regions in {annotated.reader.format_name}, drawn", values, {"class_names": used})
    if palette := stated_palette(used, annotated.found.colors, BACKGROUND):
        coding.settings["palette"] = palette
    if BACKGROUND not in used:
        coding.settings["background"] = None
        coding.comments["background"] = "regions cover every pixel"
    if ignored := _ignored(survey, annotated, used):
        coding.settings["ignore_labels"] = ignored
        coding.comments["ignore_labels"] = "no pixel is of these labels alone"
    _add_shapes(coding, survey)
    return coding


def _ignored(survey: Survey, annotated: AnnotatedFolder, used: list[str]) -> list[str]:
    """The labels without a pixel that have to be named, because the format lists no classes or they are of crowds."""
    others = [name for name in annotated.class_names if name not in used and name != BACKGROUND]
    return [name for name in others if annotated.found.class_names is None or name in survey.crowds]


def _add_shapes(coding: Coding, survey: Survey) -> None:
    """Adds the settings that kinds of shapes need, and asks whether they are right."""
    drawn = sorted(kind for kind, is_drawn in survey.shapes if is_drawn)
    if strokes := " and ".join(f"{kind}s" for kind in drawn if kind != "box"):
        coding.settings["line_width"] = LINE_WIDTH
        coding.comments["line_width"] = f"in pixels, of {strokes}, which have no width of their own"
        coding.questions.append(f"how wide are {strokes}, in pixels? they are drawn {LINE_WIDTH} wide (`line_width`)")
    if "box" in drawn:
        coding.settings["draw_boxes"] = True
        coding.comments["draw_boxes"] = "objects without an outline are drawn as their bounding boxes"
        coding.questions.append(
            "are bounding boxes good enough? objects without an outline are drawn as boxes (`draw_boxes`); "
            "`skip_shapes: [box]` leaves them out"
        )
    if skipped := sorted(kind for kind, is_drawn in survey.shapes if not is_drawn):
        coding.settings["skip_shapes"] = skipped
        coding.comments["skip_shapes"] = "these cannot be drawn"
