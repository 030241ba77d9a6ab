"""Charts as SVG that stands in the page itself: matplotlib draws, the page's style colours, light and dark."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Curve = Sequence[tuple[float, float]]

# Colours of the page's style, by stand-ins that matplotlib takes for colours and nothing else on the page is.
_VARIABLES = {"--ink": "#010203", "--faint": "#010204", "--line": "#010205", "--accent": "#010206", "--warm": "#010207"}
_INK, _FAINT, _LINE, _ACCENT, _WARM = _VARIABLES.values()
_POINTS = 400  # of a curve; more cannot be seen
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _FAINT,
    "axes.edgecolor": _LINE,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def draw_curves(title: str, curves: Mapping[str, Curve], mark: tuple[float, float] | None = None) -> str:
    """Curves over the optimizer's steps.

    Args:
        title: What they are of.
        curves: At most three, each with its name; long ones are drawn as the means of neighbours.
        mark: A step and a value to point out.
    """

    def draw(axes: Axes) -> None:
        for (name, curve), color in zip(curves.items(), (_ACCENT, _WARM, _FAINT), strict=False):
            steps, values = zip(*_thin_out(curve), strict=True)
            axes.plot(steps, values, color=color, label=name, marker="o" if len(steps) == 1 else None)
        if mark:
            axes.plot(*mark, "o", color=_INK, markersize=5, label=f"best: {mark[1]:.3f}")
        axes.set_xlabel("step")
        axes.margins(x=0.02)
        axes.legend(loc="best")

    return _svg(title, draw)


def draw_reliability(
    pixels: Sequence[int], accuracy: Sequence[float | None], confidence: Sequence[float | None]
) -> str:
    """How often a network is right by how sure it is; where pixels are, below.

    Args:
        pixels: Pixels in each bin of equal width.
        accuracy: The share of them that is right; None in an empty bin.
        confidence: Their mean confidence, likewise.
    """
    width, total = 1 / len(pixels), sum(pixels)
    full = [(sure, right) for sure, right in zip(confidence, accuracy, strict=True) if None not in (sure, right)]

    def draw(axes: Axes) -> None:
        axes.plot((0, 1), (0, 1), color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
        lefts = [place * width for place in range(len(pixels))]
        shares = [each / total if total else 0 for each in pixels]
        axes.bar(lefts, shares, width * 0.9, align="edge", color=_LINE, label="share of pixels")
        axes.plot(
            *zip(*full, strict=True) if full else ((), ()), color=_ACCENT, marker="o", markersize=4, label="right"
        )
        axes.set(xlabel="probability of the predicted class", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="upper left")

    return _svg("Reliability", draw)


def draw_bars(title: str, bars: Mapping[str, float | None], notes: Sequence[str], label: str) -> str:
    """Scores 0..1 as bars.

    Args:
        title: What they are.
        bars: Names and scores; None is n/a.
        notes: A line under each bar's name.
        label: What the bars go by.
    """

    def draw(axes: Axes) -> None:
        heights = [value or 0 for value in bars.values()]
        axes.bar(range(len(heights)), heights, 0.62, color=_ACCENT)
        for place, value in enumerate(bars.values()):
            text = "n/a" if value is None else f"{value:.3f}"
            axes.text(place, (value or 0) + 0.02, text, ha="center", va="bottom", color=_INK)
        names = [f"{name}\n{note}" for name, note in zip(bars, notes, strict=True)]
        axes.set_xticks(range(len(names)), names)
        axes.set(ylim=(0, 1.1), xlabel=label, yticks=(0, 0.25, 0.5, 0.75, 1))

    return _svg(title, draw)


def _svg(title: str, draw: Callable[[Axes], None]) -> str:
    with mpl.rc_context({**_STYLE, "svg.hashsalt": title}):
        figure = Figure(figsize=(5, 3.1), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title(title)
        stream = io.StringIO()
        figure.savefig(
            stream, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    return _for_a_page(stream.getvalue(), title)


def _for_a_page(svg: str, title: str) -> str:
    """The drawing without what a file of its own needs, with the page's colours, and ids that no other one has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    key = re.sub(r"\W+", "-", title.lower())
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{key}-", svg)
    for variable, color in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    svg = re.sub(r'<defs>\s*<style.*?</defs>|font-family: [^;"]*(; )?', "", svg, flags=re.DOTALL)
    svg = re.sub(r'^<svg[^>]*viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{title}">', svg)
    return svg.strip()


def _thin_out(curve: Curve) -> Curve:
    """At most `_POINTS` points: the means of neighbours."""
    size = -(-len(curve) // _POINTS)
    blocks = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [tuple(sum(each) / len(block) for each in zip(*block, strict=True)) for block in blocks]
