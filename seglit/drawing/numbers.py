"""Formats scores, differences and their intervals as text; nan is n/a."""

from math import isnan


def score(value: float) -> str:
    """Formats a score: 0.873."""
    return "n/a" if isnan(value) else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    """Formats an interval of a score: 0.848–0.895."""
    return "n/a" if isnan(low) else f"{low:.3f}–{high:.3f}"


def change(value: float) -> str:
    """Formats a difference of scores: +0.012."""
    return "n/a" if isnan(value) else f"{value:+.3f}"


def change_interval(low: float, high: float) -> str:
    """Formats an interval of a difference: -0.003 to +0.027."""
    return "n/a" if isnan(low) else f"{low:+.3f} to {high:+.3f}"
