"""Charts as inline SVG: drawn by matplotlib, coloured by the page's CSS variables for light and dark mode."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seglit.labels import Color

Curve = Sequence[tuple[float, float]]

# CSS variables of the page and their placeholders: colours valid for matplotlib that occur nowhere else in the SVG.
_VARIABLES = {"--ink": "#010203", "--faint": "#010204", "--line": "#010205", "--accent": "#010206", "--warm": "#010207"}
_INK, _FAINT, _LINE, _ACCENT, _WARM = _VARIABLES.values()
_MAX_POINTS = 400  # of a curve; more are not visible
_MAX_LABELS = 6  # of sizes
_LABEL = (0.08, 0.4)  # height and width of the label of a size, as shares of the axes
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # keep text as text, in the page's font
    "text.parse_math": False,  # a name may contain $
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
    """Draws curves over optimizer steps and returns the SVG.

    Args:
        title: Title of the chart.
        curves: At most three curves of (step, value) by name; long curves are drawn as means of neighbouring points.
        mark: Step and value of a point to mark as the best.
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


def draw_runs(title: str, curves: Mapping[str, Curve], colors: Mapping[str, Color]) -> str:
    """Draws the same score of several runs over optimizer steps and returns the SVG.

    Args:
        title: Title of the chart.
        curves: (step, value) by run.
        colors: Colour of each run.
    """

    def draw(axes: Axes) -> None:
        for name, curve in curves.items():
            steps, values = zip(*_thin_out(curve), strict=True)
            color = "#{:02x}{:02x}{:02x}".format(*colors[name])
            axes.plot(steps, values, color=color, label=name, marker="o" if len(steps) == 1 else None)
        axes.set_xlabel("step")
        axes.margins(x=0.02)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=6, handlelength=1, columnspacing=1, borderpad=0)

    return _svg(title, draw)


def _overlap(size: tuple[int, int], other: tuple[int, int], axes: tuple[int | float, int | float]) -> bool:
    """Whether the labels of two sizes (height, width) would overlap, in axes of this height and width."""
    return all(abs(a - b) < share * full for a, b, share, full in zip(size, other, _LABEL, axes, strict=True))


def draw_sizes(sizes: Mapping[tuple[int, int], int], crop: tuple[int, int]) -> str:
    """Draws the widths and heights of images, with the crop as a rectangle, and returns the SVG.

    Args:
        sizes: Number of images by (height, width) in pixels; the areas of the points are proportional to it.
        crop: Height and width of the crop.
    """
    (heights, widths), counts = zip(*sizes, strict=True), [*sizes.values()]
    most = max(counts)
    right, top = 1.5 * max(*widths, crop[1]), 1.1 * max(*heights, crop[0])  # the labels are right of the points
    labelled: list[tuple[int, int]] = []
    for size in sorted(sizes, key=lambda size: -sizes[size]):
        if len(labelled) < _MAX_LABELS and not any(_overlap(size, other, (top, right)) for other in labelled):
            labelled.append(size)

    def draw(axes: Axes) -> None:
        axes.add_patch(Rectangle((0, 0), crop[1], crop[0], facecolor="none", edgecolor=_WARM, linewidth=1.5))
        axes.annotate(
            f"crop {crop[0]} x {crop[1]}", (0, crop[0]), (4, -4), textcoords="offset points", va="top", color=_WARM
        )
        axes.scatter(widths, heights, [20 + 180 * count / most for count in counts], color=_ACCENT, alpha=0.6)
        for height, width in labelled:
            text = f"{height} x {width}: {sizes[height, width]:,}"
            axes.annotate(text, (width, height), (8, 0), textcoords="offset points", va="center", color=_INK)
        axes.set(xlabel="width (pixels)", ylabel="height (pixels)", xlim=(0, right), ylim=(0, top), aspect="equal")
        axes.grid(visible=True, axis="both")

    return _svg("Sizes of the images", draw)


def draw_reliability(
    pixels: Sequence[int], accuracy: Sequence[float | None], confidence: Sequence[float | None]
) -> str:
    """Draws accuracy over confidence, with the share of pixels in each bin as bars, and returns the SVG.

    Args:
        pixels: Number of pixels in each bin; the bins have equal width over 0..1.
        accuracy: Share of these predicted correctly; None for an empty bin.
        confidence: Mean confidence; None for an empty bin.
    """
    width, total = 1 / len(pixels), sum(pixels)
    points = [point for point in zip(confidence, accuracy, strict=True) if None not in point]

    def draw(axes: Axes) -> None:
        axes.plot((0, 1), (0, 1), color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="perfect calibration")
        lefts = [index * width for index in range(len(pixels))]
        shares = [count / total if total else 0 for count in pixels]
        axes.bar(lefts, shares, width * 0.9, align="edge", color=_LINE, label="share of pixels")
        x, y = zip(*points, strict=True) if points else ((), ())
        axes.plot(x, y, color=_ACCENT, marker="o", markersize=4, label="accuracy")
        axes.set(xlabel="probability of the predicted class", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, handlelength=1, columnspacing=1, borderpad=0)

    return _svg("Reliability", draw)


def draw_bars(title: str, bars: Mapping[str, float | None], label: str) -> str:
    """Draws scores 0..1 as bars and returns the SVG.

    Args:
        title: Title of the chart.
        bars: Scores by the text below the bar; None is n/a.
        label: Label of the x axis.
    """

    def draw(axes: Axes) -> None:
        heights = [value or 0 for value in bars.values()]
        axes.bar(range(len(heights)), heights, 0.62, color=_ACCENT)
        for index, value in enumerate(bars.values()):
            text = "n/a" if value is None else f"{value:.3f}"
            axes.text(index, (value or 0) + 0.02, text, ha="center", va="bottom", color=_INK)
        axes.set_xticks(range(len(bars)), list(bars))
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
    return _make_inline(stream.getvalue(), title)


def _make_inline(svg: str, title: str) -> str:
    """Removes what only an SVG file needs, makes the ids unique in the page, and inserts its CSS variables."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    key = re.sub(r"\W+", "-", title.lower())
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{key}-", svg)
    for variable, color in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    svg = re.sub(r'<defs>\s*<style.*?</defs>|font-family: [^;"]*(; )?', "", svg, flags=re.DOTALL)
    box, rest = re.fullmatch(r'<svg[^>]*viewBox="([^"]*)"[^>]*>(.*)', svg.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(title)}">{rest}'


def _thin_out(curve: Curve) -> Curve:
    """Averages neighbouring points until at most `_MAX_POINTS` are left."""
    size = -(-len(curve) // _MAX_POINTS)
    blocks = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [tuple(sum(values) / len(block) for values in zip(*block, strict=True)) for block in blocks]
