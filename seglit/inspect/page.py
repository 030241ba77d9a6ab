"""The HTML report: findings and tables, and images with their masks overlaid, those with findings first."""

from pathlib import Path

from seglit.drawing.charts import draw_sizes
from seglit.drawing.page import write_page
from seglit.drawing.predictions import background
from seglit.inspect.cards import draw_cards
from seglit.inspect.inspection import Inspection
from seglit.inspect.text import pairs_text, sizes_text
from seglit.labels import Labels

_LABEL_SETTINGS = ("class_names", "mask_values", "mask_colors", "ignore_values", "palette")


def write_report(path: Path, inspection: Inspection) -> None:
    """Writes the report."""
    settings = inspection.coding.settings
    coding = {key: settings[key] for key in _LABEL_SETTINGS if key in settings}
    labels = Labels.create(**coding, tolerance=settings.get("mask_tolerance", 0))
    cards = draw_cards(inspection, labels)
    shown = {finding.code: finding.message for card in cards for finding, _ in card.remarks}
    write_page(
        path,
        "inspect/page.html",
        inspection=inspection,
        pairs=pairs_text(inspection.survey),
        sizes=sizes_text(inspection.survey),
        size_chart=draw_sizes(inspection.survey.sizes, inspection.advice.crop_size),
        colors=dict(zip(labels.class_names, labels.palette, strict=True)),
        background=background(labels),
        cards=cards,
        shown=shown,
    )
