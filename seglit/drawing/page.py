"""Self-contained HTML pages from templates."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seglit.errors import printable
from seglit.images.replacing import replacing
from seglit.labels import VOID_COLOR


def write_page(path: Path, template: str, **values: Any) -> None:
    """Writes a page: one self-contained HTML file that works offline.

    Args:
        path: HTML file; missing parent folders are created.
        template: Path in the package, such as `inspect/page.html`. Templates extend `drawing/page.html`.
        values: Variables of the template; their text is HTML-escaped, and unprintable characters are shown as escapes.
    """
    environment = Environment(
        loader=PackageLoader("seglit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["void_color"] = VOID_COLOR
    page = environment.get_template(template).render(**values)
    with replacing(path) as part:
        part.write_text(page, encoding="utf-8")


def _visible(value: Any) -> Any:
    """Makes text printable; markup, a subclass of str, stays as it is."""
    return printable(str(value)) if type(value) is str or isinstance(value, Path) else value
