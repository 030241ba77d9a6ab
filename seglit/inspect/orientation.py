"""How masks beside turned images were drawn: by the pairs whose size tells it, else by their edges."""

from dataclasses import dataclass, field
from math import hypot
from pathlib import Path
from typing import NamedTuple

from seglit.images.mask_settings import MaskOrientation
from seglit.inspect.facts import MaskFacts
from seglit.inspect.wording import counted

_MIN_RATIO = 0.25  # mean logarithm of the ratio of gradients: 28 % more
_MIN_AGREEMENT = 0.8  # of the logarithms, by their sum
_MIN_RATIO_OF_MANY = 0.03  # less may be a bias of the pictures, however many agree
_MIN_Z = 2.6  # sum of the logarithms, in units of its standard deviation if they had either sign by chance


class OrientationVerdict(NamedTuple):
    """What the masks beside turned images tell.

    Args:
        orientation: The setting; None without evidence, or if masks differ.
        reason: Why, in words; empty if no image is turned.
        question: What only the user can answer, else empty.
        is_mixed: Whether masks contradict each other.
    """

    orientation: MaskOrientation | None = None
    reason: str = ""
    question: str = ""
    is_mixed: bool = False


@dataclass
class Orientations:
    """Evidence of all masks beside turned images.

    Args:
        by_size: Orientation to the masks whose size shows it.
        by_edges: The other masks, and which orientation their edges prefer, see `prefer_upright`.
    """

    by_size: dict[MaskOrientation, list[Path]] = field(default_factory=lambda: {"upright": [], "stored": []})
    by_edges: list[tuple[Path, float]] = field(default_factory=list)

    def add(self, file: Path, mask: MaskFacts) -> None:
        """Adds a mask."""
        if mask.orientation is not None:
            self.by_size[mask.orientation].append(file)
        elif mask.edge_preference is not None:
            self.by_edges.append((file, mask.edge_preference))

    def decide(self) -> OrientationVerdict:
        """Returns what the masks together tell."""
        upright, stored, others = len(self.by_size["upright"]), len(self.by_size["stored"]), len(self.by_edges)
        edges = self._by_edges()
        if upright and stored:
            reason = f"by their sizes, {upright} are drawn on the upright picture and {stored} on the picture as stored"
            question = f"on which are the other {others} drawn? their size tells nothing" if others else ""
            return OrientationVerdict(None, reason, question, is_mixed=True)
        if upright or stored:
            by_size: MaskOrientation = "upright" if upright else "stored"
            reason = f"by size, {counted(upright or stored, 'mask')} drawn {_WORDS[by_size]}"
            if edges not in (None, by_size):
                reason += f", but the outlines of {others} others fit the image better if drawn {_WORDS[edges]}"
                return OrientationVerdict(None, reason, f"on which are the other {others} drawn?", is_mixed=True)
            return OrientationVerdict(by_size, reason)
        if edges is not None:
            reason = f"the outlines of {counted(others, 'mask')} fit better if drawn {_WORDS[edges]}"
            return OrientationVerdict(edges, reason)
        if not others:
            return OrientationVerdict()
        return OrientationVerdict(
            None,
            f"{counted(others, 'mask')} read as drawn on the upright picture, although neither sizes nor outlines tell",
            "are the masks of turned images drawn on the upright picture? neither sizes nor outlines tell; "
            "if not, set `mask_orientation: stored`",
        )

    def _by_edges(self) -> MaskOrientation | None:
        """Returns the orientation in which outlines follow edges of the images clearly better."""
        preferences = [preference for _, preference in self.by_edges if preference]
        total, strength = sum(preferences), sum(map(abs, preferences))
        by_chance = _MIN_Z * hypot(*preferences)
        least = min(_MIN_RATIO * len(preferences), max(_MIN_RATIO_OF_MANY * len(preferences), by_chance))
        is_clear = abs(total) >= max(least, _MIN_AGREEMENT * strength)
        return None if not total or not is_clear else "upright" if total > 0 else "stored"


_WORDS = {"upright": "on the upright picture", "stored": "on the picture as stored"}
